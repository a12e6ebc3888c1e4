"""Processes: this one's cores and its parent, and others as the kernel shows them.

Light processes use it, so it imports next to nothing. Where there is no ``/proc``, ``ps`` tells who is whose parent,
and nothing else is seen.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import sys
from collections.abc import Collection, Iterator

#: How often to look whether the parent lives: a forked child of it may hold our stdin open.
LOOK_S = 0.25
#: The state of a socket that listens, in the kernel's tables.
LISTENING = "0A"
#: `signal` takes long to import.
_SIGKILL, _PR_SET_PDEATHSIG = 9, 1


def cores_allowed() -> int:
    """Return the number of cores that this process may use: those it may run on, or what its control groups leave.

    A part of a core counts as a whole one.

    Examples
    --------
    >>> 1 <= cores_allowed() <= os.cpu_count()
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cores_left("/proc/self/cgroup", "/sys/fs/cgroup")
    return max(1, math.ceil(min(cores, quota)))


def cores_left(groups: str, mounted: str) -> float:
    """Return how many cores' time the control groups in a file leave, and the groups around them; infinite: any.

    Both versions are read: ``cpu.max`` holds a quota and the period it is for, and so do two files in version 1.
    """
    left = [math.inf]
    for line in _lines(groups):
        _, controllers, path = line.split(":", 2)
        folder = mounted if not controllers else f"{mounted}/cpu" if "cpu" in controllers.split(",") else ""
        group = path.rstrip("/")
        while folder:
            for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
                words = " ".join(text for name in files for text in _lines(f"{folder}{group}/{name}")).split()
                if len(words) == 2 and words[0].isdigit():  # neither "max" nor -1
                    left.append(int(words[0]) / int(words[1]))
            if not group:
                break
            group = group.rpartition("/")[0]
    return min(left)


def parents() -> dict[int, int]:
    """Return every process and its parent.

    Examples
    --------
    >>> parents()[os.getpid()] == os.getppid()
    True
    """
    if not os.path.exists("/proc/self/stat"):
        import subprocess

        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}
    found = {}
    for pid in _pids():
        with contextlib.suppress(OSError):
            found[pid] = int(_stat(f"/proc/{pid}/stat")[1])
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes below one, those that have ended unnoticed among them; each stands before its children.

    Examples
    --------
    >>> os.getpid() in descendants(os.getppid())
    True
    """
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    found = list(children.get(pid, []))
    for each in found:
        found += children.get(each, [])
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, words with spaces in quotes; empty where that can't be read.

    Examples
    --------
    >>> "python" in command_of(os.getpid())
    True
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return ""
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def states_of(pid: int) -> set[str]:
    """Return the states of a process's threads, such as ``R`` running, ``S`` waiting, ``T`` stopped.

    Empty where they can't be read.

    Examples
    --------
    >>> "R" in states_of(os.getpid())
    True
    """
    found = set()
    with contextlib.suppress(OSError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found.add(_stat(f"/proc/{pid}/task/{tid}/stat")[0])
    return found


def open_file(pid: int, fd: int) -> str:
    """Return what a file descriptor stands for, as the kernel calls it; empty where that can't be read.

    Examples
    --------
    >>> reading, writing = os.pipe()
    >>> open_file(os.getpid(), reading)
    'pipe:[...]'
    """
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    return ""


def holders(files: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yield ``(pid, fd)`` wherever a process has one of some files open, which are named as by `open_file`.

    Examples
    --------
    >>> reading, writing = os.pipe()
    >>> {(os.getpid(), reading), (os.getpid(), writing)} <= set(holders([open_file(os.getpid(), reading)]))
    True
    """
    for pid in _pids():
        with contextlib.suppress(OSError):
            for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
                if open_file(pid, fd) in files:
                    yield pid, fd


def rows(table: str) -> list[list[str]]:
    """Return the rows of one of the kernel's tables without its heading; none where it can't be read.

    Examples
    --------
    >>> rows("/proc/no/table")
    []
    """
    return [line.split() for line in _lines(table)[1:]]


def orders(parent: int | None = None) -> Iterator[str]:
    """Yield the lines that the parent writes to our stdin, until it closes that, or is gone, however it ended.

    Nothing else may read stdin.

    Parameters
    ----------
    parent
        Its process id; that of the present parent when None.
    """
    return _orders(os.getppid() if parent is None else parent)


def end_with_parent(parent: int | None = None, number: int = _SIGKILL) -> None:
    """Let a signal reach this process as soon as its parent has ended, however it did; at once where it has already.

    The kernel sends it when the thread ends that started this process. Elsewhere than on Linux nothing is sent.

    Parameters
    ----------
    parent
        Its process id; that of the present parent when None.
    number
        The signal.
    """
    parent = os.getppid() if parent is None else parent
    set_process_option(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def set_process_option(option: int, value: int) -> None:
    """Set one of this process's own options by prctl(2), where there is one."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def detach() -> int:
    """Go on in a process that is nobody's child, in a session of its own; return the one before, which ends at once."""
    before = os.getpid()
    if os.fork():
        os._exit(0)
    os.setsid()
    return before


def _orders(parent: int) -> Iterator[str]:
    waiting = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], LOOK_S)[0]:
            continue
        data = os.read(0, 1 << 16)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            yield line.decode()


def _pids() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def _stat(path: str) -> list[str]:
    """Return the fields of a ``stat`` file behind the command's name: the state, the parent and the rest."""
    with open(path) as file:
        return file.read().rpartition(")")[2].split()


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
