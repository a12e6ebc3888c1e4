"""The feed that price comparisons read."""

from catalogue.models import Product


def items(count):
    """Return the first products for the feed."""
    products = Product.objects.order_by("pk")[:count]  # fault: n1_m2m_feed
    return [item(product) for product in products]


def item(product):
    tags = sorted(tag.name for tag in product.tags.all())  # access: n1_m2m_feed
    return {"name": product.name, "price": product.price, "tags": tags}
