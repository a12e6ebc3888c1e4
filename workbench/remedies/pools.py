"""Many items at a time: threads for tasks that wait, processes for tasks that compute, asyncio for coroutines."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import pickle
import platform
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from workbench.coroutines import run_coroutine
from workbench.errors import NotApplicableError, one_line
from workbench.names import shown_name
from workbench.remedy import Func, remedy

#: Coroutines that wait at the same time unless told otherwise.
COROUTINES = 100
#: Batches of items that each process gets.
BATCHES = 8


@remedy(scales=True, model="threads", price="the function must be safe to run in several threads")
def threads(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` in a pool of threads, made for this run.

    Parameters
    ----------
    func
        A plain function that may run in several threads at once.
    items
        What to call it with.
    workers
        Threads; the default of `concurrent.futures.ThreadPoolExecutor` when None.

    Raises
    ------
    NotApplicableError
        ``func`` is a coroutine function.

    Examples
    --------
    >>> threads(abs, [-1, 2], workers=2)
    [1, 2]
    """
    _refuse_coroutines(func, "threads")
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="workbench")
    try:
        answers = list(pool.map(func, items))
    except BaseException as error:
        # An interrupt must not wait for a thread that hangs.
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()
    return answers


@remedy(
    scales=True,
    model="processes",
    effort=2,
    start_s=1.5,
    price="a copy of what it needs in memory, and a start-up, for every process",
)
def processes(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` in joblib's pool of processes (loky), which stays for the next run and ends when idle.

    Functions of notebooks and lambdas work too: loky sends them by value.

    Parameters
    ----------
    func
        A plain function.
    items
        What to call it with.
    workers
        Processes; as many as there are cores allowed when None. One is this process, as in joblib.

    Raises
    ------
    NotApplicableError
        ``func``, an item or an answer can't be sent to another process, or the function is not there: says which.

    Examples
    --------
    >>> processes(abs, [-1, 2], workers=1)
    [1, 2]
    """
    _refuse_coroutines(func, "processes")
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    # joblib's own batches grow with what the first items took, until the last of them keeps one worker busy alone.
    workers = effective_n_jobs(workers or -1)
    batch = max(1, len(items) // (BATCHES * workers))
    pool = Parallel(n_jobs=workers, backend="loky", batch_size=batch)
    try:
        # Packed once: a function of a notebook goes by value, and would be taken apart anew for every batch.
        send = func if workers == 1 else functools.partial(_call, _packed(func))
        return list(pool(delayed(send)(item) for item in items))
    except TerminatedWorkerError as error:
        raise RuntimeError("a worker process ended abruptly: it crashed, or ran out of memory") from error
    except BrokenProcessPool as error:
        raise NotApplicableError(f"a worker process can't load the function or an item: {_cause(error)}") from error
    except Exception as error:
        culprit = _unpicklable(func, items) if isinstance(error, pickle.PicklingError) else ""
        # What an answer's pickling raised looks like the task's own exception, but for where it was raised.
        if not culprit and "in _sendback_result" in str(error.__cause__):
            culprit = "an answer"
        if culprit:
            raise NotApplicableError(f"{culprit} doesn't pickle, so it can't go to another process") from error
        raise


@remedy(
    scales=True,
    model="processes",
    effort=2,
    start_s=0.5,
    price="functions and packages that subinterpreters can load",
)
def subinterpreters(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` in a pool of interpreters of this process, each with a GIL of its own; for Python 3.14 and newer.

    Parameters
    ----------
    func
        A plain function that pickles.
    items
        What to call it with.
    workers
        Interpreters, each in a thread; the pool's own default when None.

    Raises
    ------
    NotApplicableError
        This Python has no pool of interpreters, or ``func``, an item or an answer can't be sent to another one.
    """
    pool_type = getattr(concurrent.futures, "InterpreterPoolExecutor", None)
    if pool_type is None:
        raise NotApplicableError(f"subinterpreters need Python 3.14 or newer: this is {platform.python_version()}")
    _refuse_coroutines(func, "subinterpreters")
    try:
        with pool_type(workers) as pool:
            return list(pool.map(func, items))
    except pickle.PicklingError as error:
        culprit = _unpicklable(func, items) or "an answer"
        raise NotApplicableError(f"{culprit} doesn't pickle, so it can't go to another interpreter") from error


@remedy(scales=True, model="free threads", effort=2, price="a free-threaded Python, and a function safe in threads")
def free_threads(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` in a pool of threads that no GIL holds up; for free-threaded Pythons, such as 3.13t.

    Raises
    ------
    NotApplicableError
        This Python has the GIL, or ``func`` is a coroutine function.
    """
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        version = platform.python_version()
        raise NotApplicableError(f"a free-threaded Python (3.13t or newer) is needed: this {version} has the GIL")
    return threads(func, items, workers=workers)


@remedy(scales=True, model="asyncio", effort=3, price="asynchronous code all the way down")
def asynchronous(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Await a coroutine function for many items at the same time, in one event loop of its own.

    Parameters
    ----------
    func
        A coroutine function.
    items
        What to call it with.
    workers
        How many coroutines wait at the same time; 100 when None.

    Raises
    ------
    NotApplicableError
        ``func`` is a plain function.

    Examples
    --------
    >>> async def double(number):
    ...     await asyncio.sleep(0.001)
    ...     return 2 * number
    >>> asynchronous(double, [1, 2, 3])
    [2, 4, 6]
    """
    if not inspect.iscoroutinefunction(func):
        raise NotApplicableError("not a coroutine function: asyncio needs an async twin")
    return run_coroutine(_side_by_side(func, items, workers or COROUTINES))


async def _side_by_side(func: Func, items: Sequence[Any], workers: int) -> list[Any]:
    answers: list[Any] = [None] * len(items)
    numbered = iter(enumerate(items))
    # A few workers that share one iterator take less memory and time than a task for every item.
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(workers, len(items))):
                group.create_task(_work(func, numbered, answers))
    except BaseExceptionGroup as failures:
        # The task's own exception, as the other remedies raise it; the group has cancelled the other workers.
        raise failures.exceptions[0] from None
    return answers


async def _work(func: Func, numbered: Iterator[tuple[int, Any]], answers: list[Any]) -> None:
    for index, item in numbered:
        answers[index] = await func(item)


def _packed(func: Func) -> bytes:
    from joblib.externals.loky.backend.reduction import dumps

    try:
        return bytes(dumps(func))
    except Exception as error:  # whatever its __reduce__ raises
        name = shown_name(func)
        raise NotApplicableError(f"the function {name} doesn't pickle, so it can't go to another process") from error


def _call(packed: bytes, item: Any) -> Any:
    """Run one item in a worker."""
    return _unpacked(packed)(item)


@functools.lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Func:
    try:
        func: Func = pickle.loads(packed)
    except Exception as error:
        text = f"a worker process can't load the function or an item: {one_line(error)}"
        raise NotApplicableError(text) from None
    return func


def _refuse_coroutines(func: Func, remedy: str) -> None:
    if inspect.iscoroutinefunction(func):
        raise NotApplicableError(f"a coroutine function: {remedy} need a plain one, asyncio is for coroutines")


def _unpicklable(func: Func, items: Sequence[Any]) -> str:
    """Name what can't be sent to another process; nothing if all can."""
    from joblib.externals.loky.backend.reduction import dumps

    named = [(f"the function {shown_name(func)}", func)]
    named += [(f"item {index} ({type(item).__name__})", item) for index, item in enumerate(items)]
    for name, value in named:
        try:
            dumps(value)
        except Exception:  # whatever its __reduce__ raises
            return name
    return ""


def _cause(error: BaseException) -> str:
    """Return the last line of what went wrong in the worker, which loky gives as the cause."""
    text = str(error.__cause__ or error).strip().strip('"').strip()
    return text.splitlines()[-1]
