"""Figures about the catalogue, worked out in Python."""

from collections import Counter
from itertools import combinations

from catalogue.models import Product


def common_pairs():
    """Return the pairs of tags that stand together on products most often."""
    tags = {}
    for product, tag in Product.tags.through.objects.order_by("pk").values_list("product_id", "tag_id"):
        tags.setdefault(product, []).append(tag)
    pairs = Counter()
    for one, other in combinations(sorted(tags), 2):
        if one % 2 == other % 2 == 0:
            pairs.update((a, b) for a in tags[one] for b in tags[other] if a < b)
    return sorted(pairs.most_common(), key=lambda pair: (-pair[1], pair[0]))[:20]
