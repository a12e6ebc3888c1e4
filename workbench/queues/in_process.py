"""Queues without a broker: an event loop in this process, and a pool of processes. What is pending dies with them."""

from __future__ import annotations

import abc
import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from workbench.errors import QueueError, UsageError, one_line
from workbench.names import full_name, shown_name
from workbench.queues.contract import (
    DeadLetter,
    Func,
    Handle,
    Progress,
    Queue,
    pause_s,
    refuse_coroutines,
)

#: Coroutines that wait at the same time unless told otherwise.
COROUTINES = 100

#: How often a task's function ran, and its answer or its last exception.
Outcome = tuple[int, Any, Exception | None]


@dataclass(eq=False)
class Task:
    """A task, and the future of what comes of it."""

    handle: Handle
    func: Func
    item: Any
    future: Future[Outcome] = field(default_factory=Future)


class InProcess(Queue):
    """What both have in common: the tasks are in memory."""

    def __init__(
        self, workers: int | None = None, *, retries: int = 0, backoff_s: float = 0.1, grace_s: float = 10.0
    ) -> None:
        super().__init__(workers, retries=retries, backoff_s=backoff_s, grace_s=grace_s)
        self._tasks: dict[int, Task] = {}
        self._keys: dict[str, Handle] = {}
        self._lock = threading.Lock()

    @abc.abstractmethod
    def _check_func(self, func: Func) -> None:
        """Raise `UsageError` if the workers can't call it."""

    @abc.abstractmethod
    def _begin(self, func: Func, item: Any) -> Future[Outcome]:
        """Ask for the call, with its retries."""

    def submit(self, func: Func, item: Any, *, key: str | None = None) -> Handle:
        """Ask for ``func(item)`` and return at once."""
        self._check_func(func)
        with self._lock:
            if key is not None and key in self._keys:
                return self._keys[key]
            handle = Handle(len(self._tasks), key)
            self._tasks[handle.id] = Task(handle, func, item, self._begin(func, item))
            if key is not None:
                self._keys[key] = handle
        return handle

    def result(self, handle: Handle, timeout_s: float | None = None) -> Any:
        """Wait for a task's answer."""
        future = self._task(handle).future
        if not wait([future], timeout_s).done:
            raise TimeoutError(f"task {handle.id} is not done after {timeout_s:g} s")
        _, answer, error = outcome(future)
        if error is not None:
            raise error
        return answer

    def progress(self) -> Progress:
        """Count the tasks."""
        futures = [task.future for task in self._tasks.values()]
        ended = [outcome(future) for future in futures if future.done()]
        running = sum(future.running() for future in futures)
        dead = sum(error is not None for _, _, error in ended)
        return Progress(
            queued=len(futures) - len(ended) - running,
            running=running,
            done=len(ended) - dead,
            dead=dead,
            runs=running + sum(runs for runs, _, _ in ended),
        )

    def dead_letters(self) -> list[DeadLetter]:
        """List the tasks that failed for good."""
        letters = []
        for task in self._tasks.values():
            if task.future.done():
                runs, _, error = outcome(task.future)
                if error is not None:
                    func, text = full_name(task.func), one_line(error)
                    letters.append(DeadLetter(handle=task.handle, func=func, item=task.item, runs=runs, error=text))
        return letters

    def resubmit(self, handle: Handle) -> Handle:
        """Give a dead task another chance, with all its retries."""
        task = self._task(handle)
        if not task.future.done() or outcome(task.future)[2] is None:
            raise UsageError(f"task {handle.id} is not dead: only a dead one can be submitted again")
        task.future = self._begin(task.func, task.item)
        return handle

    def _task(self, handle: Handle) -> Task:
        if handle.id not in self._tasks:
            raise UsageError(f"there is no task {handle.id} in this queue")
        return self._tasks[handle.id]

    def _let_end(self) -> None:
        """Give up what only waits, and give what runs its grace."""
        futures = [task.future for task in self._tasks.values()]
        wait([future for future in futures if not future.cancel()], self.grace_s)


class AsyncioQueue(InProcess):
    """Coroutines awaited side by side in an event loop of their own thread: for tasks that wait for the network.

    It has no durability: what is pending dies with this process.

    Parameters
    ----------
    workers
        How many coroutines wait at the same time; 100 when None.
    retries, backoff_s, grace_s
        As for `Queue`.

    Examples
    --------
    >>> async def double(number):
    ...     await asyncio.sleep(0.001)
    ...     return 2 * number
    >>> with AsyncioQueue() as queue:
    ...     queue.map(double, [1, 2, 3])
    [2, 4, 6]
    """

    def __init__(
        self, workers: int | None = None, *, retries: int = 0, backoff_s: float = 0.1, grace_s: float = 10.0
    ) -> None:
        super().__init__(
            COROUTINES if workers is None else workers, retries=retries, backoff_s=backoff_s, grace_s=grace_s
        )

    def __enter__(self) -> Self:
        """Start the event loop."""
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(self.workers)
        self._thread = threading.Thread(target=self._loop.run_forever, name="workbench-queue", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the running coroutines end, cancel the others, and stop the loop."""
        self._let_end()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _check_func(self, func: Func) -> None:
        if not inspect.iscoroutinefunction(func):
            raise UsageError(f"{shown_name(func)} is not a coroutine function: an event loop awaits those only")

    def _begin(self, func: Func, item: Any) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        asyncio.run_coroutine_threadsafe(self._attempt(func, item, future), self._loop)
        return future

    async def _attempt(self, func: Func, item: Any, future: Future[Outcome]) -> None:
        async with self._slots:
            if not future.set_running_or_notify_cancel():
                return
            runs = 0
            while True:
                runs += 1
                ended: Outcome
                try:
                    ended = runs, await func(item), None
                except Exception as error:
                    ended = runs, None, error
                except asyncio.CancelledError:
                    future.set_result((runs, None, QueueError("the queue stopped before this task ended")))
                    raise
                if ended[2] is None or runs > self.retries:
                    future.set_result(ended)
                    return
                await asyncio.sleep(pause_s(self.backoff_s, runs))


class ProcessQueue(InProcess):
    """A pool of processes (loky): the yardstick for work that computes.

    It has no durability: what is pending dies with this process, and also with any one of its workers.

    Parameters
    ----------
    workers
        Processes; as many as there are cores allowed when None.
    retries, backoff_s, grace_s
        As for `Queue`.

    Examples
    --------
    >>> import math
    >>> with ProcessQueue(1) as queue:
    ...     queue.map(math.isqrt, [10, 20])
    [3, 4]
    """

    def __enter__(self) -> Self:
        """Start the processes."""
        self._pool = self._new_pool()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the running tasks end, and stop the processes."""
        self._let_end()
        self._pool.shutdown(wait=True, kill_workers=any(not task.future.done() for task in self._tasks.values()))

    def _new_pool(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        pool = ProcessPoolExecutor(self.workers)
        wait([pool.submit(abs, 0) for _ in range(self.workers)])
        return pool

    def _check_func(self, func: Func) -> None:
        refuse_coroutines(func)

    def _begin(self, func: Func, item: Any) -> Future[Outcome]:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            return self._pool.submit(attempt, func, item, self.retries, self.backoff_s)  # type: ignore[no-any-return]
        except BrokenProcessPool:
            self._pool = self._new_pool()
            return self._pool.submit(attempt, func, item, self.retries, self.backoff_s)  # type: ignore[no-any-return]


def attempt(
    func: Func, item: Any, retries: int, backoff_s: float, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Call a function, again where it raises; return how often, and the answer or the last exception.

    Examples
    --------
    >>> attempt(abs, -3, retries=2, backoff_s=0.0)
    (1, 3, None)
    >>> attempt(abs, "x", retries=2, backoff_s=0.0)
    (3, None, TypeError("bad operand type for abs(): 'str'"))
    """
    runs = 0
    while True:
        runs += 1
        try:
            return runs, func(item), None
        except Exception as error:
            if runs > retries:
                return runs, None, error
        sleep(pause_s(backoff_s, runs))


def outcome(future: Future[Outcome]) -> Outcome:
    """Return what came of a task that has ended, of whatever kind its end was."""
    try:
        return future.result(0)
    except CancelledError:
        return 0, None, QueueError("the queue stopped before this task was started")
    except Exception as error:  # the pool's own, such as a worker that died, or an item that doesn't pickle
        failed = QueueError(f"the pool could not do it: {one_line(error)}")
        failed.__cause__ = error
        return 0, None, failed


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
