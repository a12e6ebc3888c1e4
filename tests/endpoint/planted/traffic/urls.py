"""The URLs about visits."""

from django.urls import path

from traffic import fine, fixed, outside, views

_PAGES = {
    "find/": "find",
    "customer/<int:number>/": "of_customer",
    "longest/": "longest",
    "counted/": "counted",
    "report/": "report",
    "seen/": "seen",
    "seconds/": "seconds",
    "log/": "log",
    "wiki/": "wiki_log",
}

urlpatterns = [
    *(path(place, getattr(views, name)) for place, name in _PAGES.items()),
    *(path(f"{place}fixed/", getattr(fixed, name)) for place, name in _PAGES.items()),
    path("unlocks/", outside.unlocks),
    path("starts-a-program/", outside.starts_a_program),
    path("country/", fine.in_country),
    path("total/", fine.total),
    path("checksum/", fine.checksum),
    path("<int:number>/", fine.lookup),
]
