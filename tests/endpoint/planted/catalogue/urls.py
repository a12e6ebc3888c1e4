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
    path("backroom/one/", fine.one),
    path("backroom/warehouse/", fine.stock),
    path("backroom/shelf/", fine.chain),
    path("backroom/dear/", fine.exists),
    path("backroom/short/", fine.only),
    path("backroom/several/", fine.several),
    path("backroom/first/", fine.used_length),
    path("backroom/<int:pk>/text/", fine.described),
]
