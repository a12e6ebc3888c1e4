"""Which process or service is behind a network address."""

from __future__ import annotations

import socket

from workbench.proc import LISTENING, command_of, holders, rows

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
    sockets = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for fields in rows(f"/proc/net/{table}")
        if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    return next((pid for pid, _ in holders(sockets)), 0) if sockets else 0
