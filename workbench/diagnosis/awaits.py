"""What the tasks of an event loop await, which can't be seen from outside: there it is all one ``epoll_wait``.

A thread looks at the loop only while it polls, when nothing else wants the GIL. It uses nothing that the task may
replace: its locks are the interpreter's own, not those of `threading`, which gevent patches. And it imports nothing,
for then it would wait for the task's imports.
"""

from __future__ import annotations

import _thread
import marshal
import os
import sys
import time
from types import FrameType
from typing import Any

from workbench.diagnosis.observer.protocol import Awaiting, Awaits, packed

LOOK_EVERY_S = 0.01
LOOK_FOR_LOOP_EVERY_S = 0.05
SAVE_EVERY_S = 0.25
_MAX_TASKS = 500
#: The name of a task of ours, which is none of the studied.
OWN_TASK = "workbench"
_LOOP_FUNCTIONS = ("run_forever", "run_until_complete", "_run_once", "run")


class AwaitWatcher:
    """Watches the event loop of one thread, if it runs one.

    ``seen`` holds ``(ns, what its tasks await)`` for moments at which the loop polls, ``turns`` ``(ns, which turn)``
    for those at which it is at work. With a ``file`` they go there now and then, which outlives a kill.
    """

    def __init__(self, thread: int, file: str = "") -> None:
        self.seen: list[tuple[int, tuple[Awaiting, ...]]] = []
        self.turns: list[tuple[int, float]] = []
        self._file, self._saved_at = file, 0.0
        self._thread = thread
        self._loop: Any = None
        self._ignored: set[Any] = set()
        self.tid, self.cpu_s = 0, 0.0
        self._started, self._end, self._ended = (_thread.allocate_lock() for _ in range(3))
        for lock in (self._started, self._end, self._ended):
            lock.acquire()

    def start(self) -> None:
        """Start to watch; tasks that are there already, but for the one that starts this, are none of the studied."""
        self._ignored = self._tasks() - {_current_task()}
        _thread.start_new_thread(self._watch, ())
        self._started.acquire()

    def stop(self) -> None:
        """Stop watching."""
        self._end.release()
        self._ended.acquire()

    def _watch(self) -> None:
        self.tid = _thread.get_native_id()
        self._started.release()
        try:
            while not self._end.acquire(timeout=LOOK_EVERY_S if self._loop is not None else LOOK_FOR_LOOP_EVERY_S):
                self._look()
                self.cpu_s = time.thread_time()
                if self._file and time.monotonic() - self._saved_at > SAVE_EVERY_S:
                    self._save()
        finally:
            if self._file:
                self._save()
            self._ended.release()

    def _look(self) -> None:
        frame = sys._current_frames().get(self._thread)
        if self._loop is None or self._loop.is_closed() or not self._loop.is_running():
            self._loop = _loop_of(frame)
        if self._loop is None or frame is None:
            return
        at = time.monotonic_ns()
        if not _polls(frame):
            turn = _turn(frame)
            self.turns += [(at, turn)] if turn is not None else []
            return
        studied = (task for task in self._tasks() - self._ignored if task.get_name() != OWN_TASK)
        tasks = sorted(studied, key=id)[:_MAX_TASKS]
        self.seen.append((at, tuple(found for task in tasks if (found := _awaiting(task)))))

    def _save(self) -> None:
        """Write what is new, by a file that is open for that moment alone: the task may close all that it has."""
        self._saved_at = time.monotonic()
        seen = tuple((ns, tuple(map(tuple, tasks))) for ns, tasks in self.seen)
        new = marshal.dumps(packed(Awaits(self.tid, self.cpu_s, seen, tuple(self.turns))))  # type: ignore[arg-type]
        self.seen.clear()
        self.turns.clear()
        try:
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # the folder is gone: nobody wants to know any more
            return
        try:
            os.write(file, new)
        finally:
            os.close(file)

    def _tasks(self) -> set[Any]:
        asyncio = _asyncio()
        loop = self._loop or _loop_of(sys._current_frames().get(self._thread))
        try:
            return asyncio.all_tasks(loop) if asyncio is not None and loop is not None else set()
        except RuntimeError:  # the set changed under our eyes, again and again
            return set()


def _asyncio() -> Any:
    """Return the module that the task uses, if it has imported it to the end."""
    module = sys.modules.get("asyncio")
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def _loop_of(frame: FrameType | None) -> Any:
    """Return the event loop that runs in a stack, if any."""
    asyncio = _asyncio()
    while asyncio is not None and frame is not None:
        if frame.f_code.co_name in _LOOP_FUNCTIONS and "asyncio" in frame.f_code.co_filename:
            owner = frame.f_locals.get("self")
            loop = owner if isinstance(owner, asyncio.AbstractEventLoop) else getattr(owner, "_loop", None)
            if loop is not None:
                return loop
        frame = frame.f_back
    return None


def _turn(frame: FrameType | None) -> float | None:
    """Return what tells one turn of the event loop from the next: when it began to do what is due."""
    while frame is not None:
        if frame.f_code.co_name == "_run_once":
            found: float | None = frame.f_locals.get("end_time")
            return found
        frame = frame.f_back
    return None


def _current_task() -> Any:
    asyncio = _asyncio()
    try:
        return asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # no loop runs in this thread
        return None


def _polls(frame: FrameType) -> bool:
    """Say whether a thread's innermost frame is a loop that waits for events."""
    return frame.f_code.co_name in ("select", *_LOOP_FUNCTIONS)


def _awaiting(task: Any) -> Awaiting | None:
    """Return what a task waits for, or None when that is another task."""
    places: list[tuple[str, int, str]] = []
    awaited = task.get_coro()
    while awaited is not None:
        frame = (
            getattr(awaited, "cr_frame", None)
            or getattr(awaited, "gi_frame", None)
            or getattr(awaited, "ag_frame", None)
        )
        if frame is None:
            break
        places.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
        awaited = (
            getattr(awaited, "cr_await", None)
            or getattr(awaited, "gi_yieldfrom", None)
            or getattr(awaited, "ag_await", None)
        )
    if _stands_for_tasks(getattr(task, "_fut_waiter", None)):
        return None
    return Awaiting(task.get_name(), tuple(places[::-1])) if places else None


def _stands_for_tasks(future: Any) -> bool:
    """Say whether a future is a task, or a gathering of them."""
    return future is not None and (hasattr(future, "get_coro") or type(future).__name__ == "_GatheringFuture")
