"""Run several candidates in turn, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from workbench.comparison.statistics import Interval, interval

Name = TypeVar("Name")
Value = TypeVar("Value")


def in_turn(candidates: Mapping[Name, Callable[[], Value]], *, rounds: int, seed: int = 0) -> dict[Name, list[Value]]:
    """Return what each candidate returned in each round; every round runs all of them, in random order.

    For candidates that measure themselves: a part of what they do, or in an event loop. Each runs once before, which
    does not count.
    """
    order = random.Random(seed)
    values: dict[Name, list[Value]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate()
    for _ in range(rounds):
        for name in order.sample(list(candidates), len(candidates)):
            values[name].append(candidates[name]())
    return values


def times_s(candidates: Mapping[Name, Callable[[], object]], *, rounds: int, seed: int = 0) -> dict[Name, list[float]]:
    """Return the seconds of each candidate in each round."""
    return in_turn({name: _timed(candidate) for name, candidate in candidates.items()}, rounds=rounds, seed=seed)


def ratio(times: Mapping[Name, list[float]], name: Name, against: Name) -> float:
    """Return the median over the rounds of the time of one candidate ÷ that of another."""
    return statistics.median(a / b for a, b in zip(times[name], times[against], strict=True))


def ratio_interval(times: Mapping[Name, list[float]], name: Name, against: Name) -> Interval:
    """Return the time of one candidate ÷ that of another as `compare` would, with its 95 % interval."""
    return interval(times[name], times[against], last=True)


def _timed(candidate: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start_s = time.perf_counter()
        candidate()
        return time.perf_counter() - start_s

    return run
