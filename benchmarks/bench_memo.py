"""What a hit of `memoize` costs beside one of `joblib.Memory`, and how long a large one stalls an event loop."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from interleave import in_turn, ratio_interval
from joblib import Memory

from workbench import Table, memoize, records

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


def hits(folder: str, runner: asyncio.Runner) -> list[tuple[Any, ...]]:
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
    times_s = in_turn(
        {name: partial(_run, runner, seconds_a_call, *each) for name, each in calls.items()}, rounds=ROUNDS
    )
    rows = []
    for name, values in times_s.items():
        ratio = ratio_interval(times_s, name, "joblib.Memory, async" if name.endswith("async") else "joblib.Memory")
        rows.append((name, 1e6 * median(values), ratio.speedup, ratio.low, ratio.high))
    return rows


def _run(runner: asyncio.Runner, func: Callable[..., Any], *args: Any) -> float:
    return runner.run(func(*args))


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


def stalls(folder: str, runner: asyncio.Runner) -> list[tuple[Any, ...]]:
    calls = {
        "joblib.Memory, async": Memory(folder, verbose=0).cache(large_later),
        "memoize, stored, async": memoize(large_later, folder=folder, maxsize=0),
    }
    times_s = in_turn({name: partial(_run, runner, stall_s, call) for name, call in calls.items()}, rounds=9)
    return [(name, LARGE_BYTES, 1e3 * median(values), 1e3 * max(values)) for name, values in times_s.items()]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        hit_rows, stall_rows = hits(folder, runner), stalls(folder, runner)
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
