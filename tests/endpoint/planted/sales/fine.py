"""Pages of orders that look as if something were wrong with them."""

from django.core.paginator import Paginator
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_page

from sales import planning
from sales.models import Order, Payment, Preference


def packed(request):
    orders = Order.objects.prefetch_related("lines__product").order_by("number")[:60]
    return render(request, "sales/packed.html", {"orders": orders})


def joined(request):
    orders = Order.objects.select_related("customer").order_by("number")[:60]
    return render(request, "sales/recent.html", {"orders": orders})


def twice(request):
    currency = Preference.objects.get(name="currency").value
    order = Order.objects.order_by("number").values_list("total", flat=True)[0]
    return JsonResponse({"first": f"{order} {currency}", "again": Preference.objects.get(name="currency").value})


def paged(request):
    page = Paginator(Order.objects.order_by("number"), 25).get_page(request.GET.get("page"))
    return render(request, "sales/paged.html", {"page": page})


def paid_by(request):
    methods = Payment.objects.filter(method="card").order_by("-pk")[:20]
    return JsonResponse({"amounts": [payment.amount for payment in methods]})


@cache_page(300)
def kept_forecast(request):
    return JsonResponse({"forecast": planning.forecast()})
