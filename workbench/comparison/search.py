"""How many workers pay? Tried by doubling, not assumed."""

from __future__ import annotations

import math
from collections.abc import Callable

#: The share of the time that twice as many workers must save to be worth trying twice as many again.
WORTH = 0.1
#: Items to try for each worker at least.
EACH = 2
#: How often in a row more workers may not pay: where items take unlike times, a long one can hide once that they do.
IN_VAIN, IN_VAIN_UNEVEN = 1, 2
#: Workers that are this near to the best time are as good, if they are fewer.
AS_GOOD = 0.05


def search_workers(
    seconds: Callable[[int, int], float],
    items: int,
    *,
    sample: int,
    share: Callable[[int], float] | None = None,
    uneven: bool = False,
    limit_s: float = math.inf,
) -> dict[int, float]:
    """Try 1, 2, 4, … workers until twice as many no longer pay.

    Parameters
    ----------
    seconds
        ``seconds(workers, count)`` runs ``count`` of the items with so many workers and returns how long it took.
    items
        How many items there are; more workers than that can't help.
    sample
        How many items to try for each worker, at least two: so all numbers take about as long where more workers pay,
        and what a remedy costs only once weighs alike.
    share
        ``share(count)`` says which share of the time of all items those take; that of their number when
        None.
    uneven
        Whether items take unlike times: then one try in vain is not the last.
    limit_s
        After so many seconds no more than two are tried.

    Returns
    -------
    dict
        Seconds for all items by the number of workers, in the order tried: the curve.

    Examples
    --------
    >>> search_workers(lambda workers, count: count / min(workers, 4), 100, sample=100)
    {1: 100.0, 2: 50.0, 4: 25.0, 8: 25.0}
    """
    curve: dict[int, float] = {}
    workers, patience_s, in_vain = 1, limit_s / 10, 0
    while True:
        count = min(items, max(sample, EACH) * workers)
        # The least of several: noise only ever adds. The first run may start a pool, whose workers come one after the
        # other; the runs after it take as long together as it did, or a tenth of the time there is.
        first_s = best_s = seconds(workers, count)
        rest_s = 0.0
        while rest_s < min(first_s, patience_s):
            again_s = seconds(workers, count)
            rest_s += again_s
            best_s = min(best_s, again_s)
        limit_s -= first_s + rest_s
        all_s = best_s / (share(count) if share else count / items)
        pays = not curve or all_s < (1 - WORTH) * min(curve.values())
        in_vain = 0 if pays else in_vain + 1
        curve[workers] = all_s
        # One worker alone tells nothing about more: two are always tried.
        if in_vain == (IN_VAIN_UNEVEN if uneven else IN_VAIN) or workers >= items or (limit_s < 0 and workers > 1):
            return curve
        workers = min(2 * workers, items)


def fewest_good(curve: dict[int, float]) -> int:
    """Return the fewest workers that are about as good as the best.

    Examples
    --------
    >>> fewest_good({1: 100.0, 2: 50.0, 4: 25.0, 8: 24.5})
    4
    """
    return min(workers for workers, time_s in curve.items() if time_s <= (1 + AS_GOOD) * min(curve.values()))


def sample_size(items: int, task_s: float, limit_s: float) -> int:
    """Return how many items take about ``limit_s`` seconds, when all take ``task_s``.

    Examples
    --------
    >>> sample_size(200, 10.0, 0.5), sample_size(200, 0.1, 0.5)
    (10, 200)
    """
    return items if task_s <= limit_s else math.ceil(items * limit_s / task_s)
