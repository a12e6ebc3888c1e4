"""What a queue itself costs: how long a task takes to be put in, and to come back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from workbench.errors import UsageError
from workbench.queues.contract import Func, Queue


@dataclass(frozen=True, kw_only=True)
class QueueTiming:
    """The median time to submit a task; percentiles from submitting to the answer, one at a time; and all at once."""

    enqueue_us: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    tasks_per_s: float


def time_queue(queue: Queue, func: Func, items: Iterable[Any]) -> QueueTiming:
    """Do ``func`` of every item in a queue, one after the other, then all at once.

    Parameters
    ----------
    queue
        Started.
    func
        One that does nothing shows what the queue costs.
    items
        Two or more; a 99th percentile wants some hundreds.

    Raises
    ------
    UsageError
        Fewer than two items.

    Examples
    --------
    >>> from workbench.queues import ProcessQueue
    >>> with ProcessQueue(1) as queue:
    ...     timing = time_queue(queue, abs, range(20))
    >>> 0 < timing.p50_ms <= timing.p95_ms <= timing.p99_ms
    True
    """
    wanted = list(items)
    if len(wanted) < 2:
        raise UsageError(f"a queue is timed with two items or more: got {len(wanted)}")
    queue.map(func, wanted[: queue.workers])  # workers import the function
    enqueue_s, whole_s = [], []
    for item in wanted:
        start_s = time.perf_counter()
        handle = queue.submit(func, item)
        enqueue_s.append(time.perf_counter() - start_s)
        queue.result(handle)
        whole_s.append(time.perf_counter() - start_s)
    start_s = time.perf_counter()
    queue.map(func, wanted)
    together_s = time.perf_counter() - start_s
    cuts_ms = [1e3 * cut_s for cut_s in quantiles(whole_s, n=100, method="inclusive")]
    return QueueTiming(
        enqueue_us=1e6 * median(enqueue_s),
        p50_ms=cuts_ms[49],
        p95_ms=cuts_ms[94],
        p99_ms=cuts_ms[98],
        tasks_per_s=len(wanted) / together_s,
    )
