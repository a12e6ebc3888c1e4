"""Watch the plain task do some items, and some of them once more.

A remedy may repeat, reorder, copy or leave out calls. Whether that is still the same task depends on more than answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from workbench.comparison.effects import (
    Effect,
    Seen,
    agreed,
    changed,
    changes,
    comparable,
    copied,
    joined,
    notes,
    some,
    state_of,
    watched,
)
from workbench.comparison.leftovers import children_now, end_children, threads_now
from workbench.comparison.shared import Snapshot

#: Some of the items, by their numbers.
Block = Sequence[int]
#: Looking at shared state between items takes no longer.
MARKED_S = 0.008
#: Effects of these kinds may be repeated: what a started program does can't be known, and most do no harm.
REPEATED = frozenset({"program"})


class Conduct:
    """What was seen of a task besides its answers.

    Parameters
    ----------
    func, items
        The task; copies of its items are kept from the start, where they can be made.
    """

    def __init__(self, func: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._func = func
        self._items = items
        self._intact = copied(items)
        self._spared = set(children_now())
        #: The first item that it changes.
        self.changes = ""
        #: How its answers differ when it is asked again.
        self.unsteady = ""
        #: What it does besides answering.
        self.seen = Seen()
        #: What it does outside with every call, as far as was seen: not with the first alone, as making a cache.
        self.outward: tuple[Effect, ...] = ()
        self._start: Snapshot | None = None
        self._marks: dict[int, Snapshot] = {}
        self._marked_s = 0.0
        self._left_threads: list[str] = []
        self._left_commands: set[str] = set()

    @contextmanager
    def first_run(self, at: Callable[[], int]) -> Iterator[None]:
        """Watch some of the items done for the first time; ``at`` tells how many were done so far."""
        start = self._start = self._start or state_of(self._func)
        with watched(self._func, at=at) as seen:
            yield
        self.seen = joined(self.seen, seen, changes(start, state_of(self._func)))
        self.outward = tuple(effect for effect in seen.outward if effect.kind not in REPEATED)

    def done(self, block: Block, count: int) -> None:
        """Look at a block that was done just now for the first time, as the last of so many items."""
        if self._intact is not None and not self.changes:
            now = [self._items[index] for index in block]
            self.changes = changed([self._intact[index] for index in block], now, block)
        if self._marked_s < MARKED_S:
            start_s = time.thread_time()
            self._marks[count] = state_of(self._func)
            self._marked_s += time.thread_time() - start_s

    @contextmanager
    def second_run(self, count: int, *, whole: bool) -> Iterator[None]:
        """Watch the first so many items done again: what happens now wasn't for the first time only.

        ``whole`` says that they are all that were done.
        """
        threads, children = threads_now(), set(children_now())
        with watched(self._func) as again:
            yield
        found = agreed(self.seen, again, reached=count, whole=whole)
        if not whole and self._start is not None and count in self._marks:
            part = agreed(replace(self.seen, shared=changes(self._start, self._marks[count])), again)
            found.likeness |= {name: part.likeness.get(name, "name") for name in found.shared}
        self.seen = found
        self.outward = tuple(effect for effect in found.outward if effect.kind not in REPEATED)
        self._left_threads = sorted(thread.name for thread in threads_now() - threads)
        self._left_commands = {command for pid, command in children_now().items() if pid not in children}

    def intact(self, items: list[Any]) -> list[Any]:
        """Return the items as they were before anything ran; these, where that isn't known."""
        return items if self._intact is None else copied(self._intact) or items

    def state(self) -> Snapshot | None:
        """Return the variables that the task changes, as they are now; None where it changes none."""
        return state_of(self._func) if self.seen.shared else None

    def compared(self, before: Snapshot | None, items: Sequence[Any], block: Block) -> tuple[str, str]:
        """Say what a remedy's run did otherwise than the task does to items and variables, and what in another order.

        Parameters
        ----------
        before
            What `state` returned before the run.
        items, block
            Those that it got, after its run: all that were watched at first. And their numbers.
        """
        if self._intact is not None:
            after = self._items if self.changes else self._intact
            if other := changed([after[index] for index in block], items, block):
                return f"leaves its items otherwise than the task does: {other}", ""
        if before is None:
            return "", ""
        return comparable(self.seen, Seen(shared=changes(before, state_of(self._func))))

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
