"""Labels for parcels."""

from sales.models import Order


def labels(count):
    """Return the labels of the oldest orders."""
    orders = Order.objects.order_by("number")[:count]  # fault: n1_fk_labels
    return [label(order) for order in orders]


def label(order):
    customer = order.customer  # access: n1_fk_labels
    return f"{customer.name}, {customer.city} ({order.number})"
