"""What a cache's hits take, and what callers see while its server fails."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, NamedTuple

from workbench.caches.cache import Cache
from workbench.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class CacheTiming:
    """The percentiles of one client's hit, while all clients ask; the hits of all together; and the median write."""

    hit_p50_us: float
    hit_p95_us: float
    hit_p99_us: float
    hits_per_s: float
    set_us: float


class Call(NamedTuple):
    """One call: when it began, in seconds since all did, how long it took, with what, and what came back."""

    start_s: float
    wall_s: float
    item: Any
    answer: Any


def time_cache(cache: Cache, *, value_bytes: int = 100, clients: int = 1, count: int = 1_000) -> CacheTiming:
    """Time hits on one value, from several threads at once.

    Parameters
    ----------
    cache
        Any; what it holds is left alone.
    value_bytes
        The size of the value.
    clients
        Threads that ask, each with a connection of its own where the cache has such.
    count
        Hits that are timed, of all clients together, and a tenth as many writes.

    Raises
    ------
    UsageError
        A number is too small, or the cache doesn't keep such a value.

    Examples
    --------
    >>> from workbench.caches import Memory
    >>> timing = time_cache(Cache(Memory()), value_bytes=1_000, clients=2)
    >>> 0 < timing.hit_p50_us <= timing.hit_p95_us <= timing.hit_p99_us
    True
    """
    if value_bytes < 0 or clients < 1 or count < 2 * clients:
        raise UsageError(
            f"a cache is timed with a value of 0 bytes or more, 1 client or more and 2 hits or more for each: got "
            f"{value_bytes} bytes, {clients} clients, {count} hits"
        )
    key, value = "workbench.caches.timing", b"x" * value_bytes
    barrier = threading.Barrier(clients)

    def ask() -> list[float]:
        found = cache.get(key)  # opens the connection
        barrier.wait()
        if found != value:
            raise UsageError(f"{cache.backend!r} doesn't keep {value_bytes} bytes: it fails, or its limit is lower")
        return [_seconds(lambda: cache.get(key)) for _ in range(count // clients)]

    set_s = [_seconds(lambda: cache.set(key, value, 600)) for _ in range(max(2, count // 10))]
    start_s = time.perf_counter()
    try:
        with ThreadPoolExecutor(clients) as pool:
            waits = [pool.submit(ask) for _ in range(clients)]
            hit_s = [second for wait in waits for second in wait.result()]
        together_s = time.perf_counter() - start_s
    finally:
        cache.delete(key)
    cuts_us = [1e6 * cut_s for cut_s in quantiles(hit_s, n=100, method="inclusive")]
    return CacheTiming(
        hit_p50_us=cuts_us[49],
        hit_p95_us=cuts_us[94],
        hit_p99_us=cuts_us[98],
        hits_per_s=len(hit_s) / together_s,
        set_us=1e6 * quantiles(set_s, n=2, method="inclusive")[0],
    )


def watch_calls(
    func: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    wall_s: float,
    events: Mapping[float, Callable[[], object]],
    clients: int = 4,
) -> list[Call]:
    """Call a function all the time while something happens, as when its server is killed and comes back.

    Parameters
    ----------
    func
        Safe to be called in several threads; an exception is raised in the end.
    items
        What to call it with, over and over; each client begins at another one.
    wall_s
        How long; longer if the events take longer.
    events
        After how many seconds to do what.
    clients
        Threads that call.

    Returns
    -------
    list of Call
        All calls, in the order in which they began.

    Examples
    --------
    >>> calls = watch_calls(abs, [-1, -2], wall_s=0.02, events={0.01: lambda: print("now")}, clients=2)
    now
    >>> {(call.item, call.answer) for call in calls} == {(-1, 1), (-2, 2)}
    True
    """
    over = threading.Event()
    begin_s = time.perf_counter()

    def call(client: int) -> list[Call]:
        calls = []
        first = client * len(items) // clients
        for item in itertools.cycle([*items[first:], *items[:first]]):
            start_s = time.perf_counter()
            answer = func(item)
            calls.append(Call(start_s - begin_s, time.perf_counter() - start_s, item, answer))
            if over.is_set():
                break
        return calls

    with ThreadPoolExecutor(clients) as pool:
        watched = [pool.submit(call, client) for client in range(clients)]
        try:
            for after_s, happens in sorted(events.items(), key=lambda event: event[0]):
                time.sleep(max(0.0, begin_s + after_s - time.perf_counter()))
                happens()
            time.sleep(max(0.0, begin_s + wall_s - time.perf_counter()))
        finally:
            over.set()
    return sorted((each for calls in watched for each in calls.result()), key=lambda each: each.start_s)


def _seconds(call: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    call()
    return time.perf_counter() - start_s
