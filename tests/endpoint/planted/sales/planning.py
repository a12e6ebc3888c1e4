"""What will be sold, as the past says."""

from sales.models import Order


def forecast():  # access: uncached_function_forecast
    """Return a smoothed value for each of twelve months, the same for everybody."""
    totals = list(Order.objects.order_by("number").values_list("total", flat=True))
    smooth = [float(total) for total in totals]
    for _ in range(120):
        smooth = [(one + other) / 2 for one, other in zip(smooth, smooth[1:] + smooth[:1], strict=True)]
    return [(month, round(sum(smooth[month::12]))) for month in range(12)]
