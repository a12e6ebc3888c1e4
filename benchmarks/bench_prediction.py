"""Predicted beside measured speed-up, and what following the recommendation costs, for tasks of many kinds.

The first tasks burn CPU in Python, burn it in native code that lets go of the GIL, and sleep, in known shares; others
are what people do. `compare` diagnoses each, predicts from that, then measures. Regret is the time of the recommended
remedy ÷ that of the best one that was measured, the baseline being one of them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from interleave import times_s
from own_tasks import count, query, sync

from workbench import Comparison, Site, Table, compare, records

WORK_S = 0.004
#: Shares of Python, native code and sleep; the number of items and how many of them are distinct.
SHARES = {
    "python": (1.0, 0.0, 0.0, 60, 60),
    "native": (0.0, 1.0, 0.0, 60, 60),
    "sleep": (0.0, 0.0, 1.0, 60, 60),
    "python and sleep": (0.5, 0.0, 0.5, 60, 60),
    "native and sleep": (0.0, 0.5, 0.5, 60, 60),
    "python and native": (0.5, 0.5, 0.0, 60, 60),
    "mostly sleep": (0.1, 0.0, 0.9, 60, 60),
    "mostly python": (0.8, 0.0, 0.2, 60, 60),
    "a third each": (0.34, 0.33, 0.33, 60, 60),
    "sleep, duplicates": (0.0, 0.0, 1.0, 60, 12),
    "python, duplicates": (1.0, 0.0, 0.0, 60, 6),
}
DOCUMENT = json.dumps([{"number": n, "text": str(n) * 5, "values": [1.5 * n] * 8} for n in range(700)])
NOISE = random.Random(0).randbytes(200_000)
NUMBERS = np.random.default_rng(0).random(200_000)


def work(number: int, *, rounds: int, native_bytes: int, sleep_s: float) -> int:
    total = number + count(rounds)
    if native_bytes:
        hashlib.sha256(bytes(native_bytes)).digest()
    if sleep_s:
        time.sleep(sleep_s)
    return total


def parse(n: int) -> int:
    return len(json.dumps(json.loads(DOCUMENT))) + n


def compress(n: int) -> int:
    return len(zlib.compress(NOISE[n:], 6))


def sort(n: int) -> float:
    return float(np.sort(NUMBERS + n)[n])


def start(n: int) -> int:
    return subprocess.run(["sleep", "0.005"], check=True).returncode + n


def fetch(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return len(answer.read())


async def wait(n: int) -> int:
    await asyncio.sleep(0.005)
    return n


def rate(run: Callable[[int], object], amount: int) -> float:
    """Return how much of something is done in a second."""
    return amount / min(times_s({"run": lambda: run(amount)}, rounds=5)["run"])


def tasks(site: Site) -> dict[str, tuple[Callable[[Any], Any], list[Any]]]:
    rounds_per_s = rate(lambda n: work(0, rounds=n, native_bytes=0, sleep_s=0), 50_000)
    bytes_per_s = rate(lambda n: hashlib.sha256(bytes(n)).digest(), 2_000_000)
    found: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {}
    for name, (python, native, sleep, size, distinct) in SHARES.items():
        func = partial(
            work,
            rounds=int(python * WORK_S * rounds_per_s),
            native_bytes=int(native * WORK_S * bytes_per_s),
            sleep_s=sleep * WORK_S,
        )
        found[name] = func, [number % distinct for number in range(size)]
    numbers = list(range(40))
    real = (parse, compress, sort, query, start, sync, wait)
    return found | {func.__name__: (func, numbers) for func in real} | {"fetch": (fetch, site.urls(40, latency_ms=10))}


def regret(found: Comparison) -> float:
    """Return the time of what is recommended ÷ the least that was measured with the same answers."""
    times_s = {row.remedy: row.median_s for row in found.rows if row.median_s and row.same_answer}
    return times_s[found.recommended or found.baseline] / min(times_s.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each task")
    budget_s = parser.parse_args().budget
    rows, regrets = [], []
    with Site() as site:
        for name, (func, items) in tasks(site).items():
            remedies = ["asyncio", "memo"] if func is wait else ["threads", "processes", "memo", "stored"]
            found = compare(func, items, remedies, budget_s=budget_s, progress=False)
            regrets.append((name, found.recommended, regret(found)))
            for row in found.rows[1:]:
                error = inside = None
                if row.predicted and row.speedup:
                    error = abs(row.predicted / row.speedup - 1)
                    inside = row.predicted_low <= row.speedup <= row.predicted_high
                measured = (row.workers, row.speedup, row.ci_low, row.ci_high)
                predicted = (row.predicted, row.predicted_low, row.predicted_high)
                rows.append((name, row.remedy, *measured, *predicted, error, inside, row.note))
    columns = ("task", "remedy", "workers", "speedup", "ci_low", "ci_high", "predicted")
    columns += ("predicted_low", "predicted_high", "error", "inside", "note")
    table = Table(title="Predicted and measured speed-up", columns=columns, rows=tuple(rows))
    followed = Table(
        title="Time of the recommended remedy ÷ that of the best",
        columns=("task", "recommended", "regret"),
        rows=tuple(regrets),
    )
    print(table.table().drop(columns="note").round(3).to_string(index=False))
    print(followed.table().round(3).to_string(index=False))
    errors = [row[-3] for row in rows if row[-3] is not None]
    insides = [row[-2] for row in rows if row[-2] is not None]
    print(f"median error {median(errors):.1%}, {sum(insides)} of {len(insides)} inside the predicted interval")
    print(f"regret: median {median(row[-1] for row in regrets):.3f}, worst {max(row[-1] for row in regrets):.3f}")
    print(records.save(table, "benchmarks.compare-predictions", replace=True))
    print(records.save(followed, "benchmarks.compare-regret", replace=True))


if __name__ == "__main__":
    main()
