"""One item after the other: the baseline, and the way in which most other remedies run what they changed."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any, TypeVar

from workbench.remedy import Func, Run, Traits, remedy

_Answer = TypeVar("_Answer")


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


def run_coroutine(coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine to its end from plain code, in an event loop of its own.

    The loop runs in a thread of its own where one runs here already, as in a notebook. An interrupt cancels the
    coroutine and waits until it has ended.

    Examples
    --------
    >>> async def answer():
    ...     return 42
    >>> run_coroutine(answer())
    42
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()
    ended: Future[_Answer] = Future()

    async def main() -> _Answer:
        task = asyncio.ensure_future(coroutine)
        started.set_result((asyncio.get_running_loop(), task))
        return await task

    def run() -> None:
        try:
            ended.set_result(asyncio.run(main()))
        except BaseException as error:
            ended.set_exception(error)

    thread = threading.Thread(target=run, name="workbench-loop", daemon=True)
    thread.start()
    try:
        return ended.result()
    except BaseException:
        if not ended.done():  # not the coroutine's own exception but an interrupt, meant for both
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()


async def _one_by_one(func: Func, items: Sequence[Any]) -> list[Any]:
    return [await func(item) for item in items]
