"""What a person loses who follows `compare` at its defaults, against the best of the plain ways to do the same.

Each task of `own_tasks` is compared by the command, in a process of its own. Then the plain ways are timed in turn,
without the workbench: a loop, a dict of known answers, ThreadPoolExecutor, ProcessPoolExecutor with its start-up,
asyncio.gather. Regret is the time of the recommended way ÷ that of the best one.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import own_tasks

from workbench import Comparison, Site, Table, records
from workbench.proc import cores_allowed

#: What takes so many times as long as the best so far is not timed again.
HOPELESS = 2.0
ROUNDS = 5
Way = tuple[str, int]


def loop(func: Callable[[Any], Any], items: list[Any]) -> None:
    for item in items:
        func(item)


def remember(func: Callable[[Any], Any], items: list[Any]) -> None:
    known: dict[Any, Any] = {}
    for item in items:
        if item not in known:
            known[item] = func(item)


def pool(kind: type[Any], workers: int, func: Callable[[Any], Any], items: list[Any]) -> None:
    chunk = max(1, len(items) // (workers * 8)) if kind is ProcessPoolExecutor else 1
    with kind(workers) as executor:
        list(executor.map(func, items, chunksize=chunk))


async def gather(workers: int, func: Callable[[Any], Any], items: list[Any]) -> None:
    seats = asyncio.Semaphore(workers)

    async def one(item: Any) -> Any:
        async with seats:
            return await func(item)

    await asyncio.gather(*map(one, items))


async def await_each(func: Callable[[Any], Any], items: list[Any]) -> None:
    for item in items:
        await func(item)


def ways(func: Callable[[Any], Any], items: list[Any], also: Way) -> dict[Way, Callable[[], Any]]:
    """Return the plain ways to do a task; ``also`` is the recommended one, with its workers."""
    counts = [count for count in (2, 4, 8, 16, 32, 64, 128, 256) if count < 2 * len(items)]
    if inspect.iscoroutinefunction(func):
        wanted = {("sequential", 1), *(("asyncio", count) for count in counts), also}
        return {
            way: partial(lambda make: asyncio.run(make()), partial(await_each, func, items))
            if way[0] == "sequential"
            else partial(lambda make: asyncio.run(make()), partial(gather, way[1], func, items))
            for way in wanted
        }
    made: dict[Way, Callable[[], Any]] = {("sequential", 1): partial(loop, func, items)}
    if len(set(items)) < len(items) or also[0] == "memo":
        made["memo", 1] = partial(remember, func, items)
    kinds = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
    cores = cores_allowed()
    wanted = {("threads", count) for count in counts} | {("processes", cores), ("processes", 2 * cores), also}
    return made | {way: partial(pool, kinds[way[0]], way[1], func, items) for way in wanted if way[0] in kinds}


def truth_s(candidates: dict[Way, Callable[[], Any]], also: Way) -> dict[Way, float]:
    """Return the median seconds of each way; of one that is hopeless, its first."""
    times: dict[Way, list[float]] = {way: [] for way in candidates}
    plain_s = 0.0
    for _ in range(ROUNDS):
        for way in sorted(candidates, key=lambda each: (each[0] != "sequential", -each[1])):
            best_s = min((median(each) for each in times.values() if each), default=0.0)
            if times[way] and way != also and median(times[way]) > HOPELESS * best_s:
                continue
            if times[way] and plain_s > 10 and len(times[way]) >= 2:  # of long ones two rounds are enough
                continue
            start_s = time.perf_counter()
            candidates[way]()
            times[way].append(time.perf_counter() - start_s)
        plain_s = times["sequential", 1][0]
    return {way: median(each) for way, each in times.items()}


def compared(name: str, items: list[Any], folder: Path) -> tuple[Comparison, float]:
    """Run the command on a task, with its defaults; return what it found and the seconds it took."""
    given, out = folder / "items.json", folder / "found.json"
    given.write_text(json.dumps(items))
    target = f"{own_tasks.__file__}:{name}"
    start_s = time.perf_counter()
    command = [sys.executable, "-m", "workbench", "compare", target, "--items", str(given), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took_s = time.perf_counter() - start_s
    found = records.load(out)
    assert isinstance(found, Comparison)
    return found, took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="tasks (all)")
    names = parser.parse_args().names or list(own_tasks.TASKS)
    rows, predictions = [], []
    with Site() as site, tempfile.TemporaryDirectory() as folder:
        for name in names:
            func, items = own_tasks.TASKS[name]
            if isinstance(items, tuple):
                items = site.urls(items[1], latency_ms=items[2])
            found, took_s = compared(func.__name__, items, Path(folder))
            row = next((row for row in found.rows if row.remedy == found.recommended), None)
            advised = (row.remedy, row.workers or 1) if row else ("sequential", 1)
            times_s = truth_s(ways(func, items, advised), advised)
            best = min(times_s, key=times_s.__getitem__)
            regret = times_s[advised] / times_s[best] if advised in times_s else None
            missed = times_s["sequential", 1] / times_s[best]
            rows.append((name, times_s["sequential", 1], *advised, *best, missed, regret, took_s))
            print(*(f"{value:.3g}" if isinstance(value, float) else value for value in rows[-1]), sep="  ", flush=True)
            for each in found.rows[1:]:
                if each.predicted and each.speedup:
                    inside = each.predicted_low <= each.speedup <= each.predicted_high
                    width, error = each.predicted_high / each.predicted_low, abs(each.predicted / each.speedup - 1)
                    measured = (each.speedup, each.ci_low, each.ci_high)
                    shown = (each.predicted, each.predicted_low, each.predicted_high)
                    predictions.append((name, each.remedy, each.workers, *measured, *shown, width, error, inside))
    columns = (
        "task",
        "plain_s",
        "advised",
        "advised_workers",
        "best",
        "best_workers",
        "best_speedup",
        "regret",
        "took_s",
    )
    followed = Table(
        title="Following compare at its defaults, against the best plain way", columns=columns, rows=tuple(rows)
    )
    columns = (
        "task",
        "remedy",
        "workers",
        "speedup",
        "ci_low",
        "ci_high",
        "predicted",
        "predicted_low",
        "predicted_high",
    )
    columns += ("high_by_low", "error", "inside")
    told = Table(title="Predicted and measured, at the defaults", columns=columns, rows=tuple(predictions))
    print(followed.table().round(3).to_string(index=False))
    print(told.table().round(3).to_string(index=False))
    regrets = [row[7] for row in rows if row[7] is not None]
    kept = [row[0] for row in rows if row[2] == "sequential" and row[6] >= 1.3]
    print(f"regret: median {median(regrets):.3f}, worst {max(regrets):.3f}, of {len(regrets)} tasks")
    print(f"told to keep what a plain way makes 1.3 times as fast or more: {', '.join(kept) or 'none'}")
    inside = sum(row[-1] for row in predictions)
    width, error = (median(row[index] for row in predictions) for index in (-3, -2))
    print(
        f"predictions: {inside} of {len(predictions)} inside, median high ÷ low {width:.2f}, median error {error:.1%}"
    )
    if len(names) == len(own_tasks.TASKS):
        print(records.save(followed, "benchmarks.compare-defaults", replace=True))
        print(records.save(told, "benchmarks.compare-defaults-predictions", replace=True))


if __name__ == "__main__":
    main()
