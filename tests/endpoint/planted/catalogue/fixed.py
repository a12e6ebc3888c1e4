"""The catalogue's pages without their faults."""

from concurrent.futures import ThreadPoolExecutor

from django.db.models import Count
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_page
from shop_site.upstream import ask

from catalogue import feed as feeds
from catalogue import views
from catalogue.models import Category, Manual, Product, Review


def tagged(request):
    products = Product.objects.order_by("pk").prefetch_related("tags")[:200]
    return render(request, "catalogue/tagged.html", {"products": products})


def feed(request):
    products = Product.objects.order_by("pk").prefetch_related("tags")[:180]
    return JsonResponse({"items": [feeds.item(product) for product in products]})


def popularity(request):
    products = Product.objects.order_by("pk")[:200]
    counts = dict(
        Review.objects.filter(product__in=[product.pk for product in products])
        .order_by()
        .values_list("product")
        .annotate(Count("pk"))
    )
    rows = [(product.name, counts.get(product.pk, 0)) for product in products]
    return render(request, "catalogue/popularity_counted.html", {"rows": rows})


def tree(request):
    categories = Category.objects.order_by("pk").prefetch_related("products__reviews")[:50]
    return render(request, "catalogue/tree.html", {"categories": categories})


def basket(request):
    first, last = int(request.GET.get("first", 1)), int(request.GET.get("last", 150))
    found = Product.objects.in_bulk(range(first, last + 1))
    products = [found[pk] for pk in range(first, last + 1)]
    return JsonResponse({"total": sum(product.price for product in products), "items": [str(p) for p in products]})


def quotes(request):
    products = Product.objects.order_by("pk")[:200]
    return render(request, "catalogue/quotes_once.html", {"products": products})


def manuals(request):
    lines = list(Manual.objects.order_by("pk").values_list("title", flat=True))
    return render(request, "lines.html", {"heading": "Manuals", "lines": lines})


def plain(request):
    products = Product.objects.order_by("pk")[:400]
    return render(request, "catalogue/plain.html", {"products": products})


def prices(request):
    products = Product.objects.only("name", "price").order_by("pk")[:200]
    return render(request, "catalogue/prices.html", {"products": products})


def stock(request):
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(ask, [f"/stock/{pk}" for pk in range(1, 6)]))
    return JsonResponse({"units": [answer["units"] for answer in answers]})


statistics = cache_page(300)(views.statistics)


def grid(request):
    products = Product.objects.order_by("pk").values("pk", "name", "price")[:150]
    return render(request, "catalogue/grid_once.html", {"products": products})


def latest_reviews(request):
    reviews = Review.objects.select_related("product").order_by("-pk")[:200]
    return render(request, "lines.html", {"heading": "Latest reviews", "lines": reviews})


def newest_reviews(request):
    reviews = Review.objects.order_by("-pk")[:10]
    return JsonResponse({"reviews": [review.text for review in reviews]})
