"""Time several callables in turn, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping


def times_s(candidates: Mapping[str, Callable[[], object]], *, rounds: int, seed: int = 0) -> dict[str, list[float]]:
    """Return the seconds of each candidate in each round; every round runs all of them, in random order."""
    order = random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate()
    for _ in range(rounds):
        for name in order.sample(list(candidates), len(candidates)):
            start = time.perf_counter()
            candidates[name]()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Mapping[str, list[float]], name: str, against: str) -> float:
    """Return the median over the rounds of the time of one candidate ÷ that of another."""
    return statistics.median(a / b for a, b in zip(times[name], times[against], strict=True))
