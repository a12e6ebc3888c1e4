"""Run a coroutine from plain code, and one course of action in both.

What it needs is imported when it runs: a process that runs none is light.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

_Answer = TypeVar("_Answer")
_Need = TypeVar("_Need")


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


async def run_through(generator: AsyncIterable[Any]) -> None:
    """Run an asynchronous generator to its end."""
    async for _ in generator:
        pass


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


async def drive(steps: Generator[_Need, Any, _Answer], get: Callable[[_Need], Awaitable[Any]]) -> _Answer:
    """Get what a generator says that it needs, send it in, and return what it returns.

    What goes wrong is thrown into the generator, which may go on.
    """
    go_on: Callable[[Any], _Need] = steps.send
    value: Any = None
    while True:
        try:
            need = go_on(value)
        except StopIteration as end:
            answer: _Answer = end.value
            return answer
        try:
            value = await get(need)
            go_on = steps.send
        except BaseException as error:
            go_on, value = steps.throw, error


def drive_plainly(steps: Generator[_Need, Any, _Answer], get: Callable[[_Need], Any]) -> _Answer:
    """Do as `drive` does, in plain code: ``get`` returns what is needed.

    Examples
    --------
    >>> def add():
    ...     return (yield "one") + (yield "two")
    >>> drive_plainly(add(), {"one": 1, "two": 2}.get)
    3
    """

    async def got(need: _Need) -> Any:
        return get(need)

    try:
        drive(steps, got).send(None)
    except StopIteration as end:
        answer: _Answer = end.value
        return answer
    raise AssertionError("got suspends nothing")
