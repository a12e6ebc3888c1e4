"""The back office's pages of orders."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import JsonResponse
from django.shortcuts import render

from sales import labels, planning, rates, reckoning, shipping
from sales.models import Activity, Order


def recent(request):
    orders = Order.objects.order_by("-number")[:200]  # fault: n1_fk_recent
    return render(request, "sales/recent.html", {"orders": orders})


def address_labels(request):
    return JsonResponse({"labels": labels.labels(200)})


def priced(request):
    orders = Order.objects.order_by("number")[:200]
    return JsonResponse({"orders": [[order.number, rates.with_tax(order.total)] for order in orders]})


def paged_lines(request):
    orders = Order.objects.filter(number__lte=10_400).order_by("number")  # fault: n1_page_of_list
    for order in orders:
        order.marked = order.status == "open"
    page = Paginator(orders, 50).page(1)
    return JsonResponse(
        {"orders": [[order.number, order.marked, [line.quantity for line in order.lines.all()]] for order in page]}
    )


def charged(request):
    orders = Order.objects.order_by("number")[:200]
    return JsonResponse({"orders": [[order.number, order.total + rates.extras()] for order in orders]})


def any_open(request):
    orders = Order.objects.filter(status="open").order_by("number")  # access: bool_any_open
    if orders:  # fault: bool_any_open
        return JsonResponse({"open": True})
    return JsonResponse({"open": False})


def turnover(request):
    return JsonResponse({"turnover": reckoning.turnover()})


def shipments(request):
    return JsonResponse({"days": shipping.days()})


@login_required
def forecast(request):
    lines = [f"{month}: {value}" for month, value in planning.forecast()]  # fault: uncached_function_forecast
    return render(request, "lines.html", {"heading": f"Forecast for {request.user.username}", "lines": lines})


def activity(request):
    happened = Activity.objects.order_by("pk")[:200]  # fault: n1_generic_activity
    return render(request, "sales/activity.html", {"happened": happened})
