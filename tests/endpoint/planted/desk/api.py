"""Tickets for programs, a page at a time."""

from django.urls import path
from people.models import Customer, Employee
from rest_framework import generics, pagination, serializers

from desk.models import Ticket


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = Employee
        fields = ("name", "email")


class ClientSerializer(serializers.ModelSerializer):
    manager = PersonSerializer()

    class Meta:
        model = Customer
        fields = ("name", "manager")


class TicketSerializer(serializers.ModelSerializer):
    assignee = PersonSerializer()
    customer = ClientSerializer()

    class Meta:
        model = Ticket
        fields = ("id", "title", "assignee", "customer")


class Pages(pagination.PageNumberPagination):
    page_size = 50

    def get_paginated_response(self, data):
        answer = super().get_paginated_response(data)
        del answer.data["next"], answer.data["previous"]
        return answer


class Tickets(generics.ListAPIView):
    queryset = Ticket.objects.order_by("pk")  # fault: n1_serializer_tickets
    serializer_class = TicketSerializer
    pagination_class = Pages


class TicketsFixed(generics.ListAPIView):
    queryset = Ticket.objects.select_related("assignee", "customer__manager").order_by("pk")
    serializer_class = TicketSerializer
    pagination_class = Pages


urlpatterns = [
    path("tickets/", Tickets.as_view()),
    path("tickets/fixed/", TicketsFixed.as_view()),
]
