"""A task that raises on some items: its exceptions are answers like others."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import line_of

Func = Callable[[Any], Any]
#: Items that are told of many.
SHOWN = 5


@dataclass(frozen=True)
class Raised:
    """An exception made an answer; equal to another by the exception's type and text."""

    kind: str
    text: str

    def __str__(self) -> str:
        """As an exception is shown in one line."""
        return line_of(self.kind, self.text)


def tolerant(func: Func) -> Func:
    """Return the same function, which answers `Raised` where that one raises.

    Examples
    --------
    >>> tolerant(lambda n: 1 / n)(0)
    Raised(kind='ZeroDivisionError', text='division by zero')
    """
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def answer_later(item: Any) -> Any:
            try:
                return await func(item)
            except (Exception, SystemExit) as error:
                return Raised(type(error).__name__, str(error))

        wrapped: Any = answer_later
    else:

        @functools.wraps(func)
        def answer(item: Any) -> Any:
            try:
                return func(item)
            except (Exception, SystemExit) as error:
                return Raised(type(error).__name__, str(error))

        wrapped = answer
    wrapped.made_tolerant_by = tolerant  # for remedies that run another function in its place
    made: Func = wrapped
    return made


def raised_by(answers: Sequence[Any], numbers: Sequence[int] | None = None) -> str:
    """Tell in a line which items raised, and what; nothing where none did. Numbers are the items', if they are some.

    Examples
    --------
    >>> raised_by([1, Raised("ValueError", "too small"), 3])
    '1 of 3 items raise, the same each time: item 1 (ValueError: too small)'
    """
    failed = {
        index: answer
        for index, answer in zip(numbers or range(len(answers)), answers, strict=True)
        if isinstance(answer, Raised)
    }
    if not failed:
        return ""
    shown = ", ".join(f"item {index} ({answer})" for index, answer in list(failed.items())[:SHOWN])
    more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    return f"{len(failed)} of {len(answers)} items raise, the same each time: {shown}{more}"
