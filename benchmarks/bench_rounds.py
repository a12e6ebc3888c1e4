"""How many rounds an interval of a given width takes: interleaved pairs, or all of one and then all of the other.

Benchmark runners such as pyperf and pytest-benchmark time one code to its end, then the next. `compare` times both in
every round, in random order. The same function is timed both ways, in turn, as it is and beside a busy process. For so
many rounds the table says how wide the 95 % interval of the ratio is (half of it, relative), by the signed ranks of the
pairs and by Welch's t of the two blocks, and how often it excludes 1: each of these is a false claim.
"""

from __future__ import annotations

import argparse
import math
from statistics import NormalDist, median

import numpy as np
from bench_compare import ITEMS, task
from interleave import times_s
from shared import busy

from workbench import Table, records
from workbench.comparison.statistics import interval

ROUNDS = (8, 16, 32, 64)


def run() -> None:
    for item in ITEMS:
        task(item)


def interleaved(rounds: int, seed: int) -> tuple[list[float], list[float]]:
    found = times_s({"first": run, "second": run}, rounds=rounds, seed=seed)
    return found["first"], found["second"]


def blocks(rounds: int, seed: int) -> tuple[list[float], list[float]]:
    return times_s({"first": run}, rounds=rounds)["first"], times_s({"second": run}, rounds=rounds)["second"]


def by_ranks(first_s: list[float], second_s: list[float]) -> tuple[float, float]:
    found = interval(first_s, second_s, last=True)
    return math.log(found.low), math.log(found.high)


def by_welch(first_s: list[float], second_s: list[float]) -> tuple[float, float]:
    first, second = np.log(first_s), np.log(second_s)
    error = math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    half = NormalDist().inv_cdf(0.975) * error
    difference = float(first.mean() - second.mean())
    return difference - half, difference + half


STYLES = {"interleaved pairs": (interleaved, by_ranks), "one after the other": (blocks, by_welch)}


def measure(loaded: bool, trials: int) -> list[tuple[str, str, int, float, float]]:
    found: dict[tuple[str, int], list[tuple[float, bool]]] = {}
    with busy(int(loaded)):
        for trial in range(trials):
            for style, (collect, bounds) in STYLES.items():
                first_s, second_s = collect(max(ROUNDS), trial)
                for rounds in ROUNDS:
                    # A shorter session of blocks has the start of each block.
                    low, high = bounds(first_s[:rounds], second_s[:rounds])
                    found.setdefault((style, rounds), []).append(((high - low) / 2, not low <= 0 <= high))
    machine = "busy process beside" if loaded else "as it is"
    return [
        (style, machine, rounds, median(half for half, _ in values), sum(claim for _, claim in values) / len(values))
        for (style, rounds), values in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    trials = parser.parse_args().trials
    rows = tuple(row for loaded in (False, True) for row in measure(loaded, trials))
    columns = ("style", "machine", "rounds", "half_width", "false_claims")
    spec = {"x": "rounds", "y": "half_width", "by": "style", "panel": "machine", "log": "xy"}
    table = Table(title="Rounds for the width of an interval", columns=columns, rows=rows, plot=spec)
    print(table.table().round(4).to_string(index=False))
    print(records.save(table, "benchmarks.compare-rounds", replace=True))


if __name__ == "__main__":
    main()
