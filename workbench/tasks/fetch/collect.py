"""How rows come from the threads that fetch to the thread that asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from queue import SimpleQueue

from workbench.tasks.fetch.rows import FetchRow

#: What the fetching threads put in: rows that got ready, or the exception that ended one of them.
Done = SimpleQueue[list[FetchRow] | BaseException]


def collect(count: int, done: Done, stop: Callable[[], None]) -> Generator[FetchRow]:
    """Yield so many rows as they get ready; stop the fetching when they are not all wanted.

    On an interrupt the rows that are ready by then are still yielded before it goes on.
    """
    ready: deque[FetchRow] = deque()
    try:
        for _ in range(count):
            while not ready:
                ready.extend(_rows(done))
            yield ready.popleft()
    except BaseException as error:
        stop()
        if isinstance(error, KeyboardInterrupt):
            while not done.empty():
                ready.extend(_rows(done))
            yield from ready
        raise


def _rows(done: Done) -> list[FetchRow]:
    item = done.get()
    if isinstance(item, BaseException):
        raise item
    return item
