"""The example's one page."""

from django.urls import path
from orders import views

urlpatterns = [path("orders/", views.latest)]
