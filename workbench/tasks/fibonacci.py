"""The Fibonacci numbers that fit into a machine word, for both ways of telling them."""

from __future__ import annotations

#: All unsigned integers of a machine word are below.
WORD = 2**64


def fibonacci_below(limit: int) -> list[int]:
    """Return the Fibonacci numbers below a limit, ascending, each once.

    Examples
    --------
    >>> fibonacci_below(20)
    [0, 1, 2, 3, 5, 8, 13]
    """
    found, after = [0], 1
    while after < limit:
        found.append(after)
        after = found[-1] + found[-2] if after > 1 else 2
    return [n for n in found if n < limit]
