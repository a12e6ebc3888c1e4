"""What was sold for how much."""

from sales.models import Order


def turnover():
    """Return what all orders that were paid come to."""
    orders = Order.objects.exclude(status="open")  # access: sum_turnover
    return sum(order.total for order in orders)  # fault: sum_turnover
