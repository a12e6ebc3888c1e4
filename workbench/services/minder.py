"""The process that minds one service: it starts the server, and ends it when the workbench's process is gone.

A process that is killed with SIGKILL can't clean up after itself, and a server outlives its parent. So servers are
children of this process, which has nothing to do but to wait for orders on its stdin, one JSON object a line, and to
notice that they can't come any more. It runs without the rest of the workbench, to be there in milliseconds.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from workbench.proc import orders

#: How long a server may take to end on its own.
GRACE_S = 8.0


class Minder:
    """The servers of one service; each method is an order."""

    def __init__(self) -> None:
        self._processes: dict[int, tuple[subprocess.Popen[bytes], int]] = {}

    def start(self, command: list[str], env: dict[str, str], log: str, user: str | None, stop_signal: int) -> int:
        """Start a process in a session of its own, and return its id, which is that of its group too."""
        with open(log, "ab") as out:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                cwd=os.path.dirname(log), user=user, group=user and _group_of(user),
                extra_groups=None if user is None else [],
            )  # fmt: skip
        self._processes[process.pid] = process, stop_signal
        return process.pid

    def ended(self, pid: int) -> bool:
        """Say whether a process has ended; what is left of its group is ended too."""
        if pid in self._processes and self._processes[pid][0].poll() is not None:
            self.stop(pid)
        return pid not in self._processes

    def stop(self, pid: int) -> None:
        """End a process by its own signal, then its group for certain."""
        process, stop_signal = self._processes.pop(pid)
        if process.poll() is None:
            _signal(pid, stop_signal)
            _signal(pid, signal.SIGCONT)  # it may be paused
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        _signal(pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        """End all processes, the last one first."""
        for pid in reversed(list(self._processes)):
            self.stop(pid)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _remove(folder: str) -> None:
    """Remove a folder; what is just ending may write into it once more."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.05)


def main(folder: str, parent: str) -> None:
    """Take orders until the parent says stop, closes our stdin or is gone; then end all and remove the folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    minder = Minder()
    try:
        for line in orders(int(parent)):
            order: dict[str, Any] = json.loads(line)
            try:
                reply = {"done": getattr(minder, order.pop("do"))(**order)}
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()
    finally:
        minder.stop_all()
        _remove(folder)
