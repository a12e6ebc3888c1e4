"""The URLs of customers, staff and accounts."""

from django.urls import path

from people import fine, fixed, views

_PAGES = {
    "customers/orders/": "customer_orders",
    "customers/history/": "history",
    "customers/top/": "top",
    "staff/load/": "load",
    "staff/phones/": "phones",
    "staff/roster/": "roster",
    "staff/board/": "board",
    "staff/news/": "news",
    "account/overview/": "overview",
}

urlpatterns = [
    *(path(place, getattr(views, name)) for place, name in _PAGES.items()),
    *(path(f"{place}fixed/", getattr(fixed, name)) for place, name in _PAGES.items()),
    path("account/hello/", views.hello),
    # Not of the back office: only its Vary header keeps it from others.
    path("mine/", fine.mine),
    path("customers/emails/", fine.emails),
    path("customers/nl/", fine.by_country),
]
