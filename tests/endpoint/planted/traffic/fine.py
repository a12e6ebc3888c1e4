"""Pages about the large table that look as if something were wrong with them."""

from zlib import crc32

from django.db.models import Max, Sum
from django.http import JsonResponse

from traffic.models import Visit


def in_country(request):
    visits = Visit.objects.filter(country="pl")
    return JsonResponse(visits.aggregate(seconds=Sum("seconds"), path=Max("path"), token=Max("token")))


def total(request):
    return JsonResponse({"visits": Visit.objects.count()})


def checksum(request):
    found = 0
    for token in Visit.objects.filter(number__lte=2_000).order_by("number").values_list("token").iterator(500):
        found = crc32(token[0].encode(), found)
    return JsonResponse({"checksum": found})


def lookup(request, number):
    visit = Visit.objects.get(number=number)
    return JsonResponse({"path": visit.path, "seconds": visit.seconds})
