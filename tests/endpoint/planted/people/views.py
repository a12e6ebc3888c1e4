"""The back office's pages of customers and staff."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import render

from people.models import Customer, Department, Employee


def customer_orders(request):
    customers = Customer.objects.order_by("pk")[:200]  # fault: n1_reverse_customers
    return render(request, "people/customer_orders.html", {"customers": customers})


def history(request):
    customers = Customer.objects.order_by("pk")[:30]  # fault: n1_nested_history
    return render(request, "people/history.html", {"customers": customers})


def top(request):
    customers = sorted(Customer.objects.all(), key=lambda one: (-one.spent, one.pk))  # fault: over_rows_top
    return render(request, "people/top.html", {"customers": customers[:10]})


def load(request):
    employees = Employee.objects.order_by("pk")[:200]  # fault: n1_property_load
    return render(request, "people/load.html", {"employees": employees})


def phones(request):
    employees = Employee.objects.defer("email").order_by("pk")[:200]  # fault: only_phones
    return render(request, "people/phones.html", {"employees": employees})


def roster(request):
    leads = Department.objects.order_by("pk").values_list("lead", flat=True)[:160]
    names = []
    for lead in leads:
        names.append(Employee.objects.get(pk=lead).name)  # fault: get_in_loop_roster
    return render(request, "lines.html", {"heading": "Who leads", "lines": names})


def board(request):
    return render(request, "people/board.html")


@login_required
def news(request):
    return render(request, "people/news.html")  # fault: uncached_fragment_news


@login_required
def overview(request):
    return render(request, "people/overview.html", {"watching": request.watching})


@login_required
def hello(request):
    return render(request, "lines.html", {"heading": f"Hello, {request.user.get_username()}", "lines": []})
