"""Do a block of a task in one way and say what it took: within a limit, and without stopping anybody by force.

No signal is used: an alarm raises wherever it finds the program, in the middle of an import too, which then stays
broken. Instead every item is handed out only while there is time, and a remedy whose workers are elsewhere is waited
for in a thread of its own, so that one that never returns is left behind, and named.
"""

from __future__ import annotations

import contextvars
import functools
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Unfinished
from contextlib import contextmanager
from typing import Any, TypeVar

from workbench.comparison.task import Clock
from workbench.remedy import Func, Model

_Answer = TypeVar("_Answer")
#: Remedies of these models hand items to workers: each can be refused, and be waited for from outside.
HAND_OUT: frozenset[Model] = frozenset({"threads", "free threads", "asyncio", "processes", "cluster"})
#: These work elsewhere, by the function's name, so that it can't be wrapped.
BY_NAME: frozenset[Model] = frozenset({"queue"})


class OutOfTimeError(Exception):
    """There was no time left for an item."""


class StillRunsError(OutOfTimeError):
    """What a remedy does has not ended in time: ``thread`` goes on with it."""

    def __init__(self, thread: threading.Thread, timeout_s: float) -> None:
        super().__init__(f"not done after {timeout_s:.3g} s: the thread {thread.name} still runs")
        self.thread = thread


def limited(func: Func, until_s: float, clock: Clock) -> Func:
    """Return a function that does the same and raises `OutOfTimeError` from a moment on, before it begins.

    Parameters
    ----------
    func
        Of one item.
    until_s
        By ``clock``, one that all processes of this machine share, as `time.perf_counter` is on Linux.

    Examples
    --------
    >>> import time
    >>> limited(abs, time.perf_counter() - 1, time.perf_counter)(-1)
    Traceback (most recent call last):
    workbench.comparison.sides.OutOfTimeError: no time was left for an item
    """
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def later(item: Any) -> Any:
            if clock() > until_s:
                raise OutOfTimeError("no time was left for an item")
            return await func(item)

        return later

    @functools.wraps(func)
    def now(item: Any) -> Any:
        if clock() > until_s:
            raise OutOfTimeError("no time was left for an item")
        return func(item)

    # functools.wraps leaves the way to the function open: who asks for its source or name gets that one's.
    return now


def apart(action: Callable[[], _Answer], name: str, timeout_s: float) -> _Answer:
    """Do something in a daemon thread and wait for it.

    Parameters
    ----------
    action
        What to do; what it raises is raised here.
    name
        Of the thread, for who finds it still running.
    timeout_s
        Seconds to wait.

    Raises
    ------
    StillRunsError
        It has not ended by then; its thread goes on.

    Examples
    --------
    >>> apart(lambda: 6 * 7, "example", 5)
    42
    """
    done: Future[_Answer] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(action))
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        return done.result(timeout_s)
    except Unfinished:
        if done.done():  # the action's own TimeoutError
            return done.result()
        raise StillRunsError(thread, timeout_s) from None


def end_processes() -> None:
    """End joblib's pool of processes, whatever its workers do; the next run starts another one."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = loky and loky._executor
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)


@contextmanager
def long_lived_objects_frozen() -> Iterator[None]:
    """Keep the collector off all objects that exist now, so that collecting before every run takes microseconds.

    With NumPy and pandas loaded a full collection takes some 50 ms, many times a small task's own time.
    """
    if gc.get_freeze_count():  # someone else froze: unfreezing would undo that too
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
