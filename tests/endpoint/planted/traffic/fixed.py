"""Pages about the large table without their faults."""

from django.db.models import Sum
from django.http import JsonResponse
from django.shortcuts import render

from traffic.models import Visit
from traffic.views import PAGE


def find(request):
    visits = Visit.objects.filter(indexed_token=request.GET["token"])
    return render(request, "traffic/visits.html", {"visits": visits.order_by("number")})


def of_customer(request, number):
    visits = Visit.objects.filter(indexed_customer_number=number)
    return JsonResponse({"visits": sorted(visits.values_list("number", flat=True))})


def longest(request):
    visits = Visit.objects.order_by("-indexed_seconds")[:20]
    return render(request, "traffic/visits.html", {"visits": visits})


def counted(request):
    return JsonResponse({"visits": Visit.objects.filter(country="de", number__lte=20_000).count()})


def report(request):
    count = Visit.objects.filter(country="fr", number__lte=20_000).count()
    return render(request, "traffic/report_counted.html", {"count": count})


def seen(request):
    some = Visit.objects.filter(country="it", number__lte=20_000).exists()
    return render(request, "traffic/seen.html", {"visits": some})


def seconds(request):
    total = Visit.objects.filter(number__lte=5_000).aggregate(total=Sum("seconds"))["total"]
    return JsonResponse({"seconds": total})


def log(request):
    last = (int(request.GET.get("page", 1)) - 1) * PAGE
    visits = Visit.objects.filter(number__gt=last).order_by("number")[:PAGE]
    return render(request, "traffic/visits.html", {"visits": visits})


def wiki_log(request):
    number = int(request.GET.get("page", 1))
    first = (number - 1) * PAGE
    visits = list(Visit.objects.filter(path__contains="wiki").order_by("number")[first : first + PAGE + 1])
    return render(request, "traffic/page.html", {"visits": visits[:PAGE], "more": len(visits) > PAGE})
