"""What happens when many callers in several processes want one answer that nobody has yet."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.caches import Backend, Cache
from workbench.errors import UsageError
from workbench.remedies.memo import memoize
from workbench.remedies.pools import processes as in_processes
from workbench.remedies.pools import threads

#: How long processes may take to start.
START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Stampede:
    """How often an answer was computed, how many callers got the right one, and how long the last one waited."""

    computed: int
    right: int
    slowest_s: float


def stampede(
    make: Callable[[], Backend],
    *,
    protected: bool = True,
    processes: int = 4,
    callers: int = 25,
    task_s: float = 0.3,
) -> Stampede:
    """Let callers in several processes ask for one missing answer at the same time.

    Parameters
    ----------
    make
        Makes the backend that they share; called in each process.
    protected
        By `memoize`; else each looks, computes what is missing and keeps it, as people write it by hand.
    processes, callers
        So many processes of so many threads each.
    task_s
        What computing the answer takes.

    Raises
    ------
    UsageError
        Fewer than 1 process or caller.

    Examples
    --------
    >>> from workbench.caches import SQLite
    >>> seen = stampede(lambda: SQLite(tmp / "answers.sqlite"), processes=2, callers=3, task_s=0.1)
    >>> seen.computed, seen.right
    (1, 6)
    """
    if processes < 1 or callers < 1:
        raise UsageError(f"a stampede has 1 process or more, and 1 caller or more in each: got {processes}, {callers}")
    with tempfile.TemporaryDirectory(prefix="workbench-stampede-") as folder:
        burst = functools.partial(
            _burst, make=make, protected=protected, here=folder, processes=processes, callers=callers, task_s=task_s
        )
        seen = in_processes(burst, range(processes), workers=processes)
    return Stampede(
        computed=sum(each.computed for each in seen),
        right=sum(each.right for each in seen),
        slowest_s=max(each.slowest_s for each in seen),
    )


def _burst(
    number: int, *, make: Callable[[], Backend], protected: bool, here: str, processes: int, callers: int, task_s: float
) -> Stampede:
    """Do one process's part, as soon as all the others are there."""
    computed = []

    def work(question: int) -> int:
        computed.append(os.getpid())
        time.sleep(task_s)
        return question * question

    with Cache(make(), prefix=f"{Path(here).name}:") as cache:
        ask = memoize(work, cache=cache, ttl_s=600) if protected else functools.partial(_by_hand, work, cache)

        def timed(question: int) -> tuple[bool, float]:
            start_s = time.perf_counter()
            right = ask(question) == question * question
            return right, time.perf_counter() - start_s

        _meet(Path(here), number, processes)
        seen = threads(timed, [7] * callers, workers=callers)
    return Stampede(
        computed=len(computed), right=sum(right for right, _ in seen), slowest_s=max(slow_s for _, slow_s in seen)
    )


def _by_hand(work: Callable[[int], int], cache: Cache, question: int) -> Any:
    found = cache.get(str(question))
    if found is None:
        found = work(question)
        cache.set(str(question), found, ttl_s=600)
    return found


def _meet(here: Path, number: int, processes: int) -> None:
    """Wait until all processes are here."""
    (here / str(number)).touch()
    end_s = time.monotonic() + START_S
    while len(os.listdir(here)) < processes:
        if time.monotonic() > end_s:
            raise RuntimeError(f"not all of {processes} processes started within {START_S:g} s")
        time.sleep(0.001)
