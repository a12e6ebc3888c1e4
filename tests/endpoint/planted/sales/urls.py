"""The URLs of orders and of what happened."""

from django.urls import path

from sales import fine, fixed, views

_PAGES = {
    "orders/recent/": "recent",
    "orders/labels/": "address_labels",
    "orders/priced/": "priced",
    "orders/paged-lines/": "paged_lines",
    "orders/charged/": "charged",
    "orders/any-open/": "any_open",
    "orders/turnover/": "turnover",
    "orders/shipments/": "shipments",
    "orders/forecast/": "forecast",
    "activity/": "activity",
}

urlpatterns = [
    *(path(place, getattr(views, name)) for place, name in _PAGES.items()),
    *(path(f"{place}fixed/", getattr(fixed, name)) for place, name in _PAGES.items()),
    path("orders/packed/", fine.packed),
    path("orders/joined/", fine.joined),
    path("orders/twice/", fine.twice),
    path("orders/paged/", fine.paged),
    path("orders/cards/", fine.paid_by),
    # Not of the back office: it is kept for all.
    path("outlook/", fine.kept_forecast),
]
