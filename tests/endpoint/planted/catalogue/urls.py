"""The URLs of products and reviews."""

from django.urls import path

from catalogue import fine, fixed, views

_PAGES = {
    "products/tags/": "tagged",
    "products/feed/": "feed",
    "products/popularity/": "popularity",
    "products/tree/": "tree",
    "products/basket/": "basket",
    "products/quotes/": "quotes",
    "products/manuals/": "manuals",
    "products/plain/": "plain",
    "products/prices/": "prices",
    "products/stock/": "stock",
    "products/statistics/": "statistics",
    "products/grid/": "grid",
    "reviews/latest/": "latest_reviews",
    "reviews/newest/": "newest_reviews",
}

urlpatterns = [
    *(path(place, getattr(views, name)) for place, name in _PAGES.items()),
    *(path(f"{place}fixed/", getattr(fixed, name)) for place, name in _PAGES.items()),
    path("products/one/", fine.one),
    path("products/warehouse/", fine.stock),
    path("products/shelf/", fine.chain),
    path("products/dear/", fine.exists),
    path("products/short/", fine.only),
    path("products/several/", fine.several),
    path("products/first/", fine.used_length),
    path("products/<int:pk>/text/", fine.described),
]
