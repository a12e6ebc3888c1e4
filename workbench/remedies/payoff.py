"""From which hit rate and which cost of a task on a cache pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from workbench.caches import Cache
from workbench.errors import UsageError
from workbench.remedies.memo import memoize


@dataclass(frozen=True, kw_only=True)
class CallCosts:
    """What a memoized call costs: a hit, and a miss on top of computing the answer.

    Examples
    --------
    >>> costs = CallCosts(hit_s=0.1, miss_s=0.3)
    >>> costs.speedup(task_s=1.0, hit_rate=0.0) < 1 < costs.speedup(task_s=1.0, hit_rate=0.5)
    True
    >>> costs.pays_from(task_s=1.0)
    0.25
    """

    hit_s: float
    miss_s: float

    def speedup(self, task_s: float, hit_rate: float) -> float:
        """Return how many times faster a task of ``task_s`` seconds gets at a hit rate from 0 to 1."""
        return task_s / (hit_rate * self.hit_s + (1 - hit_rate) * (task_s + self.miss_s))

    def pays_from(self, task_s: float) -> float | None:
        """Return the hit rate at which a task takes as long as without the cache; None: it is quicker than a hit."""
        gain_s = task_s - self.hit_s
        return self.miss_s / (self.miss_s + gain_s) if gain_s > 0 else None


def call_costs(cache: Cache, answer: Any = 0, *, count: int = 200) -> CallCosts:
    """Measure what `memoize` costs over a cache.

    Parameters
    ----------
    cache
        Any; what is remembered for it is forgotten in the end.
    answer
        What the task returns: larger answers take longer.
    count
        Misses and hits that are timed, hits on what was read before; their medians count.

    Raises
    ------
    UsageError
        ``count`` is below 1, or the cache doesn't keep such an answer.

    Examples
    --------
    >>> from workbench.caches import Memory
    >>> costs = call_costs(Cache(Memory()), count=20)
    >>> 0 < costs.hit_s < costs.miss_s
    True
    """
    if count < 1:
        raise UsageError(f"count must be 1 or more: got {count}")

    def same_answer(number: int) -> Any:
        return answer

    memoized = memoize(same_answer, cache=cache)
    memoized.clear()
    try:
        memoized(-1)  # opens the connection
        miss_s, _, hit_s = (_median_s(memoized, count) for _ in range(3))
        if memoized.info().stored_hits < 2 * count:
            raise UsageError(f"{cache.backend!r} doesn't keep this answer: it fails, or its limits are lower")
    finally:
        memoized.clear()
    return CallCosts(hit_s=hit_s, miss_s=miss_s)


def _median_s(func: Callable[[int], Any], count: int) -> float:
    times_s = []
    for number in range(count):
        start_s = time.perf_counter()
        func(number)
        times_s.append(time.perf_counter() - start_s)
    return median(times_s)
