"""Which process or service is behind a network address."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from workbench.diagnosis.observer.waits import command_of

_LISTENING = "0A"
_LOCAL = ("127.", "[::1]", "localhost")


def process_behind(address: str) -> str:
    """Return ``command (pid N)`` of the local process that listens at an address, or the usual service of its port.

    Empty when neither is known.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return ""
    if host.startswith(_LOCAL) and (pid := _listener(int(port))) and (command := command_of(pid)):
        return f"{command} (pid {pid})"
    try:
        return socket.getservbyport(int(port), "tcp")
    except (OSError, OverflowError):
        return ""


def _listener(port: int) -> int:
    """Return the pid of a process that listens on a local TCP port, 0 where none can be seen."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") in sockets:
                        return int(pid)
    return 0


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found
