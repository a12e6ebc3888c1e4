"""The shop's URLs: what customers see, and the back office."""

from catalogue import api as catalogue_api
from django.urls import include, path
from sales import api as sales_api

urlpatterns = [
    path("", include("wiki.urls")),
    path("", include("catalogue.urls")),
    path("", include("people.urls")),
    path("", include("sales.urls")),
    path("", include("desk.urls")),
    path("traffic/", include("traffic.urls")),
    path("surveys/", include("feedback.urls")),
    path("api/", include(catalogue_api.urlpatterns)),
    path("api/", include(sales_api.urlpatterns)),
    path("api/", include("desk.api")),
]
