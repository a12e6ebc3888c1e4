"""Run a coroutine from plain code. What it needs is imported when it runs: a process that runs none is light."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

_Answer = TypeVar("_Answer")


def loop_runs() -> bool:
    """Say whether an event loop runs in this thread, as in a notebook.

    Examples
    --------
    >>> loop_runs()
    False
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def run_coroutine(coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Run a coroutine to its end from plain code, in an event loop of its own.

    The loop runs in a thread of its own where one runs here already, as in a notebook; context variables are the same
    there, so what is printed goes to the same cell. An interrupt cancels the coroutine and waits until it has ended.

    Examples
    --------
    >>> async def answer():
    ...     return 42
    >>> run_coroutine(answer())
    42
    """
    import asyncio

    return _run_beside(coroutine) if loop_runs() else asyncio.run(coroutine)


def _run_beside(coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
    import asyncio
    import contextvars
    import threading
    from concurrent.futures import Future

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

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="workbench-loop", daemon=True)
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
