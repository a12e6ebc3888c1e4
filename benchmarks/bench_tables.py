"""How often a table of six rivals that are all the same code claims a difference, and how often it finds a true one.

Rounds of seven equal sides are recorded, as the machine is and beside a busy process. A replay takes a stretch of them,
gives the sides their names by lot, and has `compare` run on a clock that goes by these times: the very code that plans,
stops and judges. In some, one rival takes a tenth longer. Live tables are compared as a person would.
"""

from __future__ import annotations

import argparse
import queue
import random
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

from bench_compare import ITEMS, task
from interleave import in_turn
from shared import busy

from workbench import Comparison, Table, compare, records
from workbench.remedies import twin

RIVALS = tuple("abcdef")
SIDES = ("sequential", *RIVALS)
SESSIONS, ROUNDS = 8, 160
#: So many rounds a replay has time for.
REPLAYED = 120
SLOWER, SLOWED = 1.1, "c"
LIVE_S = 6.0


def timed() -> float:
    start_s = time.perf_counter()
    for item in ITEMS:
        task(item)
    return time.perf_counter() - start_s


def record(seed: int) -> dict[str, list[float]]:
    return in_turn(dict.fromkeys(SIDES, timed), rounds=ROUNDS, seed=seed)


class Replay:
    """A clock that goes by recorded times, and the sides that make it go."""

    def __init__(self, times_s: dict[str, list[float]], slower: float, order: random.Random) -> None:
        self._now_s: queue.SimpleQueue[float] = queue.SimpleQueue()  # where nobody looks for effects of the task
        self._now_s.put(0.0)
        start = order.randrange(ROUNDS)
        names = order.sample(SIDES, len(SIDES))
        self._times_s = {
            side: cycle([time_s * (slower if side == SLOWED else 1.0) for time_s in found[start:] + found[:start]])
            for side, found in zip(names, times_s.values(), strict=True)
        }

    def __call__(self) -> float:
        now_s = self._now_s.get()
        self._now_s.put(now_s)
        return now_s

    def side(self, name: str) -> Callable[..., list[Any]]:
        def run(func: Any, items: list[Any], *, workers: int | None = None) -> list[Any]:
            self._now_s.put(self._now_s.get() + next(self._times_s[name]))
            return list(items)

        return run


def replayed(times_s: dict[str, list[float]], slower: float, seed: int) -> Comparison:
    clock = Replay(times_s, slower, random.Random(seed))
    plain = clock.side("sequential")
    round_s = sum(map(sum, times_s.values())) / ROUNDS
    return compare(
        lambda item: plain(None, [item])[0],
        ["x"],
        {name: clock.side(name) for name in RIVALS},
        budget_s=REPLAYED * round_s,
        diagnosis=False,
        progress=False,
        seed=seed,
        clock=clock,
    )


def live(seed: int) -> Comparison:
    sides = {name: twin(task) for name in RIVALS}
    return compare(task, ITEMS, sides, budget_s=LIVE_S, diagnosis=False, progress=False, seed=seed)


def claims(found: Comparison) -> list[str]:
    return [row.remedy for row in found.rows[1:] if row.verdict in ("faster", "slower", "wrong", "failed")]


def measure(machine: str, replays: int, tables: int) -> list[tuple[str, str, int, int, int, int]]:
    with busy(int(machine == "loaded")):
        sessions = [record(seed) for seed in range(SESSIONS)]
        lived = [live(seed) for seed in range(tables)]
    same = [replayed(sessions[seed % SESSIONS], 1.0, seed) for seed in range(replays)]
    slow = [replayed(sessions[seed % SESSIONS], SLOWER, seed) for seed in range(replays)]
    found = [{row.remedy: row.verdict for row in each.rows}[SLOWED] for each in slow]
    return [
        ("six equal rivals, replayed", machine, replays, sum(bool(claims(each)) for each in same), 0, 0),
        ("six equal rivals, live", machine, tables, sum(bool(claims(each)) for each in lived), 0, 0),
        (
            "one of them 10 % slower, replayed",
            machine,
            replays,
            sum(bool(set(claims(each)) - {SLOWED}) for each in slow),
            found.count("slower"),
            found.count("faster"),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=500)
    parser.add_argument("--live", type=int, default=60)
    options = parser.parse_args()
    rows = [row for machine in ("idle", "loaded") for row in measure(machine, options.replays, options.live)]
    columns = ("tables_of", "machine", "tables", "claim_falsely", "find_it", "find_the_opposite")
    table = Table(title="Tables of six rivals that claim a difference", columns=columns, rows=tuple(rows))
    print(table.table().to_string(index=False))
    print(records.save(table, "benchmarks.compare-tables", replace=True))


if __name__ == "__main__":
    main()
