"""Stop what does not end by itself."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RING_AGAIN_S = 1.0


class OutOfTime(BaseException):
    """Raised inside a run that took too long; no `Exception`, so that no task catches it for its own."""


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Raise `OutOfTime` in what runs inside when it takes longer than ``limit_s`` seconds.

    It works by an alarm signal, so it costs a run nothing, and only in the main thread, where notebooks and scripts run
    their code; elsewhere there is no limit. Native code that never returns to the interpreter is not stopped. An
    alarm that was set before goes on afterwards.

    Examples
    --------
    >>> import time
    >>> try:
    ...     with time_limit(0.01):
    ...         time.sleep(60)
    ... except OutOfTime:
    ...     print("stopped")
    stopped
    """
    if threading.current_thread() is not threading.main_thread() or math.isinf(limit_s):
        yield
        return
    former_s, every_s = signal.getitimer(signal.ITIMER_REAL)
    former = signal.signal(signal.SIGALRM, _raise_out_of_time)
    start_s = time.monotonic()
    try:
        # A limit of 0 would mean none at all. It rings again, because what is raised while the collector runs someone's
        # clean-up is lost there.
        signal.setitimer(signal.ITIMER_REAL, max(limit_s, 1e-6), RING_AGAIN_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        if former_s:
            signal.setitimer(signal.ITIMER_REAL, max(former_s - (time.monotonic() - start_s), 1e-6), every_s)


def _raise_out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime
