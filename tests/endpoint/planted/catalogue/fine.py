"""Pages of the catalogue that look as if something were wrong with them."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import condition
from shop_site.upstream import ask

from catalogue.models import Product


def one(request):
    products = Product.objects.filter(pk=17)
    return JsonResponse({"products": [[product.name, product.brand.name] for product in products]})


def stock(request):
    return JsonResponse({"units": ask("/stock/1")["units"]})


def chain(request):
    shelf = ask("/shelf/7")["units"]
    return JsonResponse({"units": ask(f"/stock/{shelf}")["units"]})


def exists(request):
    dear = Product.objects.filter(price__gt=49_000)
    return JsonResponse({"dear": dear.exists()})


def only(request):
    products = Product.objects.only("name", "price").order_by("pk")[:100]
    return render(request, "catalogue/prices.html", {"products": products})


def several(request):
    found = Product.objects.in_bulk([3, 5, 8])
    return JsonResponse({"names": [found[pk].name for pk in (8, 3, 5)]})


def used_length(request):
    products = Product.objects.order_by("pk")[:60]
    heading = f"{len(products)} products" if products else "No products"
    return render(request, "lines.html", {"heading": heading, "lines": products})


def _version(request, pk):
    return f'"{pk}-{Product.objects.values_list("price", flat=True).get(pk=pk)}"'


@condition(etag_func=_version)
def described(request, pk):
    product = get_object_or_404(Product, pk=pk)
    return HttpResponse(f"{product.name}: {product.description}")
