"""What is added to a price."""

from sales.models import Preference


def with_tax(cents):
    """Return a price with its tax."""
    vat = Preference.objects.get(name="vat")  # fault: identical_vat
    return cents + cents * int(vat.value) // 100


def extras():
    """Return what is added to every order."""
    extras = Preference.objects.filter(name__startswith="extra")  # fault: identical_extras
    return sum(int(extra.value) for extra in extras)  # access: identical_extras
