"""How much a remedy will gain, said before trying it: from one diagnosis of the task, by a stated model.

**What goes in.** A `Diagnosis` of the plain, sequential task splits its wall time into CPU time with the GIL held, *g*
(the parts ``python`` and ``gil``), CPU time without it, *n* (``native``), waiting that others can do at the same time,
*w* (``network``, ``disk``, ``sleep``, ``child``), and what stays serial, *s* (``lock``, ``other``). Waiting for a core
(``runqueue``) stretches g and n alike. The items tell their number *N* and how many of them are distinct, *D*. How
many cores the machine has to give just now, *C*, is measured (`cores_to_give`), and so is what the remedy itself costs,
with functions that do nothing (`Overhead`): *o* for all items, which includes pickling them where they are pickled, and
*b* for getting its workers to work.

**The model.** With *k* workers a remedy is as slow as its narrowest place (operational analysis: Lazowska and others,
*Quantitative System Performance*, 1984, chapter 5); one worker gets up to ``p = ceil(N / k) / N`` of the items:

========= =============================================================
threads   s + b + max(g + o, (g + n) / min(C, k), (g + n + w) p)
asyncio   s + b + max(g + n + o, (g + n + w) p)
processes s + max(b, o) + max((g + n) / min(C, k), (g + n + w) p)
queue     s + max(o + (g + n) / min(C, k), (g + n + w) p)
memo      (g + n + w + s) D / N + o
========= =============================================================

A queue's own work, *o*, is done by the same cores: publishing, the broker, and the workers' part of it. It hides behind
waiting at best; at worst, the slow end, it is added to it.

**The interval.** The fast end is that bound. The slow end lets workers queue as if how long each stay takes were
exponentially distributed (mean value analysis of the same places, chapter 6): real tasks lie between. The prediction is
a quarter of the way from the fast to the slow end, and both ends are moved out by `DOUBT`, for what a diagnosis and a
machine vary by.
"""

from __future__ import annotations

import asyncio
import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from workbench.errors import UsageError
from workbench.results import Diagnosis

#: Which parts of a diagnosis make up the letters of the model.
GIL, WAITING, SERIAL = ("python", "gil"), ("network", "disk", "sleep", "child"), ("lock", "other")
#: What diagnoses of the same task differ by, as a share of their time.
DOUBT = 0.1
#: A nap is long enough for all workers to be at work at once.
NAP_S = 0.005
#: How much is hashed, and how often, to measure the cores: some milliseconds, a few times.
BURN_BYTES, BURNS = 8_000_000, 9
#: Where between the fast and the slow end the prediction lies.
LIKELY = 0.25


@dataclass(frozen=True)
class Prediction:
    """A speed-up (baseline time ÷ remedy time) that is expected, and the interval that it is expected in."""

    speedup: float
    low: float
    high: float


@dataclass(frozen=True)
class Overhead:
    """What a remedy itself costs, in seconds: for calls that do nothing, and for getting its workers to work."""

    calls_s: float = 0.0
    start_s: float = 0.0

    @classmethod
    def measure(cls, remedy: Callable[..., list[Any]], items: Sequence[Any], workers: int, *, later: bool) -> Overhead:
        """Measure it; ``later`` says whether the remedy is for coroutine functions."""
        nothing, nap = (do_nothing_later, nap_later) if later else (do_nothing, take_a_nap)

        def least_s(func: Callable[[Any], Any], some: Sequence[Any]) -> float:
            times_s = []
            for _ in range(3):
                start_s = time.perf_counter()
                remedy(func, some, workers=workers)
                times_s.append(time.perf_counter() - start_s)
            return min(times_s)

        # Pools start a worker when all others are busy: only items that take a while get them all to work.
        return cls(least_s(nothing, items), max(0.0, least_s(nap, items[:workers]) - NAP_S))


def do_nothing(item: Any) -> None:
    """Stand in for a function that takes no time."""


async def do_nothing_later(item: Any) -> None:
    """Stand in for a coroutine function that takes no time."""


def take_a_nap(item: Any) -> None:
    """Stand in for a function that waits for `NAP_S`."""
    time.sleep(NAP_S)


async def nap_later(item: Any) -> None:
    """Stand in for a coroutine function that waits for `NAP_S`."""
    await asyncio.sleep(NAP_S)


def cores_to_give(cores: int) -> float:
    """Measure how many cores' worth of work this machine does at once, right now, when asked for ``cores`` of them.

    Neighbours take their share, and two hyper-threads of a core are less than two cores.

    Examples
    --------
    >>> cores_to_give(1)
    1.0
    """
    if cores == 1:
        return 1.0
    import hashlib
    from concurrent.futures import ThreadPoolExecutor

    load = bytes(BURN_BYTES)

    def burn(_: int) -> None:
        hashlib.sha256(load)  # lets go of the GIL

    alone_s: list[float] = []
    together_s: list[float] = []
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(BURNS):
            for many, times_s in ((1, alone_s), (cores, together_s)):
                start_s = time.perf_counter()
                list(pool.map(burn, range(many)))
                times_s.append(time.perf_counter() - start_s)
    return min(max(cores * median(alone_s) / median(together_s), 1.0), float(cores))


def count_distinct(items: Sequence[Any]) -> int:
    """Return how many items differ; all of them where that can't be found out.

    Examples
    --------
    >>> count_distinct([1, 1.0, 1, True]), count_distinct([[1], [2], [1]]), count_distinct([print, lambda: 1])
    (3, 2, 2)
    """
    try:
        return len({(type(item), item) for item in items})
    except TypeError:  # not hashable
        pass
    try:
        return len({pickle.dumps(item) for item in items})
    except Exception:  # whatever an item's __reduce__ raises
        return len(items)


@dataclass(frozen=True)
class Demand:
    """What the whole task asks for, in seconds: the letters of the model."""

    gil_s: float
    native_s: float
    waiting_s: float
    serial_s: float
    items: int
    distinct: int

    @classmethod
    def of(cls, diagnosis: Diagnosis, *, items: int, distinct: int) -> Demand:
        """Read it from a diagnosis of the task done sequentially."""

        def seconds(*names: str) -> float:
            return sum(diagnosis.parts.get(name, 0.0) for name in names) / diagnosis.runs

        cpu_s = seconds(*GIL, "native")
        stretch = 1 + seconds("runqueue") / cpu_s if cpu_s else 1.0
        return cls(
            gil_s=seconds(*GIL) * stretch,
            native_s=seconds("native") * stretch,
            waiting_s=seconds(*WAITING),
            serial_s=seconds(*SERIAL),
            items=items,
            distinct=distinct,
        )

    @property
    def cpu_s(self) -> float:
        """CPU time, with the GIL and without."""
        return self.gil_s + self.native_s

    @property
    def total_s(self) -> float:
        """What the task takes sequentially."""
        return self.cpu_s + self.waiting_s + self.serial_s


NO_OVERHEAD = Overhead()


def predict(
    diagnosis: Diagnosis,
    model: str,
    *,
    items: int,
    distinct: int | None = None,
    workers: int = 1,
    cores: float = 1,
    overhead: Overhead = NO_OVERHEAD,
) -> Prediction:
    """Predict the speed-up of a remedy from a diagnosis of the plain, sequential task.

    Parameters
    ----------
    diagnosis
        Of all items, one after the other.
    model
        ``threads``, ``asyncio``, ``processes``, ``queue`` or ``memo``.
    items, distinct
        How many items there are, and how many of them differ; all when None.
    workers, cores
        How many workers the remedy has, and how many cores there are for them.
    overhead
        What the remedy itself costs.

    Raises
    ------
    UsageError
        An unknown model, or no time in the diagnosis.

    Examples
    --------
    >>> from workbench import Diagnosis
    >>> parts = {"python": 0.1, "sleep": 0.9}
    >>> diagnosis = Diagnosis(target="nap", verdict="IO-bound", bound_by="sleep", reasons=(), wall_s=1.0, cpu_s=0.1,
    ...     overhead=None, parts=parts, counters={})
    >>> found = predict(diagnosis, "threads", items=100, workers=4, cores=2)
    >>> round(found.speedup, 1), found.low < 4 <= found.high
    (4.0, True)
    >>> predict(diagnosis, "memo", items=100, distinct=25).speedup
    4.0
    """
    if model not in MODELS:
        raise UsageError(f"there is no model {model!r}; there are {', '.join(MODELS)}")
    demand = Demand.of(diagnosis, items=items, distinct=items if distinct is None else distinct)
    if not demand.total_s > 0:
        raise UsageError("the diagnosis has no time in its parts: nothing can be predicted from it")
    fast_s, slow_s = MODELS[model](demand, min(workers, items), cores, overhead)
    likely_s = fast_s + LIKELY * (slow_s - fast_s)
    low, high = demand.total_s / slow_s / (1 + DOUBT), demand.total_s / fast_s * (1 + DOUBT)
    return Prediction(demand.total_s / likely_s, low, high)


def _threads(demand: Demand, workers: int, cores: float, overhead: Overhead) -> tuple[float, float]:
    gil_s = demand.gil_s + overhead.calls_s
    bound_s = max(gil_s, demand.cpu_s / min(cores, workers), _largest_part_s(demand, workers))
    queued_s, unqueued_s = _at_the_cores(demand.native_s, workers, cores)
    slow_s = _queueing_s([gil_s, queued_s], demand.waiting_s + unqueued_s, workers)
    extra_s = demand.serial_s + overhead.start_s
    return bound_s + extra_s, max(bound_s, slow_s) + extra_s


def _asyncio(demand: Demand, workers: int, cores: float, overhead: Overhead) -> tuple[float, float]:
    loop_s = demand.cpu_s + overhead.calls_s
    bound_s = max(loop_s, _largest_part_s(demand, workers))
    slow_s = _queueing_s([loop_s], demand.waiting_s, workers)
    extra_s = demand.serial_s + overhead.start_s
    return bound_s + extra_s, max(bound_s, slow_s) + extra_s


def _processes(demand: Demand, workers: int, cores: float, overhead: Overhead) -> tuple[float, float]:
    bound_s = max(demand.cpu_s / min(cores, workers), _largest_part_s(demand, workers))
    queued_s, unqueued_s = _at_the_cores(demand.cpu_s, workers, cores)
    slow_s = _queueing_s([queued_s], demand.waiting_s + unqueued_s, workers)
    extra_s = demand.serial_s + max(overhead.calls_s, overhead.start_s)
    return bound_s + extra_s, max(bound_s, slow_s) + extra_s


def _queue(demand: Demand, workers: int, cores: float, overhead: Overhead) -> tuple[float, float]:
    computing_s = overhead.calls_s + demand.cpu_s / min(cores, workers)
    bound_s = max(computing_s, _largest_part_s(demand, workers))
    queued_s, unqueued_s = _at_the_cores(demand.cpu_s, workers, cores)
    slow_s = overhead.calls_s + _queueing_s([queued_s], demand.waiting_s + unqueued_s, workers)
    return bound_s + demand.serial_s, max(bound_s, slow_s) + demand.serial_s


def _memo(demand: Demand, workers: int, cores: float, overhead: Overhead) -> tuple[float, float]:
    time_s = demand.total_s * demand.distinct / demand.items + overhead.calls_s
    return time_s, time_s


MODELS: dict[str, Callable[[Demand, int, float, Overhead], tuple[float, float]]] = {
    "threads": _threads,
    "asyncio": _asyncio,
    "processes": _processes,
    "queue": _queue,
    "memo": _memo,
}


def _at_the_cores(cpu_s: float, workers: int, cores: float) -> tuple[float, float]:
    """Return what of the CPU time workers queue for and what not.

    No worker waits for a core where there is one for each. With more workers, C cores are a queue that is C times as
    quick, and the rest of each visit is mere time (Seidmann's approximation).
    """
    return (0.0, cpu_s) if workers <= cores else (cpu_s / cores, cpu_s * (1 - 1 / cores))


def _largest_part_s(demand: Demand, workers: int) -> float:
    return (demand.cpu_s + demand.waiting_s) * math.ceil(demand.items / workers) / demand.items


def _queueing_s(stations_s: list[float], delay_s: float, workers: int) -> float:
    """Return how long all items take when workers queue at these stations in turn (exact mean value analysis).

    Examples
    --------
    >>> _queueing_s([1.0], 0.0, 8), _queueing_s([0.0], 8.0, 8), round(_queueing_s([1.0], 1.0, 2), 2)
    (1.0, 1.0, 1.25)
    """
    queues = [0.0] * len(stations_s)
    cycle_s = 0.0
    for present in range(1, workers + 1):
        stays_s = [demand_s * (1 + queue) for demand_s, queue in zip(stations_s, queues, strict=True)]
        cycle_s = (sum(stays_s) + delay_s) / present
        if not cycle_s:
            return 0.0
        queues = [stay_s / cycle_s for stay_s in stays_s]
    return cycle_s
