"""One item after the other: the baseline, and the way in which most other remedies run what they changed."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workbench.coroutines import run_coroutine
from workbench.remedy import Func, Run, Traits, remedy


@remedy(in_order=True)
def sequential(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` with one item after the other; await each answer if it is a coroutine function.

    Examples
    --------
    >>> sequential(abs, [-1, 2])
    [1, 2]
    """
    if inspect.iscoroutinefunction(func):
        return run_coroutine(_one_by_one(func, items))
    return [func(item) for item in items]


def twin(other: Func, by: Run = sequential) -> Run:
    """Make a remedy of another function for the same task.

    Parameters
    ----------
    other
        Takes an item and returns what the studied function returns.
    by
        The remedy that runs it.

    Examples
    --------
    >>> from workbench.remedies import threads
    >>> run = twin(abs, by=threads)
    >>> run(lambda number: number if number > 0 else -number, [-1, 2], workers=2)
    [1, 2]
    """

    @remedy(**{**asdict(Traits.of(by)), "effort": 3, "price": "a second function to maintain"})
    def run(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        # A task whose exceptions are made answers has a twin whose exceptions are answers too.
        made = getattr(func, "made_tolerant_by", None)
        return by(made(other) if made else other, items, workers=workers)

    return run


async def _one_by_one(func: Func, items: Sequence[Any]) -> list[Any]:
    return [await func(item) for item in items]
