"""What to do about a server that fails: leave it alone, say so once, and look from time to time whether it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from workbench.errors import one_line
from workbench.masking import get_logger

logger = get_logger(__name__)


class Breaker:
    """Opens at the first failure, and lets one caller try again every ``retry_s``; the others go without at once.

    Parameters
    ----------
    what
        What fails, for the log.
    retry_s
        Seconds from a failure to the next try.
    clock
        Seconds, for tests.

    Examples
    --------
    >>> breaker = Breaker("Redis", retry_s=60)
    >>> breaker.failed(TimeoutError("no answer"))
    >>> breaker.allows()
    False
    """

    def __init__(self, what: object, retry_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._retry_s = retry_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next_try_s = 0.0
        #: Whether it failed when it was last tried.
        self.is_open = False

    def allows(self) -> bool:
        """Say whether this caller may try."""
        if not self.is_open:
            return True
        with self._lock:
            if self._clock() < self._next_try_s:
                return False
            self._next_try_s = self._clock() + self._retry_s
            return True

    def failed(self, error: Exception) -> None:
        """Note a failure."""
        with self._lock:
            was_open, self.is_open = self.is_open, True
            self._next_try_s = self._clock() + self._retry_s
        if not was_open:
            logger.warning("%s fails (%s): going on without it, and trying it again", self._what, one_line(error))

    def worked(self) -> None:
        """Note that it works."""
        with self._lock:
            was_open, self.is_open = self.is_open, False
        if was_open:
            logger.warning("%s works again", self._what)
