"""Tags for the pages of the staff."""

from collections import Counter

from django import template
from sales.models import OrderLine

register = template.Library()


@register.inclusion_tag("people/digest.html")
def digest():  # access: uncached_fragment_news
    """What sold with what, the same for everybody."""
    sold = {}
    for order, product in OrderLine.objects.order_by("pk").values_list("order_id", "product_id"):
        sold.setdefault(order, []).append(product % 50)
    near = Counter()
    for products in sold.values():
        near.update((one, other) for one in products for other in range(50) if abs(one - other) < 3)
    return {"pairs": sorted(near.items(), key=lambda pair: (-pair[1], pair[0]))[:10]}
