"""What a hit of `memoize` costs beside one of `joblib.Memory`, and how long a large one stalls an event loop."""

from __future__ import annotations

import asyncio
import inspect
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import numpy as np
from joblib import Memory

from workbench import Table, memoize, records
from workbench.comparison.statistics import interval

ROUNDS = 101
LARGE_BYTES = 80_000_000


def page(url: str) -> dict[str, Any]:
    return {"url": url, "status": 200, "body": "x" * 200}


async def page_later(url: str) -> dict[str, Any]:
    return page(url)


def large(url: str) -> np.ndarray:
    return np.zeros(LARGE_BYTES, dtype=np.uint8)


async def large_later(url: str) -> np.ndarray:
    return large(url)


async def seconds_a_call(call: Callable[[str], Any], loops: int) -> float:
    later = inspect.isawaitable(first := call("http://localhost/"))
    if later:
        await first
    start_s = time.perf_counter()
    if later:
        for _ in range(loops):
            await call("http://localhost/")
    else:
        for _ in range(loops):
            call("http://localhost/")
    return (time.perf_counter() - start_s) / loops


async def hits(folder: str) -> list[tuple[Any, ...]]:
    memory = Memory(folder, verbose=0)
    # Without a warm tier every call goes to the disk, as the first call of a new process does.
    calls: dict[str, tuple[Callable[[str], Any], int]] = {
        "joblib.Memory": (memory.cache(page), 10),
        "joblib.Memory, async": (memory.cache(page_later), 10),
        "memoize, stored": (memoize(page, folder=folder, maxsize=0), 10),
        "memoize, stored, async": (memoize(page_later, folder=folder, maxsize=0), 10),
        "memoize, warm": (memoize(page, folder=folder), 500),
        "memoize, warm, async": (memoize(page_later, folder=folder), 500),
    }
    times_s: dict[str, list[float]] = {name: [] for name in calls}
    for call, _ in calls.values():
        await seconds_a_call(call, 2)
    order = list(calls)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            times_s[name].append(await seconds_a_call(*calls[name]))
    rows = []
    for name, values in times_s.items():
        base = times_s["joblib.Memory, async" if name.endswith("async") else "joblib.Memory"]
        ratio = interval(values, base, last=True)
        rows.append((name, 1e6 * median(values), ratio.speedup, ratio.low, ratio.high))
    return rows


async def stall_s(call: Callable[[str], Awaitable[Any]]) -> float:
    """Return the longest time that a task which wants to run every millisecond had to wait during one call."""
    longest_s, over = 0.0, False

    async def tick() -> None:
        nonlocal longest_s
        while not over:
            start_s = time.perf_counter()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.perf_counter() - start_s - 0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    await call("http://localhost/")
    over = True
    await ticking
    return longest_s


async def stalls(folder: str) -> list[tuple[Any, ...]]:
    calls = {
        "joblib.Memory, async": Memory(folder, verbose=0).cache(large_later),
        "memoize, stored, async": memoize(large_later, folder=folder, maxsize=0),
    }
    for call in calls.values():
        await call("http://localhost/")
    times_s: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(9):
        for name, call in calls.items():
            times_s[name].append(await stall_s(call))
    return [(name, LARGE_BYTES, 1e3 * median(values), 1e3 * max(values)) for name, values in times_s.items()]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        hit_rows, stall_rows = asyncio.run(hits(folder)), asyncio.run(stalls(folder))
    tables = {
        "benchmarks.memo-hits": Table(
            title="A hit of a small answer, and its time ÷ joblib's own",
            columns=("call", "median_us", "ratio", "ratio_low", "ratio_high"),
            rows=tuple(hit_rows),
        ),
        "benchmarks.memo-stalls": Table(
            title="How long a hit of a large answer stalls the event loop",
            columns=("call", "answer_bytes", "median_ms", "longest_ms"),
            rows=tuple(stall_rows),
        ),
    }
    for name, table in tables.items():
        print(table.table().to_string(index=False))
        print(records.save(table, name, replace=True))


if __name__ == "__main__":
    main()
