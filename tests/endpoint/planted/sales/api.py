"""Orders and customers for programs."""

from django.db.models import Sum
from django.urls import path
from people.models import Customer
from rest_framework import generics, serializers

from sales.models import Order, OrderLine


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderLine
        fields = ("product", "quantity")


class OrderSerializer(serializers.ModelSerializer):
    customer = serializers.CharField(source="customer.name")
    manager = serializers.CharField(source="customer.manager.name")
    lines = LineSerializer(many=True)

    class Meta:
        model = Order
        fields = ("number", "customer", "manager", "lines")


class Orders(generics.ListAPIView):
    queryset = Order.objects.order_by("number")[:100]  # fault: n1_serializer_orders
    serializer_class = OrderSerializer


class OrdersFixed(generics.ListAPIView):
    queryset = Order.objects.select_related("customer__manager").prefetch_related("lines").order_by("number")[:100]
    serializer_class = OrderSerializer


class RecentOrders(generics.ListAPIView):
    """A control: everything that it shows is fetched at once."""

    queryset = Order.objects.select_related("customer__manager").prefetch_related("lines").order_by("-number")[:20]
    serializer_class = OrderSerializer


class CustomerSerializer(serializers.ModelSerializer):
    ordered = serializers.SerializerMethodField()

    class Meta:
        model = Customer
        fields = ("id", "name", "ordered")

    def get_ordered(self, customer):
        return customer.orders.aggregate(total=Sum("total"))["total"]  # access: method_field_customers


class Customers(generics.ListAPIView):
    queryset = Customer.objects.order_by("pk")[:150]  # fault: method_field_customers
    serializer_class = CustomerSerializer


class SummedSerializer(CustomerSerializer):
    def get_ordered(self, customer):
        return sum(order.total for order in customer.orders.all())


class CustomersFixed(generics.ListAPIView):
    queryset = Customer.objects.prefetch_related("orders").order_by("pk")[:150]
    serializer_class = SummedSerializer


urlpatterns = [
    path("orders/", Orders.as_view()),
    path("orders/fixed/", OrdersFixed.as_view()),
    path("orders/recent/", RecentOrders.as_view()),
    path("customers/", Customers.as_view()),
    path("customers/fixed/", CustomersFixed.as_view()),
]
