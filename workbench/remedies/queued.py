"""A task queue: workers that outlive what they run, at the price of a message for every item."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.errors import MissingExtraError, MissingServerError, NotApplicableError, QueueError, UsageError
from workbench.names import findable_name
from workbench.proc import cores_allowed
from workbench.remedy import Func, Run, remedy

if TYPE_CHECKING:
    from workbench.queues import CeleryQueue

_Key = tuple[str, int, int]
_running: dict[_Key, CeleryQueue] = {}
_lock = threading.Lock()


def celery_on(broker: str) -> Run:
    """Make a remedy of Celery over a broker.

    Its workers start with the first run and stay, with their broker, until this process ends.

    Parameters
    ----------
    broker
        As for `workbench.queues.CeleryQueue`: ``redis``, ``rabbitmq`` or a URL.

    Examples
    --------
    >>> import math
    >>> celery_on("redis")(math.isqrt, [10, 20], workers=1)
    [3, 4]
    """

    @remedy(
        model="queue",
        per_core=True,
        effort=4,
        start_s=4.0,
        price="a broker and workers to run, a message for every item, and functions that workers can import",
    )
    def celery(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        """Call ``func`` in the workers of a Celery queue, which stay for the next run.

        Parameters
        ----------
        func
            A plain function that stands in a module.
        items
            What to call it with: plain data.
        workers
            Worker processes; as many as there are cores allowed when None.

        Raises
        ------
        NotApplicableError
            The workers can't import the function, an item or an answer is no plain data, or Celery or its broker is
            not installed: says which.
        """
        from workbench.queues.codec import NotPlainError
        from workbench.queues.contract import refuse_coroutines

        key = broker, workers or cores_allowed(), os.getpid()  # a forked child must not use, nor stop, its parent's
        try:
            refuse_coroutines(func)
            findable_name(func)
            queue = _started(key)
        except (UsageError, MissingExtraError, MissingServerError) as error:
            raise NotApplicableError(str(error)) from error
        try:
            return queue.map(func, items)
        except NotPlainError as error:
            raise NotApplicableError(str(error)) from error
        except QueueError:
            _stop(key)  # the next run gets a fresh one
            raise

    return celery


def _started(key: _Key) -> CeleryQueue:
    from workbench.queues import CeleryQueue

    broker, workers, _ = key
    with _lock:
        if key not in _running:
            # The broker registers its own end while the queue starts, so it ends after the queue.
            _running[key] = CeleryQueue(broker, workers).__enter__()
            atexit.register(_stop, key)
        return _running[key]


def _stop(key: _Key) -> None:
    with _lock:
        queue = _running.pop(key, None)
    if queue is not None and key[-1] == os.getpid():
        queue.__exit__(None, None, None)


#: Over Redis, which starts in a moment, and comes as a wheel where it is not installed.
celery = celery_on("redis")
