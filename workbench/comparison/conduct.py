"""Watch the plain task do its items, and some of them once more.

A remedy may repeat, reorder, copy or leave out calls. Whether that is still the same task depends on more than answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.comparison.effects import changed, compared_effects, copied, effects, state_of, written_files
from workbench.comparison.leftovers import children_now, end_children, threads_now

Block = Sequence[int]
#: Names that are told of many.
SHOWN = 3


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
        self._before: dict[str, Any] | None = None
        self._spared = set(children_now())
        #: The first item that it changes.
        self.changes = ""
        #: How its answers differ when it is asked again.
        self.unsteady = ""
        #: What it does to variables outside whenever it runs: in the whole run.
        self.effects: dict[str, Any] = {}
        self.files: set[str] = set()
        #: What it does outside with every call, in words, as in "sends POST to …"; empty where nothing was seen.
        self.outward = ""
        self._left_threads: list[str] = []
        self._left_commands: set[str] = set()

    @contextmanager
    def first_run(self, block: Block) -> Iterator[None]:
        """Watch some of the items done for the first time: effects are those of all of them so far."""
        if self._before is None:
            self._before = state_of(self._func)
        yield
        self.effects = effects(self._before, state_of(self._func))
        if self._intact is not None:
            before = [self._intact[index] for index in block]
            self.changes = self.changes or changed(before, [self._items[index] for index in block], block)

    @contextmanager
    def second_run(self) -> Iterator[None]:
        """Watch some of the task done again: what happens now wasn't for the first time only, as filling a cache is."""
        before, threads, children = state_of(self._func), threads_now(), set(children_now())
        with written_files() as files:
            yield
        again = effects(before, state_of(self._func))
        self.effects = {name: effect for name, effect in self.effects.items() if name in again}
        self.files = files
        self._left_threads = sorted(thread.name for thread in threads_now() - threads)
        self._left_commands = {command for pid, command in children_now().items() if pid not in children}

    def intact(self, items: list[Any]) -> list[Any]:
        """Return the items as they were before anything ran; these, where that isn't known."""
        return items if self._intact is None else copied(self._intact) or items

    def state(self) -> dict[str, Any]:
        """Return the variables that the task changes, as they are now."""
        return state_of(self._func) if self.effects else {}

    def compared(self, before: dict[str, Any], items: Sequence[Any], block: Block) -> tuple[str, str]:
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
        return compared_effects(self.effects, effects(before, self.state()))

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
        if self.effects:
            return f"it changes {_some(map(repr, self.effects))}"
        return f"it writes {_some(sorted(self.files))}" if self.files else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the table should know, a line each."""
        return (
            f"changes its items ({self.changes}), so every run gets copies" if self.changes else "",
            f"changes {_some(map(repr, self.effects))} outside" if self.effects else "",
            f"writes {_some(sorted(self.files))}" if self.files else "",
            f"leaves threads running, which can't be ended: {_some(self._left_threads)}" if self._left_threads else "",
            f"left processes behind, which were ended: {_some(sorted(self._left_commands))}"
            if self._left_commands
            else "",
        )


def _some(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
