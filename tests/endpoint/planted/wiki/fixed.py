"""The wiki's pages without their faults."""

from django.db.models import Max
from django.shortcuts import render
from django.views.decorators.cache import cache_page
from django.views.decorators.http import condition

from wiki import views
from wiki.models import Page, Revision


def index(request):
    pages = Page.objects.select_related("article", "notice").order_by("pk")[:200]
    return render(request, "wiki/index.html", {"pages": pages})


def revisions(request):
    rows = Revision.objects.order_by("pk").values_list("number", "comment")
    lines = [f"{number}: {comment}" for number, comment in rows]
    return render(request, "lines.html", {"heading": "Changes", "lines": lines})


rendered = cache_page(300)(views.rendered)


def _newest(request):
    return f'"{Revision.objects.aggregate(newest=Max("pk"))["newest"]}"'


terms = condition(etag_func=_newest)(views.terms)


def glossary(request):
    pages = Page.objects.order_by("pk").values("title", "slug")
    return render(request, "wiki/glossary_inline.html", {"pages": pages})
