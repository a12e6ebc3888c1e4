"""How rows come from the threads that fetch to the thread that asked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue

from workbench.tasks.fetch.rows import FetchRow


class Ready:
    """Rows that are ready, in a list from which none is ever taken out.

    An interrupt may come between any two instructions, so also between taking a row out and keeping it.
    """

    def __init__(self) -> None:
        self._rows: list[FetchRow] = []
        self._news: SimpleQueue[BaseException | None] = SimpleQueue()

    def add(self, rows: Iterable[FetchRow]) -> None:
        """Hand rows over; called by the threads that fetch."""
        self._rows.extend(rows)
        self._news.put(None)

    def fail(self, error: BaseException) -> None:
        """Hand over what ended a thread that fetches."""
        self._news.put(error)

    def collect(self, count: int, stop: Callable[[], None]) -> Generator[FetchRow]:
        """Yield so many rows as they get ready; stop the fetching when they are not all wanted.

        On an interrupt the rows that are ready by then are still yielded, the last one maybe twice.
        """
        taken = 0
        try:
            while taken < count:
                while taken == len(self._rows):
                    self._wait()
                yield self._rows[taken]
                taken += 1
        except BaseException as error:
            stop()
            if isinstance(error, KeyboardInterrupt):
                yield from self._rows[taken:]
            raise

    def _wait(self) -> None:
        error = self._news.get()
        if error is not None:
            raise error
