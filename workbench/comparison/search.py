"""How many workers pay? Tried by doubling, not assumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.errors import MissingExtraError, NotApplicableError, one_line

#: The share of the time that twice as many workers must save to be worth trying twice as many again.
WORTH = 0.1
#: How long each worker is kept busy at each number, at least, where items are short.
WAVE_S = 0.04
#: Items of unlike times for each worker at least, so that one long one doesn't make the wave.
EACH_UNEVEN = 4
#: How often in a row more workers may not pay: where items take unlike times, a long one can hide once that they do.
IN_VAIN, IN_VAIN_UNEVEN = 1, 2
#: Workers that are this near to the best time are as good, if they are fewer.
AS_GOOD = 0.1
#: A wave that took less is tried again, for noise only ever adds; the first may start a pool.
AGAIN_S = 0.25
#: A wave that took so many times longer than its items take alone may have paid for a start-up.
STARTED = 1.5


@dataclass
class Search:
    """What a search found: seconds for all items by the number of workers, and why it went no further."""

    curve: dict[int, float] = field(default_factory=dict)
    ended: str = ""

    def fewest_good(self) -> int:
        """Return the fewest workers that are about as good as the best.

        Examples
        --------
        >>> Search({1: 100.0, 2: 50.0, 4: 25.0, 8: 24.5}).fewest_good()
        4
        """
        best_s = min(self.curve.values())
        return min(workers for workers, time_s in self.curve.items() if time_s <= (1 + AS_GOOD) * best_s)


def search_workers(
    whole_s: Callable[[int, int], tuple[float, float]],
    items: int,
    *,
    item_s: float,
    left_s: Callable[[], float],
    uneven: bool = False,
    hoped: int = 2,
    start_s: float = 0.0,
) -> Search:
    """Try 1, 2, 4, … workers until twice as many no longer pay, raise, or there is no time.

    Parameters
    ----------
    whole_s
        ``whole_s(workers, count)`` runs ``count`` of the items with so many workers and returns how long it took, and
        how long all items would take so.
    items
        How many items there are; more workers than that can't help.
    item_s
        What an item takes alone, so that a wave of them is neither too short to be measured nor too long.
    left_s
        Tells how many seconds the search still has; the first number is always tried.
    uneven
        Whether items take unlike times: then one try in vain is not the last.
    hoped
        How many workers are predicted to be enough: tried first where items are too long for doubling.
    start_s
        How long new workers may take to start.

    Raises
    ------
    Exception
        What a run with the fewest workers raises: then nothing was found.

    Examples
    --------
    >>> def ideal(workers, count):
    ...     return count / min(workers, 4), 100 / min(workers, 4)
    >>> search_workers(ideal, 100, item_s=1.0, left_s=lambda: 60.0).curve
    {1: 100.0, 2: 50.0, 4: 25.0, 8: 25.0}
    """
    each = max(EACH_UNEVEN if uneven else 1, math.ceil(WAVE_S / item_s)) if item_s > 0 else items
    found, in_vain = Search(), 0
    wave_s = item_s * each
    workers = 1 if wave_s <= left_s() / 10 else min(hoped if wave_s > left_s() / 2 else 2, items)
    while True:
        try:
            count = min(items, each * workers)
            time_s = _least_s(whole_s, workers, count, hoped_s=wave_s, left_s=left_s(), start_s=start_s)
        except (NotApplicableError, MissingExtraError):
            raise
        except Exception as error:
            if not found.curve:
                raise
            found.ended = f"with {workers} workers: {one_line(error)}"
            return found
        pays = not found.curve or time_s < (1 - WORTH) * min(found.curve.values())
        in_vain = 0 if pays else in_vain + 1
        found.curve[workers] = time_s
        if workers >= items or in_vain == (IN_VAIN_UNEVEN if uneven else IN_VAIN):
            return found
        if left_s() <= 0 and workers > 1:
            found.ended = f"no time for more than {workers} workers"
            return found
        workers = min(2 * workers, items)


def _least_s(
    whole_s: Callable[[int, int], tuple[float, float]],
    workers: int,
    count: int,
    *,
    hoped_s: float,
    left_s: float,
    start_s: float,
) -> float:
    """Return how long all items take, by the best of some waves; of one, unless it is short or paid for a start."""
    took_s, best_s = quickest_s, _ = whole_s(workers, count)
    rest_s = 0.0 if STARTED * hoped_s < took_s < left_s else took_s
    # Workers that are still starting leave the wave to the others, which looks as if more of them did not pay.
    while rest_s < (AGAIN_S if quickest_s <= STARTED * hoped_s else min(max(AGAIN_S, start_s), left_s)):
        took_s, again_s = whole_s(workers, count)
        rest_s += max(took_s, AGAIN_S / 3)
        best_s, quickest_s = min(best_s, again_s), min(quickest_s, took_s)
    return best_s
