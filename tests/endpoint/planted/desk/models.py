"""Tickets and follow-ups."""

from django.db import models


class Ticket(models.Model):
    title = models.CharField(max_length=100)
    customer = models.ForeignKey("people.Customer", models.CASCADE, related_name="tickets")
    assignee = models.ForeignKey("people.Employee", models.CASCADE, related_name="tickets")
    status = models.CharField(max_length=10)
    body = models.CharField(max_length=200)

    def __str__(self):
        return self.title


class FollowUp(models.Model):
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="followups")
    author = models.ForeignKey("people.Employee", models.CASCADE)
    text = models.CharField(max_length=200)
