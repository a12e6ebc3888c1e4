"""Pages of customers and staff without their faults."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.shortcuts import render

from people.models import Customer, Department, Employee, Watch


def customer_orders(request):
    customers = Customer.objects.order_by("pk").prefetch_related("orders")[:200]
    return render(request, "people/customer_orders.html", {"customers": customers})


def history(request):
    customers = Customer.objects.order_by("pk").prefetch_related("orders__lines__product")[:30]
    return render(request, "people/history.html", {"customers": customers})


def top(request):
    customers = Customer.objects.order_by("-spent", "pk")[:10]
    return render(request, "people/top.html", {"customers": customers})


def load(request):
    employees = list(Employee.objects.order_by("pk")[:200])
    waiting = Employee.tickets.rel.related_model.objects.filter(status="open", assignee__in=employees)
    counts = dict(waiting.order_by().values_list("assignee").annotate(Count("pk")))
    rows = [(employee.name, counts.get(employee.pk, 0)) for employee in employees]
    return render(request, "people/load_counted.html", {"rows": rows})


def phones(request):
    employees = Employee.objects.order_by("pk")[:200]
    return render(request, "people/phones.html", {"employees": employees})


def roster(request):
    names = Department.objects.order_by("pk").values_list("lead__name", flat=True)[:160]
    return render(request, "lines.html", {"heading": "Who leads", "lines": list(names)})


def board(request):
    return render(request, "people/board_joined.html")


@login_required
def news(request):
    return render(request, "people/news_cached.html")


@login_required
def overview(request):
    return render(request, "people/overview.html", {"watching": request.watching})


def teams():
    departments = Department.objects.select_related("lead").order_by("pk")
    return [(department.name, department.lead.name) for department in departments]


def team_menu(request):
    return {"teams_joined": teams}


class Watchlist:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path == "/account/overview/fixed/" and request.user.is_authenticated:
            watches = Watch.objects.filter(user=request.user).order_by("pk")
            request.watching = list(watches.values_list("product__name", flat=True))
        return self.get_response(request)
