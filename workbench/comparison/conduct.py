"""Watch the plain task do its items, and some of them once more.

A remedy may repeat, reorder, copy or leave out calls. Whether that is still the same task depends on more than answers.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import fsum
from statistics import fmean, pstdev
from typing import Any

from workbench.comparison.effects import (
    Effect,
    Seen,
    agreed,
    changed,
    changes,
    comparable,
    copied,
    notes,
    some,
    state_of,
    watched,
)
from workbench.comparison.leftovers import children_now, end_children, threads_now
from workbench.comparison.shared import Snapshot

#: Items that take this long, on average, are timed: the clock costs them less than a thousandth.
LONG_S = 0.0005
#: Items take unlike times from this standard deviation on, as a share of the mean; one late item does not make it.
UNEVEN = 0.5
#: Looking at shared state between items takes no longer, in a run.
MARKED_S = 0.008


class Conduct:
    """What was seen of a task besides its answers.

    Parameters
    ----------
    func, items
        The task; copies of its items are kept from the start, where they can be made.
    """

    def __init__(self, func: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._func = func
        self._intact = copied(items)
        self._spared = set(children_now())
        #: The first item that it changes, and all of them after its run.
        self.changes = ""
        self._after: Sequence[Any] = items
        #: How its answers differ when it is asked again.
        self.unsteady = ""
        #: What it does besides answering, whenever it runs: in the whole run.
        self.seen = Seen()
        self._items = len(items)
        self._noted_s: list[float] = []
        self._marks = _Marks(func)
        #: Seconds that each item takes, the least of those seen; empty where that is not known.
        self.item_times_s: list[float] = []
        self._left_threads: list[str] = []
        self._left_commands: set[str] = set()

    def timed(self, func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function that does the same, and so tells, for the run to come, how long each item takes.

        The run has to do the items in their order, one at a time, in this process.
        """
        self._noted_s, self._marks = [], _Marks(self._func)
        return _noting(func, self._noted_s, self._marks)

    def share(self, part: slice) -> float:
        """Return the share of the task's time that these items take; that of their number where that isn't known."""
        if not self.item_times_s:
            return len(range(self._items)[part]) / self._items
        return fsum(self.item_times_s[part]) / fsum(self.item_times_s)

    @property
    def uneven(self) -> bool:
        """Whether items are known to take unlike times."""
        return bool(self.item_times_s) and pstdev(self.item_times_s) > UNEVEN * fmean(self.item_times_s)

    @contextmanager
    def first_run(self, items: Sequence[Any]) -> Iterator[None]:
        """Watch the whole task, which gets these items."""
        self._start = state_of(self._func)
        with watched(self._func, at=lambda: len(self._noted_s)) as self.seen:
            yield
        self._first_marks = self._marks
        long = len(self._noted_s) == self._items and fsum(self._noted_s) >= LONG_S * self._items
        self.item_times_s = self._noted_s if long else []
        if self._intact is not None and (change := changed(self._intact, items)):
            self.changes, self._after = change, items

    @contextmanager
    def second_run(self) -> Iterator[None]:
        """Watch some of the task done again: what happens now wasn't for the first time only, as filling a cache is."""
        threads, children, before = threads_now(), set(children_now()), state_of(self._func)
        with watched(self._func, at=lambda: len(self._noted_s)) as again:
            yield
        if self.item_times_s:  # the first call of all may have paid for imports and connections
            self.item_times_s[: len(self._noted_s)] = map(min, self.item_times_s, self._noted_s)
        self.seen = self._agreed(before, again)
        self._left_threads = sorted(thread.name for thread in threads_now() - threads)
        self._left_commands = {command for pid, command in children_now().items() if pid not in children}

    def _agreed(self, before: Snapshot, again: Seen) -> Seen:
        """Return what happens each time; how far it does so alike is told where both runs had done the same items."""
        reached = len(self._noted_s)
        found = agreed(self.seen, again, reached=reached, whole=reached == self._items)
        if reached != self._items and (count := max(self._first_marks.at.keys() & self._marks.at.keys(), default=0)):
            first = replace(self.seen, shared=changes(self._start, self._first_marks.at[count]))
            part = agreed(first, replace(again, shared=changes(before, self._marks.at[count])))
            found.likeness |= {name: part.likeness.get(name, "name") for name in found.shared}
        return found

    def intact(self, items: list[Any]) -> list[Any]:
        """Return the items as they were before anything ran; these, where that isn't known."""
        return items if self._intact is None else copied(self._intact) or items

    @property
    def outward(self) -> tuple[Effect, ...]:
        """What it does to the world outside the process: such a task is not repeated unasked."""
        return self.seen.outward

    def state(self) -> Snapshot:
        """Return the variables that the task changes, as they are now."""
        return state_of(self._func) if self.seen.shared else Snapshot()

    def compared(self, before: Snapshot | None, items: Sequence[Any]) -> tuple[str, str]:
        """Say what a remedy's run did otherwise than the task does to items and variables, and what in another order.

        Parameters
        ----------
        before
            What `state` returned before the run.
        items
            Those that it got, after its run.
        """
        if self._intact is not None and (other := changed(self._after if self.changes else self._intact, items)):
            return f"leaves its items otherwise than the task does: {other}", ""
        if before is None or not self.seen.shared:
            return "", ""
        return comparable(self.seen, Seen(shared=changes(before, self.state())))

    def clean_up(self) -> None:
        """End the processes that a run of the task left behind."""
        if self._left_commands:
            end_children(self._left_commands, self._spared)

    @property
    def impure(self) -> str:
        """Why answers that are remembered can't stand in for calls; empty where nothing was seen."""
        if self.unsteady:
            return f"its answers change ({self.unsteady})"
        if self.changes:
            return f"it changes its items ({self.changes})"
        return self.seen.impure

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the table should know, a line each."""
        return (
            f"changes its items ({self.changes}), so every run gets copies" if self.changes else "",
            *notes(self.seen),
            f"leaves threads running, which can't be ended: {some(self._left_threads)}" if self._left_threads else "",
            f"left processes behind, which were ended: {some(sorted(self._left_commands))}"
            if self._left_commands
            else "",
        )


class _Marks:
    """What a task shares with others, as it was after 1, 2, 4, 8, … of its items: there two runs can be compared."""

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self._func = func
        self._left_s = MARKED_S
        self.at: dict[int, Snapshot] = {}

    def mark(self, count: int) -> None:
        """Look at shared state, where so many items are a power of two and looking took little so far."""
        if count & (count - 1) == 0 and self._left_s > 0:
            start_s = time.thread_time()
            self.at[count] = state_of(self._func)
            self._left_s -= time.thread_time() - start_s


def _noting(func: Callable[[Any], Any], times_s: list[float], marks: _Marks) -> Callable[[Any], Any]:
    """Return a function that does the same and notes the seconds of each call, and marks some."""
    if inspect.iscoroutinefunction(func):

        async def noting_later(item: Any) -> Any:
            start_s = time.perf_counter()
            answer = await func(item)
            times_s.append(time.perf_counter() - start_s)
            marks.mark(len(times_s))
            return answer

        return noting_later

    def noting(item: Any) -> Any:
        start_s = time.perf_counter()
        answer = func(item)
        times_s.append(time.perf_counter() - start_s)
        marks.mark(len(times_s))
        return answer

    return noting
