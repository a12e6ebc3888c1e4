"""What every queue does, and the words for it."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from workbench.errors import UsageError
from workbench.names import shown_name
from workbench.proc import cores_allowed

Func = Callable[[Any], Any]


@dataclass(frozen=True)
class Handle:
    """A task that was submitted: what its answer is asked for with."""

    id: int
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many tasks are where; ``dead`` ones have failed for good and are listed by `Queue.dead_letters`.

    ``runs`` counts starts of a task's function, retries and those that a crash cut short included. ``repeats`` counts
    messages that were delivered once more than needed, and were dropped.
    """

    queued: int = 0
    running: int = 0
    done: int = 0
    dead: int = 0
    runs: int = 0
    repeats: int = 0

    @property
    def submitted(self) -> int:
        """All tasks."""
        return self.queued + self.running + self.done + self.dead


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A task that failed for good: what it was called with, how often it ran, and why it failed."""

    handle: Handle
    func: str
    item: Any
    runs: int
    error: str


class Queue(abc.ABC):
    """Tasks that are done later, by workers, one by one: the contract of every queue.

    A queue works inside its ``with`` block, which starts the workers and stops them gracefully: what runs may end,
    what only waits is given up.

    Parameters
    ----------
    workers
        How many tasks run at the same time.
    retries
        How often a task that raised is tried again before it is dead.
    backoff_s
        How long to wait before the first retry; twice as long before each further one.
    grace_s
        How long a running task may take to end when the queue stops.

    Raises
    ------
    UsageError
        A number out of range.
    """

    def __init__(
        self, workers: int | None = None, *, retries: int = 0, backoff_s: float = 0.1, grace_s: float = 10.0
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be 1 or more, or None: got {workers}")
        if retries < 0:
            raise UsageError(f"retries must be 0 or more: got {retries}")
        self.workers = workers or cores_allowed()
        self.retries = retries
        self.backoff_s = backoff_s
        self.grace_s = grace_s

    @abc.abstractmethod
    def __enter__(self) -> Self:
        """Start the workers; they are ready when this returns."""

    @abc.abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers."""

    @abc.abstractmethod
    def submit(self, func: Func, item: Any, *, key: str | None = None) -> Handle:
        """Ask for ``func(item)`` and return at once.

        A ``key`` names what the task is for: another task with the same key is the same task, and takes effect once.

        Raises
        ------
        UsageError
            The queue's workers can't call this function, or the item can't be sent to them.
        """

    @abc.abstractmethod
    def result(self, handle: Handle, timeout_s: float | None = None) -> Any:
        """Wait for a task's answer.

        A task that raised raises here, and nowhere else.

        Raises
        ------
        TimeoutError
            It was not there after ``timeout_s`` seconds; the task goes on.
        QueueError
            The task crashed its worker, or no worker can work.
        """

    @abc.abstractmethod
    def progress(self) -> Progress:
        """Count the tasks."""

    @abc.abstractmethod
    def dead_letters(self) -> list[DeadLetter]:
        """List the tasks that failed for good, in the order in which they were submitted."""

    @abc.abstractmethod
    def resubmit(self, handle: Handle) -> Handle:
        """Give a dead task another chance, with all its retries.

        Raises
        ------
        UsageError
            It is not dead.
        """

    def map(
        self, func: Func, items: Iterable[Any], *, timeout_s: float | None = None, return_exceptions: bool = False
    ) -> list[Any]:
        """Return ``func`` of every item, in order.

        A task that fails stops no other. When all have ended the first failure is raised, or, with
        ``return_exceptions``, failures stand in their places, as with `asyncio.gather`. ``timeout_s`` is for each
        answer, once it is waited for.
        """
        answers: list[Any] = []
        failed: Exception | None = None
        for handle in [self.submit(func, item) for item in items]:
            try:
                answers.append(self.result(handle, timeout_s))
            except Exception as error:
                answers.append(error)
                failed = failed or error
        if failed is not None and not return_exceptions:
            raise failed
        return answers


def pause_s(backoff_s: float, failures: int) -> float:
    """Return how long to wait after so many failures.

    Examples
    --------
    >>> [pause_s(0.1, failures) for failures in (1, 2, 3)]
    [0.1, 0.2, 0.4]
    """
    return backoff_s * 2.0 ** (failures - 1)


def refuse_coroutines(func: Func) -> None:
    """Raise `UsageError` for a coroutine function."""
    if inspect.iscoroutinefunction(func):
        raise UsageError(f"{shown_name(func)} is a coroutine function: an event loop does those, see AsyncioQueue")
