"""How much a remedy will gain, said before trying it: from one diagnosis of the task, by a stated model.

**What goes in.** A `Diagnosis` of the plain, sequential task splits its wall time into CPU time with the GIL held, *g*
(the parts ``python`` and ``gil``), CPU time without it, *n* (``native``, and what child processes computed), waiting
that others can do at the same time, *w* (``network``, ``sleep``, the rest of ``child``), waiting for the disk, *d*, and
what stays serial, *s* (``lock``, ``other``, where they are more than doubt). Waiting for a core (``runqueue``)
stretches g and n alike where the task was pushed off it, and is part of w where it had waited and came back, as the
counts of switches tell. The items tell their number *N*, and *D*, the share of the time that those take which differ
from all before them.
`workbench.comparison.forecast` measures the rest: how many cores the machine has to give just now, *C*; how many writes
the disk takes at once, *E*; in which share of the time somebody holds the GIL, for native code may hold it too, as that
of ``json`` does, which moves time from n to g; and, with functions that do nothing, what the remedy itself costs
(`Overhead`): *o* for all items, which includes sending them and their answers where they are sent, and *b* for getting
its workers to work, with a call for each.

**The model.** With *k* workers a remedy is as slow as its narrowest place (operational analysis: Lazowska and others,
*Quantitative System Performance*, 1984, chapter 5), or as its busiest worker. Nobody is at that place while the first
item comes to it and the last one leaves, which adds one item's time elsewhere, left out here. *p* is the busiest
worker's share of the time: ``ceil(N / k) / N`` where items take alike, and else what comes of the times that items took
when each goes, in turn, to whoever is free first (list scheduling: Graham, *Bounds on Multiprocessing Timing
Anomalies*, 1969):

================ ==============================================================================
threads          s + max(max(b, g k / N) + (g + o) (1 - k / N), (g + n) / min(C, k), d / min(E, k),
                 (g + n + w + d) p)
free threads     s + max(b, o) + max((g + n) / min(C, k), d / min(E, k), (g + n + w + d) p)
processes        the same
cluster          the same, with a worker for each core
asyncio          s + max(max(b, (g + n) k / N) + (g + n + o) (1 - k / N), (g + n + w + d) p)
queue            s + max(o + (g + n) / min(C, k), (g + n + w + d) p)
memo             (g + n + w + d + s) D + o
compiled         at most n + w + d + s less, for whatever machine code takes instead of g
================ ==============================================================================

A queue's own work, *o*, is done by the same cores: publishing, the broker, and the workers' part of it. It hides behind
waiting at best; at worst, the slow end, it is added to it.

**The interval.** The fast end is that bound. The slow end lets workers queue as if how long each stay takes were
exponentially distributed (mean value analysis of the same places, chapter 6), and lets threads in native code that are
more than the cores slow each other down (`CROWDING`): real tasks lie between. The prediction is a quarter of the way
from the fast to the slow end, and both ends are moved out by `DOUBT`, for what a diagnosis and a machine vary by.

**The probe.** Where a few workers were tried on a few items, `corrected` says how far the same model was off for these:
a lock, the seats of a server or the memory that all share show there, and the interval has no more than `DOUBT`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.errors import UsageError
from workbench.parts import asking_for
from workbench.remedy import Model
from workbench.results import Diagnosis

#: A smaller share of what stays serial is doubt, such as a moment in which no thread was seen to do anything: with many
#: workers it would outweigh all that is known.
SERIAL_AT_LEAST = 0.02
#: What diagnoses of the same task differ by, as a share of their time.
DOUBT = 0.22
#: How much slower native code may get whenever there are twice as many threads for the same cores: they evict each
#: other's caches and wait for the same page tables. Most of it is measured at hashing freshly allocated megabytes.
CROWDING = 0.3
#: joblib looks for answers this often, so a pool of processes may be done that much earlier than it is seen to be.
POLL_S = 0.01
#: How many times as fast machine code may be as the Python that it was.
QUICKEST = 1_000
#: Where between the fast and the slow end the prediction lies.
LIKELY = 0.25


@dataclass(frozen=True)
class Prediction:
    """A speed-up (baseline time ÷ remedy time) that is expected, and the interval that it is expected in.

    ``bound`` says that no more is known than ``high``, what can be gained at most.
    """

    speedup: float
    low: float
    high: float
    bound: bool = False


@dataclass(frozen=True)
class Overhead:
    """What a remedy itself costs, in seconds: for calls that do nothing, and for getting its workers to work.

    ``turns_s`` is the CPU time that the event loop takes in the baseline, where coroutines are awaited one by one.
    """

    calls_s: float = 0.0
    start_s: float = 0.0
    turns_s: float = 0.0


@dataclass(frozen=True)
class Demand:
    """What the whole task asks for, in seconds: the letters of the model."""

    gil_s: float
    native_s: float
    waiting_s: float
    disk_s: float
    serial_s: float
    items: int
    distinct: float
    item_times_s: Sequence[float] = ()

    @classmethod
    def of(
        cls,
        diagnosis: Diagnosis,
        *,
        items: int,
        distinct: float,
        share: float = 1.0,
        gil: float | None = None,
        item_times_s: Sequence[float] = (),
        own_s: float = 0.0,
    ) -> Demand:
        """Read it from a diagnosis of that share of the items, done sequentially, with ``own_s`` of its own work."""
        times = 1 / (diagnosis.runs * share)

        def seconds(*names: str, of: Mapping[str, float] = diagnosis.parts) -> float:
            return sum(of.get(name, 0.0) for name in names) * times

        gil_s, native_s, waiting_s, disk_s, serial_s, runqueue_s = (
            seconds(*asking_for(demand)) for demand in ("gil", "native", "waiting", "disk", "serial", "runqueue")
        )
        if serial_s < SERIAL_AT_LEAST * diagnosis.wall_s * times:
            waiting_s, serial_s = waiting_s + serial_s, 0.0
        cpu_s = gil_s + native_s
        pushed_off, let_go = (diagnosis.counters.get(f"{kind}_switches", 0.0) for kind in ("involuntary", "voluntary"))
        pushed_off_s = runqueue_s * (pushed_off / (pushed_off + let_go) if pushed_off + let_go else 1.0)
        stretch = 1 + pushed_off_s / cpu_s if cpu_s else 1.0
        # Children compute without this process's GIL, while it is told as running their code, or as waiting for them.
        children_s = seconds("children_s", of=diagnosis.counters)
        seen_s = min(children_s, max(0.0, cpu_s - seconds("user_s", "system_s", of=diagnosis.counters)), gil_s)
        unseen_s = min(children_s - seen_s, waiting_s)
        if gil is not None:
            held_s = min(max(0.0, gil * diagnosis.wall_s * times - gil_s), native_s)
            gil_s, native_s = gil_s + held_s, native_s - held_s
        return cls(
            gil_s=max(0.0, (gil_s - seen_s) * stretch - own_s * times),
            native_s=(native_s + seen_s) * stretch + unseen_s,
            waiting_s=waiting_s - unseen_s + runqueue_s - pushed_off_s,
            disk_s=disk_s,
            serial_s=serial_s,
            items=items,
            distinct=distinct,
            item_times_s=item_times_s,
        )

    @property
    def cpu_s(self) -> float:
        """CPU time, with the GIL and without."""
        return self.gil_s + self.native_s

    @property
    def total_s(self) -> float:
        """What the task takes sequentially."""
        return self.cpu_s + self.waiting_s + self.disk_s + self.serial_s


@dataclass(frozen=True)
class Machine:
    """What the machine does at once: so many cores' work, and so many writes to disk."""

    cores: float
    disks: float


NO_OVERHEAD = Overhead()


def predict(
    diagnosis: Diagnosis,
    model: Model,
    *,
    items: int,
    distinct: float = 1.0,
    workers: int = 1,
    cores: float = 1,
    disks: float = math.inf,
    gil: float | None = None,
    share: float = 1.0,
    item_times_s: Sequence[float] = (),
    overhead: Overhead = NO_OVERHEAD,
    own_s: float = 0.0,
    cpu: float = 1.0,
) -> Prediction:
    """Predict the speed-up of a remedy from a diagnosis of the plain, sequential task.

    Parameters
    ----------
    diagnosis
        Of the items, one after the other.
    model
        ``threads``, ``free threads``, ``asyncio``, ``processes``, ``cluster``, ``queue`` or ``memo``.
    items, distinct
        How many items there are, and the share of the task's time that those take which differ from all before them.
    workers, cores, disks
        How many workers the remedy has, how many cores there are for them, and how many writes the disk takes at once.
    gil
        The share of the time that the GIL is held; as the diagnosis says when None: in Python, and not in native code.
    share
        The share of the items that was diagnosed.
    item_times_s
        What each item takes, in their order; they count by their proportions. Alike when empty.
    overhead
        What the remedy itself costs.
    own_s
        Seconds of the diagnosis that went to calling the task, not to the task: Python.
    cpu
        The share of the diagnosis's CPU time that the same work takes when much is done at once: one that begins after
        a wait finds cold caches and a slow core.

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
    >>> predict(diagnosis, "memo", items=100, distinct=0.25).speedup
    4.0
    """
    if model not in MODELS:
        raise UsageError(f"there is no model {model!r}; there are {', '.join(MODELS)}")
    demand = Demand.of(
        diagnosis, items=items, distinct=distinct, share=share, gil=gil, item_times_s=item_times_s, own_s=own_s
    )
    if not demand.total_s > 0:
        raise UsageError("the diagnosis has no time in its parts: nothing can be predicted from it")
    warm = replace(demand, gil_s=cpu * demand.gil_s, native_s=cpu * demand.native_s)
    fast_s, slow_s = MODELS[model](warm, min(workers, items), Machine(cores, disks), overhead)
    likely_s = fast_s + LIKELY * (slow_s - fast_s)
    low, high = demand.total_s / slow_s / (1 + DOUBT), demand.total_s / fast_s * (1 + DOUBT)
    return Prediction(demand.total_s / likely_s, low, high, bound=model in BOUNDS)


def corrected(found: Prediction, off: float) -> Prediction:
    """Return a prediction by how far the same model was off for a few of the items, done by a few workers.

    Parameters
    ----------
    found
        What is predicted for all items.
    off
        The speed-up of these few as it was seen ÷ as the model has it.

    Examples
    --------
    >>> corrected(Prediction(2.0, 1.75, 2.5), 0.5)
    Prediction(speedup=1.0, low=0.875, high=1.22, bound=False)
    """
    speedup = found.speedup * off
    # What was seen leaves no room for what the model can't know: how the items share the machine.
    low, high = max(found.low * off, speedup / (1 + DOUBT)), min(found.high * off, speedup * (1 + DOUBT))
    return Prediction(speedup, low, high, bound=found.bound)


def _threads(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    gil_s = _with_start_s(demand.gil_s, demand, workers, overhead)
    crowd = 1 + CROWDING * math.log2(max(1.0, workers / machine.cores))
    bound_s, slow_s = _pool_s(demand, workers, machine, gil_s=gil_s, crowded_s=demand.native_s * crowd)
    return bound_s + demand.serial_s, slow_s + demand.serial_s


def _free_threads(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    crowd = 1 + CROWDING * math.log2(max(1.0, workers / machine.cores))
    bound_s, slow_s = _pool_s(demand, workers, machine, gil_s=0.0, crowded_s=demand.cpu_s * crowd)
    extra_s = demand.serial_s + max(overhead.calls_s, overhead.start_s)
    return bound_s + extra_s, slow_s + extra_s


def _asyncio(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    # One turn of the event loop serves all that wait; one after the other, each item takes a turn of its own.
    turns_s = min(overhead.turns_s * (1 - 1 / workers), demand.cpu_s)
    loop_s = _with_start_s(demand.cpu_s - turns_s, demand, workers, overhead)
    bound_s = max(_busiest_s(demand, loop_s, loop_s), _largest_part_s(demand, workers))
    slow_s = _queueing_s([loop_s], demand.waiting_s + demand.disk_s, workers)
    return bound_s + demand.serial_s, max(bound_s, slow_s) + demand.serial_s


def _processes(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    if workers == 1:  # this process, as in joblib
        return demand.total_s + overhead.calls_s, demand.total_s + overhead.calls_s
    bound_s, slow_s = _pool_s(demand, workers, machine, gil_s=0.0, crowded_s=demand.cpu_s)
    extra_s = demand.serial_s + max(overhead.calls_s, overhead.start_s)
    return bound_s + extra_s, slow_s + extra_s + POLL_S


def _cluster(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    return _processes(demand, min(math.ceil(machine.cores), demand.items), machine, overhead)


def _queue(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    computing_s = overhead.calls_s + demand.cpu_s / min(machine.cores, workers)
    bound_s = max(computing_s, _largest_part_s(demand, workers))
    queued_s, unqueued_s = _queued(demand.cpu_s, workers, machine.cores)
    slow_s = overhead.calls_s + _queueing_s([queued_s], demand.waiting_s + demand.disk_s + unqueued_s, workers)
    return bound_s + demand.serial_s, max(bound_s, slow_s) + demand.serial_s


def _compiled(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    return max(demand.total_s - demand.gil_s, demand.total_s / QUICKEST), demand.total_s


def _memo(demand: Demand, workers: int, machine: Machine, overhead: Overhead) -> tuple[float, float]:
    time_s = demand.total_s * demand.distinct + overhead.calls_s
    return time_s, time_s


MODELS: dict[Model, Callable[[Demand, int, Machine, Overhead], tuple[float, float]]] = {
    "threads": _threads,
    "free threads": _free_threads,
    "asyncio": _asyncio,
    "processes": _processes,
    "cluster": _cluster,
    "queue": _queue,
    "memo": _memo,
    "compiled": _compiled,
}
#: Models that say no more than what can be gained at most.
BOUNDS: frozenset[Model] = frozenset({"compiled"})


def _pool_s(demand: Demand, workers: int, machine: Machine, *, gil_s: float, crowded_s: float) -> tuple[float, float]:
    """Return the fast and the slow end of a pool whose workers share a GIL, the cores and the disk.

    ``crowded_s`` is the CPU time outside the GIL, as it gets when workers crowd the cores.
    """
    bound_s = max(
        _busiest_s(demand, gil_s, gil_s),
        _busiest_s(demand, demand.cpu_s, demand.cpu_s / min(machine.cores, workers)),
        _busiest_s(demand, demand.disk_s, demand.disk_s / min(machine.disks, workers)),
        _largest_part_s(demand, workers),
    )
    cores_s, computing_s = _queued(crowded_s, workers, machine.cores)
    # What a disk does at once changes from second to second: here it is halfway to one at a time.
    disk_s, writing_s = _queued(demand.disk_s, workers, (1 + machine.disks) / 2)
    slow_s = _queueing_s([gil_s, cores_s, disk_s], demand.waiting_s + computing_s + writing_s, workers)
    return bound_s, max(bound_s, slow_s)


def _queued(demand_s: float, workers: int, places: float) -> tuple[float, float]:
    """Return what workers queue for of the time that they spend at some places, such as the cores, and what not.

    No worker waits where there is a place for each. With more workers, C places are a queue that is C times as quick,
    and the rest of each visit is mere time (Seidmann's approximation).
    """
    return (0.0, demand_s) if workers <= places else (demand_s / places, demand_s * (1 - 1 / places))


def _with_start_s(python_s: float, demand: Demand, workers: int, overhead: Overhead) -> float:
    """Return how long this process computes for the items and for handing them out.

    Getting all workers to work was measured with a call for each: their first calls' Python is part of it, or it of
    them, and so is what it costs to hand these out.
    """
    first = workers / demand.items
    return max(overhead.start_s, python_s * first) + (python_s + overhead.calls_s) * (1 - first)


def _busiest_s(demand: Demand, there_s: float, busy_s: float) -> float:
    """Return how long one place takes that is busy for ``busy_s``: nobody is there before or after one item's rest."""
    return busy_s + max(0.0, demand.total_s - demand.serial_s - there_s) / demand.items


def _largest_part_s(demand: Demand, workers: int) -> float:
    """Return how long the busiest worker takes when each item goes, in turn, to whoever is free first."""
    if not any(demand.item_times_s):
        share = math.ceil(demand.items / workers) / demand.items
    else:
        busy_s = [0.0] * workers
        for item_s in demand.item_times_s:
            heapq.heapreplace(busy_s, busy_s[0] + item_s)
        share = max(busy_s) / math.fsum(demand.item_times_s)
    return (demand.total_s - demand.serial_s) * share


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
