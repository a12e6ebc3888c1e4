"""What belongs to one thread of one process, and threads that wait on behalf of others."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

_Thing = TypeVar("_Thing")
_Answer = TypeVar("_Answer")
_Work = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads:
    """A few threads that nobody waits for when the process ends; those of `concurrent.futures` are joined then.

    Parameters
    ----------
    count
        How many; each is started when there is something to do.
    at_end
        What each does after `close`.

    Examples
    --------
    >>> DaemonThreads(2).submit(lambda: 42).result()
    42
    """

    def __init__(self, count: int, at_end: Callable[[], object] = bool) -> None:
        self._count = count
        self._at_end = at_end
        self._begin()

    def submit(self, work: Callable[[], _Answer]) -> Future[_Answer]:
        """Let one of the threads do some work."""
        if self._made_at != _forks:  # the threads stayed in the parent
            self._begin()
        future: Future[_Answer] = Future()
        self._todo.put((future, work))
        with self._lock:
            start = self._started < self._count
            self._started += start
        if start:
            arguments = self._todo, self._at_end
            threading.Thread(target=_work_on, args=arguments, name="workbench-caches", daemon=True).start()
        return future

    def close(self) -> None:
        """Let the threads end when they have done what there is to do; more work starts new ones."""
        if self._made_at == _forks:
            for _ in range(self._started):
                self._todo.put(None)
        self._begin()

    def _begin(self) -> None:
        self._made_at = _forks
        self._lock = threading.Lock()
        self._todo: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._started = 0


def _work_on(todo: queue.SimpleQueue[_Work | None], at_end: Callable[[], object]) -> None:
    while (doing := todo.get()) is not None:
        future, work = doing
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
        del doing, future, work  # what they hold must not live until the next one comes
    at_end()


class PerThread(Generic[_Thing]):
    """Something that each thread of each process must have for itself, such as a connection; made when first asked for.

    Parameters
    ----------
    make, close
        How to make one, and how to end it: with its thread, or with `close`.
    """

    def __init__(self, make: Callable[[], _Thing], close: Callable[[_Thing], object]) -> None:
        self._make = make
        self._close = close
        self._local = threading.local()

    def get(self) -> _Thing:
        """Return this thread's own."""
        try:
            holder: _Holder[_Thing] = self._local.holder
        except AttributeError:
            holder = self._local.holder = _Holder(self._make(), self._close)
        if holder.made_at != _forks:
            # It is the parent's: two processes must not use one connection, nor this one end it.
            holder.made_at = -1
            holder = self._local.holder = _Holder(self._make(), self._close)
        return holder.thing

    def close(self) -> None:
        """End those of all threads."""
        self._local = threading.local()


class _Holder(Generic[_Thing]):
    """Ends its thing when nobody holds it any more: a thread's locals go with the thread."""

    def __init__(self, thing: _Thing, close: Callable[[_Thing], object]) -> None:
        self.thing = thing
        self.made_at = _forks
        self._close = close

    def __del__(self) -> None:
        if self.made_at == _forks:
            self._close(self.thing)


#: How many forks this process is away from the first one.
_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)
