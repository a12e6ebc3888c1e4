"""Ports of this machine: a free one, and whose the server is that listens on one."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

#: A server's address: host and port, or the path of a Unix socket.
Address = tuple[str, int] | str
#: When it is looked again.
AGAIN_S = 0.05
#: In the kernel's table of TCP sockets.
_LISTENS = "0A"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses, below those that the kernel gives to outgoing connections.

    A client that tries to reach a server while it is down could otherwise be given the server's own port.
    """
    free: list[int] = []
    while len(free) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as candidate:
            candidate.bind(("127.0.0.1", port))
            if port not in free:
                free.append(port)
    return free


def connect(address: Address, timeout_s: float) -> socket.socket:
    """Return a connection to a server."""
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def listens(address: Address) -> bool:
    """Say whether somebody takes connections there, whoever it is."""
    try:
        connect(address, 1).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except ConnectionResetError:  # it took the connection, and ends
        return True
    return True


def strangers_listen(port: int, ours: Callable[[], Iterable[int]]) -> bool:
    """Say whether a process that is not ours listens on a port: by ``lsof`` where there is no /proc.

    Parameters
    ----------
    port
        At whatever address of this machine.
    ours
        Returns the ids of our processes; called when the listeners are known, so that none of ours is missing.

    Examples
    --------
    >>> with socket.create_server(("127.0.0.1", 0)) as server:
    ...     port = server.getsockname()[1]
    ...     strangers_listen(port, lambda: [os.getpid()]), strangers_listen(port, lambda: [os.getppid()])
    (False, True)
    """
    if not Path("/proc/net/tcp").exists():
        command = ["lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return not {int(pid) for pid in listed.split()} <= set(ours())
    # A listener may have ended before its process was looked for: what is strange has to be so twice.
    strange = _strange_sockets(port, ours)
    if strange:
        time.sleep(AGAIN_S)
        strange &= _strange_sockets(port, ours)
    return bool(strange)


def _strange_sockets(port: int, ours: Callable[[], Iterable[int]]) -> set[str]:
    sockets = _listening_sockets(port)
    return sockets.keys() - {inode for pid in ours() for inode in _held_by(pid, sockets)} if sockets else set()


def _listening_sockets(port: int) -> dict[str, int]:
    """Return the inode of every socket that listens on a port, at whatever address, and its user."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, _, _, _, user, _, inode, *_ = line.split()
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    found[inode] = int(user)
    return found


def _held_by(pid: int, sockets: dict[str, int]) -> set[str]:
    """Return which of the sockets a process has open; none if it has ended."""
    process = Path(f"/proc/{pid}")
    held = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        try:
            for link in (process / "fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    held.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
        except PermissionError:  # root may not look into another user's process everywhere: its user will do
            user = process.stat().st_uid
            return {inode for inode, owner in sockets.items() if owner == user}
    return held & sockets.keys()
