"""Departments, employees and customers."""

from django.conf import settings
from django.db import models


class Department(models.Model):
    name = models.CharField(max_length=80)
    lead = models.ForeignKey("Employee", models.SET_NULL, null=True, related_name="leads")

    def __str__(self):
        return self.name


class Employee(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    name = models.CharField(max_length=80)
    email = models.EmailField()
    phone = models.CharField(max_length=30)
    department = models.ForeignKey(Department, models.CASCADE, related_name="employees")

    def __str__(self):
        return self.name

    @property
    def open_tickets(self):
        """How many tickets are waiting for this employee."""
        return self.tickets.filter(status="open").count()  # access: n1_property_load


class Customer(models.Model):
    name = models.CharField(max_length=80)
    email = models.EmailField()
    city = models.CharField(max_length=60)
    country = models.CharField(max_length=2)
    spent = models.IntegerField(default=0)
    manager = models.ForeignKey(Employee, models.CASCADE, related_name="customers")
    note = models.CharField(max_length=100)

    def __str__(self):
        return self.name


class Watch(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="watches")
    product = models.ForeignKey("catalogue.Product", models.CASCADE)
