"""What anybody may read."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from wiki import markup
from wiki.changes import changes
from wiki.models import Article, Page, Revision


def index(request):
    pages = Page.objects.order_by("pk")[:200]  # fault: n1_inheritance_index
    return render(request, "wiki/index.html", {"pages": pages})


def revisions(request):
    return render(request, "lines.html", {"heading": "Changes", "lines": changes()})


def rendered(request, pk):  # fault: uncached_view_markup
    article = get_object_or_404(Article, pk=pk)
    return HttpResponse(markup.render(article.body))  # access: uncached_view_markup


def terms(request):  # fault: no_conditional_terms
    revisions = Revision.objects.order_by("pk")[:25]
    return render(request, "wiki/terms.html", {"revisions": revisions})


def handbook(request):
    articles = Article.objects.order_by("pk").values_list("title", flat=True)[:20]
    return render(request, "wiki/handbook.html", {"articles": articles})


def glossary(request):
    pages = Page.objects.order_by("pk").values("title", "slug")
    return render(request, "wiki/glossary.html", {"pages": pages})  # fault: heavy_template_glossary
