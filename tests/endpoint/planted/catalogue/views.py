"""What customers see of products and reviews."""

from django.http import JsonResponse
from django.shortcuts import render
from shop_site.upstream import ask

from catalogue import feed as feeds
from catalogue import figures
from catalogue.models import Category, Manual, Product, Review


def tagged(request):
    products = Product.objects.order_by("pk")[:200]  # fault: n1_m2m_tags
    return render(request, "catalogue/tagged.html", {"products": products})


def feed(request):
    return JsonResponse({"items": feeds.items(180)})


def popularity(request):
    products = Product.objects.order_by("pk")[:200]  # fault: n1_property_popularity
    return render(request, "catalogue/popularity.html", {"products": products})


def tree(request):
    categories = Category.objects.order_by("pk")[:50]  # fault: n1_nested_tree
    return render(request, "catalogue/tree.html", {"categories": categories})


def basket(request):
    first, last = int(request.GET.get("first", 1)), int(request.GET.get("last", 150))
    products = [Product.objects.get(pk=pk) for pk in range(first, last + 1)]  # fault: get_in_loop_basket
    return JsonResponse({"total": sum(product.price for product in products), "items": [str(p) for p in products]})


def quotes(request):
    products = Product.objects.order_by("pk")[:200]
    return render(request, "catalogue/quotes.html", {"products": products})


def manuals(request):
    found = Manual.objects.order_by("pk")  # fault: over_columns_manuals
    return render(request, "lines.html", {"heading": "Manuals", "lines": [manual.title for manual in found]})


def plain(request):
    products = Product.objects.order_by("pk").prefetch_related("tags", "reviews")  # fault: unused_prefetch_plain
    return render(request, "catalogue/plain.html", {"products": products[:400]})


def prices(request):
    products = Product.objects.only("name").order_by("pk")[:200]  # fault: only_prices
    return render(request, "catalogue/prices.html", {"products": products})


def stock(request):
    units = [ask(f"/stock/{pk}")["units"] for pk in range(1, 6)]  # fault: serial_upstream_stock
    return JsonResponse({"units": units})


def statistics(request):  # fault: uncached_view_statistics
    return JsonResponse({"pairs": figures.common_pairs()})  # access: uncached_view_statistics


def grid(request):
    products = Product.objects.order_by("pk").values("pk", "name", "price")[:150]
    return render(request, "catalogue/grid.html", {"products": products})  # fault: heavy_template_grid


def latest_reviews(request):
    reviews = Review.objects.order_by("-pk")[:200]  # fault: n1_fk_reviews
    return render(request, "lines.html", {"heading": "Latest reviews", "lines": reviews})


def newest_reviews(request):
    reviews = list(Review.objects.order_by("-pk"))[:10]  # fault: over_rows_newest
    return JsonResponse({"reviews": [review.text for review in reviews]})
