"""How much a remedy will gain, said before trying it: from one diagnosis of the task, by a stated model.

**What goes in.** A `Diagnosis` of the plain, sequential task splits its wall time into CPU time with the GIL held, *g*
(the parts ``python`` and ``gil``), CPU time without it, *n* (``native``), waiting that others can do at the same time,
*w* (``network``, ``disk``, ``sleep``, ``child``), and what stays serial, *s* (``lock``, ``other``). Waiting for a core
(``runqueue``) stretches g and n alike. The items tell their number *N* and how many of them are distinct, *D*; the
machine its cores allowed, *C*. What the remedy itself costs, *o*, is measured by running it on these items with a
function that does nothing, which includes pickling the items where they are pickled.

**The model.** With *k* workers a remedy is as slow as its narrowest place (operational analysis: Lazowska and others,
*Quantitative System Performance*, 1984, chapter 5); one worker gets up to ``p = ceil(N / k) / N`` of the items:

========= ===============================================
threads   max(g + o, (g + n) / min(C, k), (g + n + w) p)
asyncio   max(g + n + o, (g + n + w) p)
processes max((g + n) / min(C, k), (g + n + w) p) + o
memo      (g + n + w) D / N + o
========= ===============================================

to each of which s is added.

**The interval.** The fast end is that bound. The slow end lets workers queue as if how long each stay takes were
exponentially distributed (mean value analysis of the same places, chapter 6): real tasks lie between. The prediction is
a quarter of the way from the fast to the slow end, and both ends are moved out by `DOUBT`, for what a diagnosis and a
machine vary by.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import UsageError
from workbench.results import Diagnosis

#: Which parts of a diagnosis make up the letters of the model.
GIL, WAITING, SERIAL = ("python", "gil"), ("network", "disk", "sleep", "child"), ("lock", "other")
#: What diagnoses of the same task differ by, as a share of their time.
DOUBT = 0.1
#: Where between the fast and the slow end the prediction lies.
LIKELY = 0.25


@dataclass(frozen=True)
class Prediction:
    """A speed-up (baseline time ÷ remedy time) that is expected, and the interval that it is expected in."""

    speedup: float
    low: float
    high: float


def do_nothing(item: Any) -> None:
    """Stand in for a function, to find out what a remedy itself costs."""


async def do_nothing_later(item: Any) -> None:
    """Stand in for a coroutine function."""


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
            return sum(diagnosis.parts.get(name, 0.0) for name in names)

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


def predict(
    diagnosis: Diagnosis,
    model: str,
    *,
    items: int,
    distinct: int | None = None,
    workers: int = 1,
    cores: int = 1,
    overhead_s: float = 0.0,
) -> Prediction:
    """Predict the speed-up of a remedy from a diagnosis of the plain, sequential task.

    Parameters
    ----------
    diagnosis
        Of all items, one after the other.
    model
        ``threads``, ``asyncio``, ``processes`` or ``memo``.
    items, distinct
        How many items there are, and how many of them differ; all when None.
    workers, cores
        How many workers the remedy has, and how many cores they may run on.
    overhead_s
        What the remedy takes for these items with a function that does nothing.

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
    fast_s, slow_s = MODELS[model](demand, min(workers, items), cores, overhead_s)
    likely_s = fast_s + LIKELY * (slow_s - fast_s)
    low, high = demand.total_s / slow_s / (1 + DOUBT), demand.total_s / fast_s * (1 + DOUBT)
    return Prediction(demand.total_s / likely_s, low, high)


def _threads(demand: Demand, workers: int, cores: int, overhead_s: float) -> tuple[float, float]:
    used = min(cores, workers)
    gil_s = demand.gil_s + overhead_s
    bound_s = max(gil_s, demand.cpu_s / used, _largest_part(demand, workers))
    # n visits of C cores are a queue C times as quick, plus the rest of the visit as mere time (Seidmann).
    slow_s = _queueing_s([gil_s, demand.native_s / used], demand.waiting_s + demand.native_s * (1 - 1 / used), workers)
    return bound_s + demand.serial_s, max(bound_s, slow_s) + demand.serial_s


def _asyncio(demand: Demand, workers: int, cores: int, overhead_s: float) -> tuple[float, float]:
    loop_s = demand.cpu_s + overhead_s
    bound_s = max(loop_s, _largest_part(demand, workers))
    slow_s = _queueing_s([loop_s], demand.waiting_s, workers)
    return bound_s + demand.serial_s, max(bound_s, slow_s) + demand.serial_s


def _processes(demand: Demand, workers: int, cores: int, overhead_s: float) -> tuple[float, float]:
    used = min(cores, workers)
    bound_s = max(demand.cpu_s / used, _largest_part(demand, workers))
    slow_s = _queueing_s([demand.cpu_s / used], demand.waiting_s + demand.cpu_s * (1 - 1 / used), workers)
    extra_s = demand.serial_s + overhead_s
    return bound_s + extra_s, max(bound_s, slow_s) + extra_s


def _memo(demand: Demand, workers: int, cores: int, overhead_s: float) -> tuple[float, float]:
    time_s = demand.total_s * demand.distinct / demand.items + overhead_s
    return time_s, time_s


MODELS: dict[str, Callable[[Demand, int, int, float], tuple[float, float]]] = {
    "threads": _threads,
    "asyncio": _asyncio,
    "processes": _processes,
    "memo": _memo,
}


def _largest_part(demand: Demand, workers: int) -> float:
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
        queues = [stay_s / cycle_s for stay_s in stays_s]
    return cycle_s
