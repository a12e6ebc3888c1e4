"""Customers, and what they ordered."""

from django.db import models


class Customer(models.Model):
    """Somebody who orders."""

    name = models.CharField(max_length=50)


class Order(models.Model):
    """What was ordered at once, and when."""

    customer = models.ForeignKey(Customer, models.CASCADE)
    placed = models.DateTimeField()


class Item(models.Model):
    """One thing of an order."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    name = models.CharField(max_length=50)
