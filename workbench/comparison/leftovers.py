"""Threads and processes that a task leaves behind."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path


def threads_now() -> set[threading.Thread]:
    """Return the threads that are alive, but for those of the workbench."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("workbench")}


def children_now() -> dict[int, str]:
    """Return the descendants of this process that are alive, with what they run; empty where there is no ``/proc``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.parent.name)] = int(parent)
    found = {}
    for pid in parents:
        ancestor = pid
        while (ancestor := parents.get(ancestor, 0)) not in (0, os.getpid()):
            pass
        if ancestor:
            with suppress(OSError):
                found[pid] = (
                    Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
    return found


def end_children(commands: set[str], spared: set[int]) -> int:
    """End the descendants that run one of these commands, but for the spared ones; return how many there were."""
    ended = [pid for pid, command in children_now().items() if command in commands and pid not in spared]
    for pid in ended:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(ended)
