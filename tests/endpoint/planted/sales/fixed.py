"""Pages of orders without their faults."""

from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Sum, prefetch_related_objects
from django.http import JsonResponse
from django.shortcuts import render
from shop_site.upstream import ask

from sales import labels, planning, rates, shipping
from sales.models import Activity, Order, Preference


def recent(request):
    orders = Order.objects.select_related("customer").order_by("-number")[:200]
    return render(request, "sales/recent.html", {"orders": orders})


def address_labels(request):
    orders = Order.objects.select_related("customer").order_by("number")[:200]
    return JsonResponse({"labels": [labels.label(order) for order in orders]})


def priced(request):
    orders = Order.objects.order_by("number")[:200]
    vat = int(Preference.objects.get(name="vat").value)
    return JsonResponse({"orders": [[order.number, order.total + order.total * vat // 100] for order in orders]})


def paged_lines(request):
    orders = Order.objects.filter(number__lte=10_400).order_by("number")
    for order in orders:
        order.marked = order.status == "open"
    page = Paginator(orders, 50).page(1)
    prefetch_related_objects(page.object_list, "lines")
    return JsonResponse(
        {"orders": [[order.number, order.marked, [line.quantity for line in order.lines.all()]] for order in page]}
    )


def charged(request):
    orders = Order.objects.order_by("number")[:200]
    extras = rates.extras()
    return JsonResponse({"orders": [[order.number, order.total + extras] for order in orders]})


def any_open(request):
    return JsonResponse({"open": Order.objects.filter(status="open").exists()})


def turnover(request):
    total = Order.objects.exclude(status="open").aggregate(total=Sum("total"))["total"]
    return JsonResponse({"turnover": total})


def shipments(request):
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, [f"/carriers/{carrier}" for carrier in shipping.CARRIERS]))
    days = {carrier: answer["units"] % 7 for carrier, answer in zip(shipping.CARRIERS, answers, strict=True)}
    return JsonResponse({"days": days})


@login_required
def forecast(request):
    months = cache.get_or_set("forecast", planning.forecast, 300)
    lines = [f"{month}: {value}" for month, value in months]
    return render(request, "lines.html", {"heading": f"Forecast for {request.user.username}", "lines": lines})


def activity(request):
    happened = Activity.objects.prefetch_related("subject").order_by("pk")[:200]
    return render(request, "sales/activity.html", {"happened": happened})
