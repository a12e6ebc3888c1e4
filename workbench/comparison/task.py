"""The task of a comparison: a function and its items, and what is known of each of them."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Sequence
from math import fsum
from statistics import fmean, pstdev
from typing import Any

from workbench.comparison.answers import Equal, difference
from workbench.comparison.conduct import Block, Conduct
from workbench.comparison.failures import Raised, tolerant
from workbench.remedy import Func

Clock = Callable[[], float]
#: Items take unlike times from this standard deviation on, as a share of the mean; one late item does not make it.
UNEVEN = 0.5
#: Items that take this long, on average, are told apart by their times: a clock costs them less than a thousandth.
LONG_S = 0.0005


class Task:
    """A function and its items.

    Parameters
    ----------
    func, items
        The task is ``[func(item) for item in items]``.
    equal
        See `workbench.comparison.answers.difference`.
    seed
        Of the order in which items are picked for blocks.
    """

    def __init__(self, func: Func, items: list[Any], equal: Equal | None, seed: int) -> None:
        self.func = func
        self.items = items
        self.conduct = Conduct(func, items)
        #: The baseline's first answers, by item, and the least seconds seen of it.
        self.answers: dict[int, Any] = {}
        self.times_s: dict[int, float] = {}
        self._equal = equal
        others = range(1, len(items))
        self._order = [0, *random.Random(seed).sample(others, len(others))]

    @property
    def everything(self) -> Block:
        """All items."""
        return range(len(self.items))

    def block(self, start: int, count: int) -> Block:
        """Return so many items of a random order that begins with the first, from a place in it on and round again.

        They stand in their own order.
        """
        size = len(self.items)
        if count >= size:
            return self.everything
        return sorted(self._order[(start + step) % size] for step in range(count))

    def fresh(self, block: Block) -> list[Any]:
        """Return the items of a block as nothing has changed them; themselves, where nothing changes them."""
        items = self.conduct.intact(self.items) if self.conduct.changes else self.items
        return list(items) if block == self.everything else [items[index] for index in block]

    def mend(self) -> None:
        """Take copies of the items as they were, since somebody has changed them who should not."""
        self.items = self.conduct.intact(self.items)

    @property
    def item_s(self) -> float:
        """Seconds that an item takes, on average."""
        return fmean(self.times_s.values())

    @property
    def whole_s(self) -> float:
        """Seconds that all items take, one after the other, by those that were seen."""
        return self.seconds(self.everything)

    def seconds(self, block: Block) -> float:
        """Return the seconds that these items take, one after the other."""
        usual_s = self.item_s
        if not self.known:
            return usual_s * len(block)
        return fsum(self.times_s.get(index, usual_s) for index in block)

    def share(self, block: Block) -> float:
        """Return the share of the whole task's time that these items take."""
        if len(block) == len(self.items) or not self.known:
            return len(block) / len(self.items)
        return self.seconds(block) / self.whole_s

    @property
    def known(self) -> bool:
        """Whether the items' own times tell them apart: shorter ones are taken for alike."""
        return bool(self.times_s) and self.item_s >= LONG_S

    @property
    def uneven(self) -> bool:
        """Whether items are known to take unlike times."""
        return self.known and pstdev(self.times_s.values()) > UNEVEN * self.item_s

    @property
    def item_times_s(self) -> list[float]:
        """Seconds of each item, in their order, where they are unlike; empty where they are alike."""
        usual_s = self.item_s
        return [self.times_s.get(index, usual_s) for index in self.everything] if self.uneven else []

    def learn(self, block: Block, answers: Sequence[Any], times_s: Sequence[float]) -> None:
        """Keep what the baseline answered, the first time, and the least that it took."""
        for index, answer in zip(block, answers, strict=True):
            self.answers.setdefault(index, answer)
        for index, item_s in zip(block, times_s, strict=False):
            self.times_s[index] = min(item_s, self.times_s.get(index, item_s))

    def difference(self, block: Block, answers: Any) -> str:
        """Return how answers differ from the baseline's, in a line, as far as it has done these items; else nothing."""
        if not isinstance(answers, list | tuple) or len(answers) != len(block):
            return difference([None] * len(block), answers, self._equal)
        known = [(index, answer) for index, answer in zip(block, answers, strict=True) if index in self.answers]
        expected = [self.answers[index] for index, _ in known]
        return difference(expected, [answer for _, answer in known], self._equal, [index for index, _ in known])

    def tolerate(self) -> None:
        """Let the items that raise answer so."""
        self.func = tolerant(self.func)

    @property
    def raises(self) -> bool:
        """Whether every item that was seen raises."""
        return bool(self.answers) and all(isinstance(answer, Raised) for answer in self.answers.values())


def awaiting(func: Callable[[Any], Awaitable[Any]]) -> Func:
    """Return a coroutine function that awaits what a plain function gives.

    Examples
    --------
    >>> import asyncio
    >>> asyncio.run(awaiting(lambda item: asyncio.sleep(0, item))(3))
    3
    """

    @functools.wraps(func)
    async def later(item: Any) -> Any:
        return await func(item)

    return later


def noting(func: Func, times_s: list[float], clock: Clock) -> Func:
    """Return a function that does the same and notes the seconds of each call.

    Examples
    --------
    >>> import time
    >>> times_s = []
    >>> noting(abs, times_s, time.perf_counter)(-3), len(times_s)
    (3, 1)
    """
    if inspect.iscoroutinefunction(func):

        async def note_later(item: Any) -> Any:
            start_s = clock()
            answer = await func(item)
            times_s.append(clock() - start_s)
            return answer

        return note_later

    def note(item: Any) -> Any:
        start_s = clock()
        answer = func(item)
        times_s.append(clock() - start_s)
        return answer

    return note
