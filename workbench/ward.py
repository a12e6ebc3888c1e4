"""Do some work in a child process that is watched: whatever it starts is gone when it has ended."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from workbench.proc import descendants, end_with_parent, set_process_option

_PR_SET_CHILD_SUBREAPER = 36
#: How long the child may take to put things in order when its work is done, and what it started to end by itself then.
CLEAN_UP_S, GRACE_S = 2.0, 1.0
LOOK_S = 0.01
#: How long after an interrupt of this process the child gets one.
FORWARD_S = 0.3
#: The exit code of who was interrupted, as shells have it.
INTERRUPTED = 130


def in_ward(work: Callable[[TextIO], int], timeout_s: float) -> tuple[int | None, str]:
    """Do work in a forked child, and end all that it started when it has ended.

    The child ends with this process, however that does. To be called while this process has one thread.

    Parameters
    ----------
    work
        Gets a file to write its results to, and returns its exit code. What it prints goes where this process prints.
    timeout_s
        How long it may take at most.

    Returns
    -------
    exit code, results
        The code is None where the child had to be ended because it took too long. What it had written until then is
        there.

    Examples
    --------
    >>> in_ward(lambda results: results.write("done") and 0, timeout_s=30)
    (0, 'done')
    """
    set_process_option(_PR_SET_CHILD_SUBREAPER, 1)
    sys.stdout.flush()
    sys.stderr.flush()
    others = set(descendants(os.getpid()))
    with tempfile.TemporaryFile("w+", encoding="utf-8") as results:
        parent = os.getpid()
        child = os.fork()
        if not child:
            end_with_parent(parent)
            _be_child(work, results)
        interrupts: list[float] = []
        former = signal.getsignal(signal.SIGINT)
        if former is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, lambda *_: interrupts.append(time.monotonic()))
        code = None
        try:
            code = _wait_for(child, timeout_s, interrupts)
        finally:
            if code is None:
                os.kill(child, signal.SIGKILL)
            signal.signal(signal.SIGINT, former)
            _end_descendants(others, GRACE_S)
        results.seek(0)
        return code, results.read()


def _end_descendants(others: set[int], grace_s: float) -> None:
    """Wait for all descendants to end, but for others and what these start; kill those that do not in time."""
    until_s = time.monotonic() + grace_s
    while True:
        spared = others.union(*map(descendants, others))
        left = [pid for pid in descendants(os.getpid()) if pid not in spared]
        if not left:
            return
        for pid in left:
            with suppress(OSError):  # those whose parents ended first have become our children
                os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > until_s:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)


def _be_child(work: Callable[[TextIO], int], results: TextIO) -> None:
    code = 1
    _leave_exits_to_parent()
    try:
        code = work(results)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the same one may come twice
        code = INTERRUPTED
    except BaseException:
        traceback.print_exc()
    # Threads of the task that never end, and clean-ups that wait for them, don't hold it up.
    late = threading.Timer(CLEAN_UP_S, os._exit, (code,))
    late.daemon = True
    late.start()
    try:
        results.flush()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # the task has closed a stream, or a descriptor, that isn't its own
        code = code or 1
    finally:
        os._exit(code)


def _leave_exits_to_parent() -> None:
    """Forget what is to be done when the parent exits: its folders and servers are not ours to remove.

    What does the same for whatever the child comes to own is kept.
    """
    atexit._clear()
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    atexit.register(logging.shutdown)
    atexit.register(weakref.finalize._exitfunc)  # type: ignore[attr-defined]
    if processes := sys.modules.get("multiprocessing.util"):
        atexit.register(processes._exit_function)


def _wait_for(child: int, timeout_s: float, interrupts: list[float]) -> int | None:
    until_s = time.monotonic() + timeout_s
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if time.monotonic() > until_s:
            return None
        if interrupts and time.monotonic() > interrupts[0] + FORWARD_S:
            # A terminal interrupts the child as well, which knows by now; others interrupt this process alone.
            interrupts.clear()
            os.kill(child, signal.SIGINT)
        time.sleep(LOOK_S)
