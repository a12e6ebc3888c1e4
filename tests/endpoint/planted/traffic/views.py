"""Pages about the large table."""

from django.core.paginator import Paginator
from django.http import JsonResponse
from django.shortcuts import render

from traffic.models import Visit

PAGE = 25


def find(request):
    visits = Visit.objects.filter(token=request.GET["token"])  # fault: index_filter_find
    return render(request, "traffic/visits.html", {"visits": visits.order_by("number")})


def of_customer(request, number):
    visits = Visit.objects.filter(customer_number=number)  # fault: index_filter_customer
    return JsonResponse({"visits": sorted(visits.values_list("number", flat=True))})


def longest(request):
    visits = Visit.objects.order_by("-seconds")[:20]  # fault: index_order_longest
    return render(request, "traffic/visits.html", {"visits": visits})


def counted(request):
    visits = Visit.objects.filter(country="de", number__lte=20_000)  # access: len_counted
    return JsonResponse({"visits": len(visits)})  # fault: len_counted


def report(request):
    visits = Visit.objects.filter(country="fr", number__lte=20_000)  # fault: len_report
    return render(request, "traffic/report.html", {"visits": visits})


def seen(request):
    visits = Visit.objects.filter(country="it", number__lte=20_000)  # fault: bool_seen
    return render(request, "traffic/seen.html", {"visits": visits})


def seconds(request):
    visits = Visit.objects.filter(number__lte=5_000)  # access: sum_seconds
    return JsonResponse({"seconds": sum(visit.seconds for visit in visits)})  # fault: sum_seconds


def log(request):
    first = (int(request.GET.get("page", 1)) - 1) * PAGE
    visits = Visit.objects.order_by("number")[first : first + PAGE]  # fault: deep_offset_log
    return render(request, "traffic/visits.html", {"visits": visits})


def wiki_log(request):
    visits = Visit.objects.filter(path__contains="wiki").order_by("number")  # access: paginator_count_wiki
    page = Paginator(visits, PAGE).get_page(request.GET.get("page"))  # fault: paginator_count_wiki
    return render(request, "traffic/page.html", {"visits": page, "more": page.has_next()})
