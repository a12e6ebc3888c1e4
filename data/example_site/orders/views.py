"""The page of the latest orders."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orders.models import Order


def latest(request: HttpRequest) -> HttpResponse:
    """Show the latest orders, each with its customer and its items."""
    orders = Order.objects.order_by("-placed")[:100]
    return render(request, "latest.html", {"orders": orders})
