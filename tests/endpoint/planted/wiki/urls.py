"""The URLs of the wiki."""

from django.urls import path

from wiki import fine, fixed, views

urlpatterns = [
    path("wiki/index/", views.index),
    path("wiki/index/fixed/", fixed.index),
    path("wiki/changes/", views.revisions),
    path("wiki/changes/fixed/", fixed.revisions),
    path("wiki/<int:pk>/rendered/", views.rendered),
    path("wiki/<int:pk>/rendered/fixed/", fixed.rendered),
    path("wiki/terms/", views.terms),
    path("wiki/terms/fixed/", fixed.terms),
    path("wiki/glossary/", views.glossary),
    path("wiki/glossary/fixed/", fixed.glossary),
    path("wiki/handbook/", views.handbook),
    path("wiki/about/", fine.small),
    path("backroom/edition/", fine.edition),
    path("wiki/visit/<slug:slug>/", fine.visit),
]
