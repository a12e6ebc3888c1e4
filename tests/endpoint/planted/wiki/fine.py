"""Pages of the wiki that look as if something were wrong with them."""

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import condition

from wiki.models import Page


def visit(request, slug):
    Page.objects.filter(slug=slug).update(views=F("views") + 1)
    return HttpResponse(Page.objects.values_list("title", flat=True).get(slug=slug))


def small(request):
    return render(request, "lines.html", {"heading": "About", "lines": ["The shop sells nothing."]})


def _version(request):
    return '"edition-3"'


@condition(etag_func=_version)
def edition(request):
    titles = list(Page.objects.order_by("pk").values_list("title", flat=True)[:40])
    return render(request, "lines.html", {"heading": "Edition 3", "lines": titles})
