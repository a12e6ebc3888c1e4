"""Predicted beside measured speed-up, for tasks whose parts are known by how they were made.

Each task burns CPU in Python, burns it in native code that lets go of the GIL, and sleeps, in known shares. `compare`
diagnoses it, predicts from that, then measures.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from workbench import Table, compare, records
from workbench.remedies import memo, processes, threads

WORK_S = 0.004
REMEDIES = {"threads": threads, "processes": processes, "memo": memo}
#: Shares of Python, native code and sleep; the number of items and how many of them are distinct.
TASKS = {
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


def work(number: int, *, rounds: int, native_bytes: int, sleep_s: float) -> int:
    total = number
    for i in range(rounds):
        total += i * i % 7
    if native_bytes:
        hashlib.sha256(bytes(native_bytes)).digest()
    if sleep_s:
        time.sleep(sleep_s)
    return total


def rate(run: Callable[[int], object], amount: int) -> float:
    """Return how much of something is done in a second."""
    times_s = []
    for _ in range(5):
        start_s = time.perf_counter()
        run(amount)
        times_s.append(time.perf_counter() - start_s)
    return amount / min(times_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each task")
    budget_s = parser.parse_args().budget
    rounds_per_s = rate(lambda n: work(0, rounds=n, native_bytes=0, sleep_s=0), 50_000)
    bytes_per_s = rate(lambda n: hashlib.sha256(bytes(n)).digest(), 2_000_000)
    rows = []
    for name, (python, native, sleep, count, distinct) in TASKS.items():
        func = partial(
            work,
            rounds=int(python * WORK_S * rounds_per_s),
            native_bytes=int(native * WORK_S * bytes_per_s),
            sleep_s=sleep * WORK_S,
        )
        items = [number % distinct for number in range(count)]
        for row in compare(func, items, REMEDIES, budget_s=budget_s, progress=False).rows[1:]:
            inside = None
            error = None
            if row.predicted and row.speedup:
                error = abs(row.predicted / row.speedup - 1)
                inside = row.predicted_low <= row.speedup <= row.predicted_high
            measured = (row.workers, row.speedup, row.ci_low, row.ci_high)
            predicted = (row.predicted, row.predicted_low, row.predicted_high)
            rows.append((name, row.remedy, *measured, *predicted, error, inside, row.note))
    columns = ("task", "remedy", "workers", "speedup", "ci_low", "ci_high", "predicted")
    columns += ("predicted_low", "predicted_high", "error", "inside", "note")
    table = Table(title="Predicted and measured speed-up", columns=columns, rows=tuple(rows))
    print(table.table().round(3).to_string(index=False))
    errors = [row[-3] for row in rows if row[-3] is not None]
    insides = [row[-2] for row in rows if row[-2] is not None]
    print(f"median error {median(errors):.1%}, {sum(insides)} of {len(insides)} inside the predicted interval")
    print(records.save(table, "benchmarks.compare-predictions", replace=True))


if __name__ == "__main__":
    main()
