"""Orders, and what happened to things."""

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Order(models.Model):
    number = models.IntegerField(unique=True)
    customer = models.ForeignKey("people.Customer", models.CASCADE, related_name="orders")
    status = models.CharField(max_length=10)
    total = models.IntegerField()
    placed = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"order {self.number}"


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey("catalogue.Product", models.CASCADE)
    quantity = models.IntegerField()

    class Meta:
        ordering = ["pk"]


class Payment(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="payments")
    method = models.CharField(max_length=10)
    amount = models.IntegerField()


class Preference(models.Model):
    name = models.CharField(max_length=40, unique=True)
    value = models.CharField(max_length=40)


class Activity(models.Model):
    verb = models.CharField(max_length=20)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    subject = GenericForeignKey("content_type", "object_id")
