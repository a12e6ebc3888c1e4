"""Threads and processes that a task leaves behind."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

from workbench.proc import command_of, descendants


def threads_now() -> set[threading.Thread]:
    """Return the threads that are alive, but for those of the workbench."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("workbench")}


def children_now() -> dict[int, str]:
    """Return the descendants of this process that are alive, with what they run, where ``/proc`` tells it."""
    return {pid: command for pid in descendants(os.getpid()) if (command := command_of(pid))}


def end_children(commands: set[str], spared: set[int]) -> int:
    """End the descendants that run one of these commands, but for the spared ones; return how many there were."""
    ended = [pid for pid, command in children_now().items() if command in commands and pid not in spared]
    for pid in ended:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(ended)
