"""Tags for prices."""

from decimal import Decimal

from django import template
from sales.models import Preference

register = template.Library()


@register.simple_tag
def currency():
    """The shop's currency, as it is set."""
    return Preference.objects.get(name="currency").value  # fault: identical_tag_quotes


@register.simple_tag
def instalments():  # access: heavy_template_grid
    """What a thousand costs in 12 to 36 instalments: the cheapest way, worked out with care."""
    best = None
    for months in range(12, 37):
        debt, rate = Decimal(1000), Decimal(months) / 700
        for _ in range(months):
            debt = (debt * (1 + rate / 12)).quantize(Decimal("0.0001"))
        best = min(best or debt, debt)
    return best
