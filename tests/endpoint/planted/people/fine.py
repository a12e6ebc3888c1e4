"""Pages of customers and staff that look as if something were wrong with them."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import render

from people.models import Customer


@login_required
def mine(request):
    tickets = request.user.employee.tickets.order_by("pk").values_list("title", flat=True)
    return render(request, "lines.html", {"heading": f"For {request.user.get_username()}", "lines": tickets})


def emails(request):
    return JsonResponse({"emails": list(Customer.objects.order_by("pk").values_list("email", flat=True))})


def by_country(request):
    customers = Customer.objects.filter(country="nl").order_by("pk")[:40]
    return render(request, "people/top.html", {"customers": customers})
