"""Predicted savings against the same programs with the fix made: pairs of a faulty program and a mended one.

``python benchmarks/bench_advice.py [NAME…]`` diagnoses each faulty program of ``tests/helpers/pairs.py`` as the command
does, times it and its mended twin in turn, in processes of their own, and compares what was predicted for the fault's
kind with what the fix saved. Controls must get no advice. The record holds a row for each pair.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import Any

from shared import pairs_labels

from workbench import Site, Table, records

ROUNDS = 3
#: Smaller savings are lost in what runs differ by.
WORTH = 0.1
_TIMED = """
import asyncio, inspect, sys, time
sys.path.insert(0, {folder!r})
import pairs
func = getattr(pairs, {name!r})
began_s = time.perf_counter()
answer = func()
if inspect.iscoroutine(answer):
    answer = asyncio.run(answer)
print(time.perf_counter() - began_s)
print(repr(answer))
"""


def timed(function: str, site: str) -> tuple[float, str]:
    """Return the seconds that a function takes in a process of its own, and its answer."""
    code = _TIMED.format(folder=str(pairs_labels.PAIRS.parent), name=function)
    env = os.environ | {"PAIRS_URL": site}
    ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    seconds, answer = ended.stdout.split("\n", 1)
    return float(seconds), answer


def row(fault: pairs_labels.Fault, site: str) -> tuple[Any, ...]:
    """Return what was predicted for a fault and what its fix saved, both as shares of the faulty program's time."""
    diagnosis = pairs_labels.diagnosed(f"{fault.name}_faulty", site)
    times: dict[str, list[float]] = {"faulty": [], "mended": []}
    answers = set()
    for _ in range(ROUNDS):
        for side in times:
            seconds, answer = timed(f"{fault.name}_{side}", site)
            times[side].append(seconds)
            answers.add(answer)
    faulty, mended = (statistics.median(times[side]) for side in ("faulty", "mended"))
    at = pairs_labels.rank(diagnosis, fault)
    kinds = [f"{one['kind']}:{one['line']}" for one in diagnosis["opportunities"]]
    saved = 1 - mended / faulty
    if not at:
        return (
            fault.name,
            fault.kind,
            diagnosis["bound_by"],
            0,
            saved,
            None,
            None,
            None,
            None,
            len(answers),
            " ".join(kinds),
        )
    one = diagnosis["opportunities"][at - 1]
    predicted, low, high = (one[name] / diagnosis["wall_s"] for name in ("saves_s", "saves_low", "saves_high"))
    error = abs(predicted - saved) / saved if saved >= WORTH else None
    return (
        fault.name, fault.kind, diagnosis["bound_by"], at, saved, predicted, low, high, error, len(answers),
        " ".join(kinds),
    )  # fmt: skip


COLUMNS = (
    "pair", "kind", "bound_by", "rank", "saved", "predicted", "low", "high", "error", "answers", "opportunities",
)  # fmt: skip


def main(*names: str) -> None:
    """Measure the pairs and controls with these names, or all, print them and record all."""
    rows: list[tuple[Any, ...]] = []
    with Site() as site:
        for fault in pairs_labels.FAULTS:
            if not names or fault.name in names:
                rows.append(row(fault, site.origin))
                print(*(f"{cell:.2f}" if isinstance(cell, float) else cell for cell in rows[-1]), flush=True)
        for name in pairs_labels.CONTROLS:
            if not names or name in names:
                found = pairs_labels.diagnosed(name, site.origin)
                kinds = [f"{one['kind']}:{one['line']}" for one in found["opportunities"]]
                rows.append((name, "", found["bound_by"], len(kinds), *[None] * 6, " ".join(kinds)))
                print(name, found["bound_by"], *kinds, flush=True)
    summary(rows)
    if not names:
        table = Table(title="predicted savings and what the fixes saved", columns=COLUMNS, rows=tuple(rows))
        records.save(table, "advice", replace=True)


def summary(rows: list[tuple[Any, ...]]) -> None:
    """Print how often the fix was led to, and how far predictions were off."""
    pairs = [dict(zip(COLUMNS, each, strict=True)) for each in rows if each[1]]
    silent = [each for each in rows if not each[1]]
    led = [each for each in pairs if 1 <= each["rank"] <= 2]
    judged = [each for each in pairs if each["error"] is not None]
    if pairs:
        print(f"led to the fix, first or second: {len(led)} of {len(pairs)}")
    if silent:
        print(f"controls without advice: {sum(not each[3] for each in silent)} of {len(silent)}")
    if judged:
        inside = sum(each["low"] <= each["saved"] <= each["high"] for each in judged)
        widths = [each["high"] / each["low"] for each in judged if each["low"]]
        print(f"error: median {statistics.median(each['error'] for each in judged):.1%} of {len(judged)}")
        print(f"inside the interval: {inside} of {len(judged)}; high ÷ low: median {statistics.median(widths):.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
