"""Whether `compare` keeps to its budget, and leaves all packages whole where the budget cuts it short.

Each run is a process of its own that compares a task of `own_tasks` in the library. A run of 1 to 30 s may take 3 %
more than its budget (10 % beside busy processes), or its longest item and 0.3 s, whatever is more. After budgets of 0.2
to 2 s the packages that remedies import have to import and to work.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from statistics import median

from own_tasks import TASKS
from shared import busy

from workbench import Table, records

#: Tasks of all kinds that need no server, with items of 10 µs to 1 s.
NAMES = (
    "40 waits of 20 ms",
    "12 waits of 1 s",
    "waits of 5 to 100 ms",
    "waits under one lock",
    "coroutines, 40 × 50 ms",
    "5,000 × 10 µs of Python",
    "20 × 50 ms of Python",
    "8 × 1 s of Python",
    "Python and waiting",
    "SHA-256",
    "numpy sort",
    "40 programs of 50 ms",
)
assert TASKS.keys() >= set(NAMES)
ALLOWED, ALLOWED_BUSY, ALLOWED_S = 0.03, 0.1, 0.3
RUN = """
import json, sys, time
import own_tasks
from workbench import compare
name, budget_s = sys.argv[1], float(sys.argv[2])
func, items = own_tasks.TASKS[name]
start_s = time.perf_counter()
try:
    compare(func, items, budget_s=budget_s, progress=False)
except Exception as error:
    print(repr(error), file=sys.stderr)
print(json.dumps(time.perf_counter() - start_s))
"""
WHOLE = """
import numpy, numba, yaml, distributed, celery, pandas, joblib
assert numba.njit(lambda n: n + 1)(1) == 2 and yaml.safe_load("a: 1") == {"a": 1}
assert pandas.Series(numpy.arange(3)).sum() == 3 and joblib.Parallel(2)(joblib.delayed(abs)(n) for n in [-1]) == [1]
assert distributed.Client and celery.Celery("whole").conf.task_default_queue == "celery"
"""


def run(name: str, budget_s: float, *then: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "\n".join((RUN, *then)), name, str(budget_s)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def longest_s(name: str) -> float:
    """Return about how long an item takes by what its name says."""
    return 1.0 if "1 s" in name else 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--whole", type=int, default=50, help="runs of small budgets")
    parser.add_argument("--busy", type=int, default=0, help="busy processes beside")
    options = parser.parse_args()
    chosen = random.Random(0)
    rows = []
    with busy(options.busy):
        for number in range(options.runs):
            name, budget_s = NAMES[number % len(NAMES)], round(30 ** chosen.random(), 2)
            took_s = json.loads(run(name, budget_s).stdout)
            share = ALLOWED_BUSY if options.busy else ALLOWED
            allowed_s = max(share * budget_s, longest_s(name) + ALLOWED_S)
            rows.append((name, options.busy, budget_s, took_s, took_s - budget_s, took_s - budget_s <= allowed_s))
            print(*(f"{value:.3g}" if isinstance(value, float) else value for value in rows[-1]), sep="  ", flush=True)
        broken = []
        for number in range(options.whole):
            name, budget_s = NAMES[number % len(NAMES)], 0.2 * 10 ** chosen.random()
            done = run(name, budget_s, WHOLE)
            if done.returncode:
                broken.append(f"{name}, {budget_s:.2g} s: {done.stderr.strip().splitlines()[-1]}")
    kept = sum(row[-1] for row in rows)
    if rows:
        print(f"budgets kept: {kept} of {len(rows)}; median overrun {median(row[4] for row in rows):.2f} s")
        print(f"longest overrun {max(row[4] for row in rows):.2f} s")
        columns = ("task", "busy", "budget_s", "took_s", "overrun_s", "kept")
        table = Table(title="What compare takes beyond its budget", columns=columns, rows=tuple(rows))
        if options.runs >= 60:
            print(records.save(table, f"benchmarks.compare-budgets-{'busy' if options.busy else 'idle'}", replace=True))
    print(f"packages whole after {options.whole - len(broken)} of {options.whole} small budgets", *broken, sep="\n")


if __name__ == "__main__":
    main()
