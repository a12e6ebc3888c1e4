"""How often `compare` claims a difference that isn't there, and how often it finds one that is.

The task is some milliseconds of pure Python. It is compared with itself, with a copy of its source, and with one that
does 10 % more, on the machine as it is and beside a process that keeps a core busy; and 20 ms of it with 5 % more.
Early stopping is on, as users have it. The copy is not quite the same code: it lies elsewhere in memory and the
interpreter specialises it for itself, so that it can be a percent or so faster or slower for the life of a process;
claims about it are no errors.
"""

from __future__ import annotations

import argparse
import math
import time
from statistics import median
from types import FunctionType

from own_tasks import count as task
from shared import busy

from workbench import Table, compare, records
from workbench.remedies import twin

ITEMS = [3_000] * 20
BUDGET_S = 5.0
#: Some 20 ms, and the time in which 5 % more must be found.
LONG_ITEMS, LONG_BUDGET_S = [3_000] * 140, 30.0


copy = FunctionType(task.__code__, globals(), "copy")


def slower(n: int) -> int:
    answer = task(n)
    task(n // 10)
    return answer


def a_little_slower(n: int) -> int:
    answer = task(n)
    task(n // 20)
    return answer


#: The rival, its items, the time for each comparison, and which share of the trials it gets.
RIVALS = {
    "the same function": (task, ITEMS, BUDGET_S, 1.0),
    "a copy of it": (copy, ITEMS, BUDGET_S, 0.1),
    "10 % more work": (slower, ITEMS, BUDGET_S, 0.1),
    "5 % more of 20 ms": (a_little_slower, LONG_ITEMS, LONG_BUDGET_S, 0.06),
}


def measure(rival: str, loaded: bool, trials: int) -> tuple[str, str, int, int, int, int, float, float, float, float]:
    func, items, budget_s, share = RIVALS[rival]
    run, trials = twin(func), math.ceil(trials * share)
    verdicts, speedups, rounds, medians_s, spent_s = [], [], [], [], []
    with busy(int(loaded)):
        for seed in range(trials):
            start_s = time.perf_counter()
            found = compare(task, items, {"rival": run}, budget_s=budget_s, seed=seed, diagnosis=False, progress=False)
            spent_s.append(time.perf_counter() - start_s)
            verdicts.append(found.rows[1].verdict)
            speedups.append(found.rows[1].speedup or 0.0)
            rounds.append(found.rounds)
            medians_s.append(found.rows[0].median_s or 0.0)
    claims = [verdicts.count(verdict) for verdict in ("no significant difference", "faster", "slower")]
    load = "busy process beside" if loaded else "as it is"
    return rival, load, trials, *claims, median(speedups), median(rounds), median(medians_s), median(spent_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--machine", choices=("idle", "loaded"), help="one of the two alone")
    options = parser.parse_args()
    verdicts = ("no_difference", "faster", "slower")
    medians = ("speedup", "rounds", "task_s", "comparison_s")
    columns = ("rival", "machine", "trials", *verdicts, *(f"median_{name}" for name in medians))
    for machine in [options.machine] if options.machine else ("idle", "loaded"):
        rows = tuple(measure(rival, machine == "loaded", options.trials) for rival in RIVALS)
        table = Table(title=f"Verdicts of compare, with early stopping, {machine}", columns=columns, rows=rows)
        print(table.table().to_string(index=False))
        print(records.save(table, f"benchmarks.compare-error-rates-{machine}", replace=True))


if __name__ == "__main__":
    main()
