"""Measure what predictions are made from: the task, by one diagnosis, the machine, and what remedies cost."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Any

from workbench.comparison.conduct import Block
from workbench.comparison.plan import AS_GOOD
from workbench.comparison.task import Task, noting
from workbench.diagnosis import Diagnosing
from workbench.prediction import POLL_S, Overhead, Prediction, corrected, predict
from workbench.proc import cores_allowed
from workbench.remedy import Remedy, Run
from workbench.results import Diagnosis

#: A nap is long enough for all workers to be at work at once.
NAP_S = 0.005
#: How much is hashed, and how often, to measure the cores: some milliseconds, a few times.
BURN_BYTES, BURNS = 8_000_000, 9
#: How often to look for the GIL, and how late says that it was held.
LOOK_EVERY_S, LATE_S = 0.001, 0.0003
#: How many small writes each thread makes durable, and how many threads at most, to measure the disk.
WRITES, WRITERS = 8, 8
#: Workers of a wave that is a probe, or half of those that are predicted where that is more: with so many a limit
#: inside the task shows, such as a lock or the memory, and that what is done often at once costs less than alone.
PROBED = 4
#: Models of which work may take less CPU time together than alone, how much less at best, and how finely that is found.
TOGETHER = ("threads", "free threads", "asyncio")
LEAST_CPU, HALVINGS = 0.2, 12
#: More processes than this are not counted on.
PROCESSES_A_CORE = 8
#: Turns of an event loop to measure one.
TURNS = 20
#: From this share of the time on a part is worth a measurement of its own.
MATTERS = 0.05
#: Seconds for which to look for the GIL at least, and answers to weigh.
LOOK_S, WEIGHED = 0.3, 5
#: Calls that do nothing, to measure what a remedy itself costs: as many as there are items, but no more than these.
MOST_CALLS = 2_000


@dataclass(frozen=True)
class Forecast:
    """All that the predictions for one task have in common.

    ``diagnosis`` is of that ``share`` of the task, done by the baseline; ``gil`` is None where native code doesn't
    matter, ``distinct`` the share of the task's time that its distinct items take, and ``own_s`` what of the diagnosis
    was not the items' but the looking's own.
    """

    task: Task
    diagnosis: Diagnosis
    share: float
    distinct: float
    cores: float
    gil: float | None
    answer_bytes: int
    own_s: float

    @classmethod
    def of(
        cls,
        run: Run,
        task: Task,
        block: Block,
        *,
        diagnosis: Diagnosis | None,
        called_s: float | None,
        may_repeat: bool,
        time_s: float,
    ) -> Forecast:
        """Measure them.

        Parameters
        ----------
        run, task
            The baseline and the task.
        block
            The items that were diagnosed, or are to be.
        diagnosis
            Of these, once each; made here where it is None.
        called_s
            How long the calls took that were diagnosed; all of that time where it is None.
        may_repeat
            Whether items may be done again to see more.
        time_s
            How long to diagnose, and to measure the machine, about.
        """
        again = block[: max(1, math.ceil(time_s / task.item_s))] if task.item_s else block
        if diagnosis is None:
            diagnosis, called_s = _diagnose(run, task, again, time_s)
            block = again
        native = diagnosis.parts.get("native", 0.0) > MATTERS * diagnosis.wall_s
        looks = native and may_repeat and time_s >= LOOK_S
        return cls(
            task=task,
            diagnosis=diagnosis,
            share=task.share(block),
            distinct=task.share(first_of_each(task.items)),
            cores=cores_to_give(cores_allowed()) if time_s >= LOOK_S else float(cores_allowed()),
            gil=gil_share(lambda: _keep_on(run, task, again)) if looks else None,
            answer_bytes=_bytes(list(task.answers.values())),
            own_s=0.0 if called_s is None else max(0.0, diagnosis.wall_s - called_s),
        )

    def at_best(self, remedy: Remedy, workers: int | None) -> Prediction:
        """Predict the speed-up of a remedy that itself costs nothing, with as many workers as there are items.

        Of processes there are fewer: each takes a while to start, and memory.
        """
        most = PROCESSES_A_CORE * cores_allowed() if remedy.traits.model == "processes" else len(self.task.items)
        workers = workers or (cores_allowed() if remedy.traits.per_core else min(most, len(self.task.items)))
        return self._predict(remedy, workers, Overhead())

    def enough_workers(self, remedy: Remedy, most: int) -> int:
        """Return the fewest workers, a power of two or the most, that are predicted to be about as good as the most."""
        numbers = [*(1 << power for power in range((most - 1).bit_length())), most]
        gains = [self._predict(remedy, workers, Overhead()).speedup for workers in numbers]
        return next(workers for workers, gain in zip(numbers, gains, strict=True) if gain >= AS_GOOD * max(gains))

    def predict(self, remedy: Remedy, workers: int | None, waves: Mapping[int, Wave]) -> Prediction:
        """Predict the speed-up of a remedy with so many workers; their number is the remedy's own where it is None.

        What waves of a few workers took, by their number, says how far the model is off for this task.
        """
        traits, task = remedy.traits, self.task
        workers = workers or (cores_allowed() if traits.per_core else 1)
        some = task.items[:MOST_CALLS]
        cost = measure_overhead(
            remedy.run, task.func, some, workers, answer_bytes=self.answer_bytes, by_name=traits.model == "queue"
        )
        scale = len(task.items) / len(some)
        overhead = Overhead(cost.calls_s * scale, cost.start_s, cost.turns_s * scale)
        found = self._predict(remedy, workers, overhead)
        telling = [number for number in waves if number <= min(max(PROBED, workers // 2), workers)]
        if traits.model == "processes":  # a short wave tells how often the pool looks for answers
            telling = [number for number in telling if waves[number].took_s >= 10 * POLL_S]
        probe = max(telling, default=None)
        if probe is None:
            return found
        off = self._seen_by_expected(remedy, probe, workers, overhead, waves[probe])
        same = 1.0
        if 1 in waves and probe > 1:  # both in the same pool: what calling from there changes is no matter of workers
            same = self._seen_by_expected(remedy, 1, workers, overhead, waves[1])
        if off <= same or traits.model not in TOGETHER or self._writes:
            return corrected(found, off / same)
        # It was faster than the model has it: then the work takes less CPU time when much is done at once.
        low, high = LEAST_CPU, 1.0
        for _ in range(HALVINGS):
            cpu = (low + high) / 2
            off = self._seen_by_expected(remedy, probe, workers, overhead, waves[probe], cpu)
            low, high = (low, cpu) if off > same else (cpu, high)
        return corrected(self._predict(remedy, workers, overhead, cpu=cpu), off / same)

    @property
    def _writes(self) -> bool:
        return self.diagnosis.parts.get("disk", 0.0) > MATTERS * self.diagnosis.wall_s

    def _seen_by_expected(
        self, remedy: Remedy, probe: int, workers: int, overhead: Overhead, wave: Wave, cpu: float = 1.0
    ) -> float:
        """Return by how much a wave of a few workers was faster than the model has it."""
        few = replace(overhead, start_s=overhead.start_s * probe / workers)
        expected = self._predict(remedy, probe, few, wave.block, cpu)
        return self.task.seconds(wave.block) / wave.took_s / expected.speedup

    def _predict(
        self, remedy: Remedy, workers: int, overhead: Overhead, block: Block | None = None, cpu: float = 1.0
    ) -> Prediction:
        task = self.task
        block = task.everything if block is None else block
        part = task.share(block)
        times_s = task.item_times_s
        return predict(
            self.diagnosis,
            remedy.traits.model,
            items=len(block),
            distinct=self.distinct,
            workers=workers,
            cores=self.cores,
            disks=disks_to_give(workers) if self._writes else workers,
            gil=self.gil,
            share=self.share / part,
            item_times_s=[times_s[index] for index in block] if times_s else (),
            overhead=replace(overhead, calls_s=overhead.calls_s * part, turns_s=overhead.turns_s * part),
            own_s=self.own_s,
            cpu=cpu,
        )


@dataclass(frozen=True)
class Wave:
    """Some items that a number of workers did, and the least seconds that they took for all of them."""

    block: Block
    took_s: float


def _diagnose(run: Run, task: Task, block: Block, time_s: float) -> tuple[Diagnosis, float]:
    """Diagnose some items, as nothing has changed them, again and again for so long; what the calls took goes along."""
    times_s: list[float] = []
    func = noting(task.func, times_s, time.perf_counter)
    with Diagnosing("items") as looking:
        end_s = time.perf_counter() + time_s
        while looking.runs == 0 or time.perf_counter() < end_s:
            looking.runs += 1
            run(func, task.fresh(block))
    return looking.result, math.fsum(times_s)


def _keep_on(run: Run, task: Task, block: Block) -> None:
    """Do items one by one, again and again, for about `LOOK_S`."""
    end_s = time.perf_counter() + LOOK_S
    while True:
        for item in task.fresh(block):
            run(task.func, [item])
            if time.perf_counter() > end_s:
                return


def _bytes(answers: Sequence[Any]) -> int:
    """Return how large an answer is when it is sent, about; 0 where it can't be."""
    some = answers[:: max(1, len(answers) // WEIGHED)]
    try:
        return round(mean(len(pickle.dumps(answer)) for answer in some))
    except Exception:  # whatever its __reduce__ raises
        return 0


def measure_overhead(
    run: Run,
    func: Callable[[Any], Any],
    items: Sequence[Any],
    workers: int,
    *,
    answer_bytes: int = 0,
    by_name: bool = False,
) -> Overhead:
    """Measure what a remedy itself costs for a function that goes along, or its name, and answers of that size."""
    later = inspect.iscoroutinefunction(func)
    nothing: Callable[[Any], Any] = Nothing(func, answer_bytes)
    if later or by_name:
        nothing = do_nothing_later if later else do_nothing
    nap = nap_later if later else take_a_nap

    def least_s(stand_in: Callable[[Any], Any], some: Sequence[Any]) -> float:
        times_s = []
        for _ in range(3):
            start_s = time.perf_counter()
            run(stand_in, some, workers=workers)
            times_s.append(time.perf_counter() - start_s)
        return min(times_s)

    # Pools start a worker when all others are busy: only items that take a while get them all to work.
    start_s = max(0.0, least_s(nap, items[:workers]) - NAP_S)
    return Overhead(least_s(nothing, items), start_s, _turn_s(run) * len(items) if later else 0.0)


def _turn_s(run: Run) -> float:
    """Return the CPU time of one turn of an event loop that waits for one coroutine."""
    start_s = time.process_time()
    run(nap_later, range(TURNS), workers=1)
    return (time.process_time() - start_s) / TURNS


@dataclass
class Nothing:
    """Stand in for a function that takes no time, but is as heavy to send as that one, and so are its answers."""

    func: Callable[[Any], Any]
    answer_bytes: int

    def __call__(self, item: Any) -> bytes:
        """Do nothing."""
        return bytes(self.answer_bytes)


def do_nothing(item: Any) -> None:
    """Stand in for a function that takes no time and is sent by its name."""


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

    with ThreadPoolExecutor(cores) as pool:
        alone_s, together_s = _alone_and_together_s(pool, burn, cores)
    return min(max(cores * alone_s / together_s, 1.0), float(cores))


def gil_share(run: Callable[[], object]) -> float:
    """Measure the share of the time that the GIL is held while something runs.

    A second thread wakes every millisecond and looks how late it gets the GIL. It may be late because the machine is
    busy, so it also looks while code runs that is known to let go of the GIL.

    Examples
    --------
    >>> import time
    >>> gil_share(lambda: time.sleep(0.05)) < 0.5
    True
    """
    import hashlib

    load = bytes(BURN_BYTES)
    without = _late_share(lambda: hashlib.sha256(load))
    found = _late_share(run)
    return max(0.0, found - without) / (1 - without) if without < 1 else found


def _late_share(run: Callable[[], object]) -> float:
    late_s: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            due_s = time.perf_counter() + LOOK_EVERY_S
            time.sleep(LOOK_EVERY_S)
            late_s.append(time.perf_counter() - due_s)

    looker = threading.Thread(target=look, name="workbench-gil", daemon=True)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(4 * LATE_S)  # soon enough for many looks, late enough to tell
    looker.start()
    try:
        run()
    finally:
        sys.setswitchinterval(interval_s)
        ended.set()
        looker.join()
    return sum(late > LATE_S for late in late_s) / len(late_s) if late_s else 0.0


def disks_to_give(workers: int) -> float:
    """Measure how many small durable writes the disk of the temporary folder takes at once, of so many workers."""
    if workers == 1:
        return 1.0
    from concurrent.futures import ThreadPoolExecutor

    writers = min(workers, WRITERS)

    def write(_: int) -> None:
        with tempfile.TemporaryFile() as file:
            for _ in range(WRITES):
                os.write(file.fileno(), b"x")
                os.fsync(file.fileno())

    with ThreadPoolExecutor(writers) as pool:
        alone_s, together_s = _alone_and_together_s(pool, write, writers)
    return min(max(writers * alone_s / together_s, 1.0), float(writers))


def _alone_and_together_s(pool: Executor, action: Callable[[int], None], many: int) -> tuple[float, float]:
    """Return the median seconds that something takes alone, and as many of it at once."""
    times_s: dict[int, list[float]] = {1: [], many: []}
    for _ in range(BURNS):
        for count, found_s in times_s.items():
            start_s = time.perf_counter()
            list(pool.map(action, range(count)))
            found_s.append(time.perf_counter() - start_s)
    return median(times_s[1]), median(times_s[many])


def first_of_each(items: Sequence[Any]) -> list[int]:
    """Return the numbers of the items that differ from all before them; of all where that can't be found out.

    Examples
    --------
    >>> first_of_each([1, 1.0, 1, True]), first_of_each([[1], [2], [1]]), first_of_each([print, lambda: 1])
    ([0, 1, 3], [0, 1], [0, 1])
    """
    try:
        keys: list[Any] = [(type(item), item) for item in items]
        hash(tuple(keys))
    except TypeError:  # not hashable
        try:
            keys = [pickle.dumps(item) for item in items]
        except Exception:  # whatever an item's __reduce__ raises
            return list(range(len(items)))
    first: dict[Any, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    return list(first.values())
