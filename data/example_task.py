"""An example of a task to study: it asks for each order, and then computes. Bring your own instead."""

import time
from math import isqrt


def check_order(order):
    """Return a checksum of an order."""
    time.sleep(0.01)  # stands for asking a service
    return sum(isqrt(order * n) for n in range(30_000))


if __name__ == "__main__":
    print(sum(check_order(order) for order in range(50)))
