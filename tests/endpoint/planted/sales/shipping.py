"""How long parcels take, as the carriers say."""

from shop_site.upstream import ask

CARRIERS = ("swift", "sure", "slow")


def days():
    """Return the days that each carrier needs."""
    found = {}
    for carrier in CARRIERS:
        found[carrier] = ask(f"/carriers/{carrier}")["units"] % 7  # fault: serial_upstream_shipping
    return found
