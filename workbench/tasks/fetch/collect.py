"""How rows come from the threads that fetch to the thread that asked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from queue import SimpleQueue

from workbench.tasks.fetch.rows import FetchRow

#: What the fetching threads put in: rows, or the exception that ended one of them.
Done = SimpleQueue[FetchRow | BaseException]


def collect(count: int, done: Done, stop: Callable[[], None]) -> Generator[FetchRow]:
    """Yield so many rows as they get ready; stop the fetching when they are not all wanted.

    On an interrupt the rows that are ready by then are still yielded before it goes on.
    """
    try:
        for _ in range(count):
            yield _row(done)
    except BaseException as error:
        stop()
        if isinstance(error, KeyboardInterrupt):
            while not done.empty():
                yield _row(done)
        raise


def _row(done: Done) -> FetchRow:
    item = done.get()
    if isinstance(item, BaseException):
        raise item
    return item
