"""The URLs of tickets."""

from django.urls import path

from desk import fine, fixed, views

urlpatterns = [
    path("tickets/mine/", views.mine),
    path("tickets/mine/fixed/", fixed.mine),
    path("tickets/threads/", views.threads),
    path("tickets/threads/fixed/", fixed.threads),
    path("tickets/waiting/", fine.waiting),
]
