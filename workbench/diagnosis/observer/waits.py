"""What a thread that sleeps in the kernel waits for, from its system call and the files it has open."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import socket
import struct
import time

from workbench.diagnosis.observer.memory import Memory, Stacks
from workbench.diagnosis.observer.protocol import (
    CHILD,
    DISK,
    EVENT_LOOP,
    FUTEX,
    GIL,
    LISTENING_ON,
    LOCK,
    NETWORK,
    OTHER,
    PIPE,
    SLEEP,
    SOCKET_PAIR,
    TIMED,
)
from workbench.proc import LISTENING, command_of, holders, open_file, rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_X86_64 = {
    0: "read", 1: "read", 17: "read", 18: "read", 19: "read", 20: "read", 295: "read", 296: "read",
    44: "read", 45: "read", 46: "read", 47: "read", 40: "read", 42: "connect", 43: "accept", 288: "accept",
    7: "poll", 271: "poll", 23: "select", 270: "select", 232: "epoll", 281: "epoll", 441: "epoll",
    35: "sleep", 230: "clock_sleep", 202: "futex", 61: "wait4", 247: "waitid", 56: "spawn", 58: "spawn", 435: "spawn",
    74: "file", 75: "file", 73: "lock", 76: "sync", 77: "file", 277: "file", 285: "file", 72: "lock", 217: "file",
    162: "sync", 306: "file", 26: "sync", 257: "sync", 2: "sync", 3: "file", 82: "sync", 87: "sync", 263: "sync",
    264: "sync", 316: "sync", 326: "file", 34: "pause", 130: "pause", 128: "pause",
}  # fmt: skip
_AARCH64 = {
    63: "read", 64: "read", 65: "read", 66: "read", 67: "read", 68: "read", 69: "read", 70: "read", 206: "read",
    207: "read", 211: "read", 212: "read", 71: "read", 203: "connect", 202: "accept", 242: "accept", 73: "poll",
    72: "select", 22: "epoll", 441: "epoll", 101: "sleep", 115: "clock_sleep", 98: "futex", 260: "wait4",
    95: "waitid", 220: "spawn", 435: "spawn", 82: "file", 83: "file", 32: "lock", 46: "file", 84: "file", 47: "file",
    25: "lock", 61: "file", 81: "sync", 267: "file", 227: "sync", 56: "sync", 57: "file", 276: "sync", 35: "sync",
    285: "file", 133: "pause", 137: "pause",
}  # fmt: skip
CALLS = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(os.uname().machine, {})

#: Files by which an event loop is woken up by its own process, or by a clock.
_WAKE_UPS = (SOCKET_PAIR, "eventfd", "timerfd", "signalfd", "io_uring")

_libc = ctypes.CDLL(None)
_PIDFD_GETFD = 438
_MAX_POLLED = 32


class _Seldom:
    """What is dear to read: kept for so long that reading takes a twentieth of the time at most."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read, self._stale_at = read, 0.0

    def __call__(self) -> Any:
        now = time.monotonic()
        if now >= self._stale_at:
            self._value = self._read()
            self._stale_at = now + 20 * (time.monotonic() - now)
        return self._value


class Waits:
    """Tells the waits of one process; ``stacks`` (may be None) knows where the GIL is.

    The standard input of the ``first`` process, unlike that of its children, comes from outside.
    """

    def __init__(self, pid: int, memory: Memory | None, stacks: Stacks | None, *, first: bool = False) -> None:
        self._pid = pid
        self._piped = open_file(pid, 0) if first else ""
        self._memory = memory
        self._stacks = stacks
        self._peers: dict[str, tuple[str, str]] = {}
        self._pidfd = -1
        with contextlib.suppress(OSError):
            self._pidfd = os.pidfd_open(pid)
        self._sockets = _Seldom(lambda: _sockets(pid))
        self._served = _Seldom(lambda: _served(pid))
        self._epolls: dict[int, _Seldom] = {}

    def close(self) -> None:
        """Let go of the process."""
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def name(self, syscall: str) -> tuple[str, str]:
        """Return ``(raw kind, target)`` for a line of ``/proc/PID/task/TID/syscall`` of a blocked thread."""
        fields = syscall.split()
        number = int(fields[0])
        if number < 0 or len(fields) < 7:
            return DISK, "page fault"
        args = [int(field, 16) for field in fields[1:7]]
        call = CALLS.get(number)
        if call == "futex":
            return self._futex(args)
        if call in ("sleep", "clock_sleep"):
            return SLEEP, "sleep"
        if call == "lock":  # flock, fcntl
            return LOCK, self.file(args[0])[1]
        if call in ("read", "connect", "accept", "file"):
            kind, target = self.file(args[0])
            return kind, self._destination(args) or target if call == "connect" else target
        if call in ("poll", "select", "epoll"):
            return {"poll": self._poll, "select": self._select, "epoll": self._epoll}[call](args)
        if call in ("wait4", "waitid"):
            pid = args[0] if call == "wait4" else args[1]
            return CHILD, str(pid) if 0 < pid < 1 << 31 else ""
        return {"spawn": (CHILD, ""), "sync": (DISK, "file system"), "pause": (SLEEP, "signal")}.get(
            call or "", (OTHER, f"system call {number}")
        )

    def file(self, fd: int) -> tuple[str, str]:
        """Return the raw kind and name of what an open file descriptor stands for."""
        link = open_file(self._pid, fd)
        if not link:
            return OTHER, f"file descriptor {fd}"
        if link.startswith("socket:"):
            return self._socket(fd, link[8:-1])
        if link.startswith("pipe:"):
            return (NETWORK, self._feeder) if link == self._piped else (PIPE, link)
        if link.startswith("anon_inode:"):
            name = link[11:].strip("[]")
            return (CHILD, "") if name == "pidfd" else (OTHER, name)
        if link.startswith(("/dev/pts/", "/dev/tty")):
            return OTHER, f"terminal {link}"
        return DISK, link

    @functools.cached_property
    def _feeder(self) -> str:
        """Name standard input, a pipe, by who writes to it."""
        writers = {command_of(pid) for pid, fd in holders([self._piped]) if _only_written(pid, fd)}
        return f"stdin, a pipe from {', '.join(sorted(writers)) or 'nobody who could be seen'}"

    def _destination(self, args: list[int]) -> str:
        """Return the address that a ``connect`` was given; empty when it is of another family."""
        if self._memory is None:
            return ""
        data = self._memory.read(args[1], min(args[2], 28))
        family, port = struct.unpack_from("=H", data)[0], struct.unpack_from(">H", data, 2)[0]
        if family == socket.AF_INET:
            return _endpoint((socket.inet_ntop(family, data[4:8]), port))
        if family == socket.AF_INET6:
            return _endpoint((socket.inet_ntop(family, data[8:24]), port))
        return ""

    def _futex(self, args: list[int]) -> tuple[str, str]:
        if self._stacks is not None and self._stacks.in_runtime(args[0]):
            return GIL, "GIL"
        return FUTEX, f"{args[0]:#x}{TIMED if args[3] else ''}"

    def _poll(self, args: list[int]) -> tuple[str, str]:
        count = min(args[1], _MAX_POLLED)
        if not count:
            return SLEEP, "sleep"
        if self._memory is None:
            return OTHER, "poll"
        data = self._memory.read(args[0], 8 * count)
        return self._any_of([struct.unpack_from("i", data, 8 * index)[0] for index in range(len(data) // 8)])

    def _select(self, args: list[int]) -> tuple[str, str]:
        if self._memory is None or not args[0]:
            return SLEEP, "sleep"
        size = (min(args[0], 1024) + 7) // 8
        fds = []
        for pointer in args[1:4]:
            if pointer:
                bits = int.from_bytes(self._memory.read(pointer, size), "little")
                fds += [fd for fd in range(size * 8) if bits >> fd & 1]
        return self._any_of(fds[:_MAX_POLLED])

    def _epoll(self, args: list[int]) -> tuple[str, str]:
        found: tuple[str, str] = self._epolls.setdefault(args[0], _Seldom(lambda: self._watched_by(args[0])))()
        return found

    def _watched_by(self, epoll: int) -> tuple[str, str]:
        try:
            with open(f"/proc/{self._pid}/fdinfo/{epoll}") as info:
                fds = [int(line.split()[1]) for line in info if line.startswith("tfd:")]
        except (OSError, ValueError, IndexError):
            fds = []
        return self._any_of(fds[:_MAX_POLLED])

    def _any_of(self, fds: list[int]) -> tuple[str, str]:
        """Name a wait for any of several files: the kind says the most telling, the target names all of them."""
        found = [self.file(fd) for fd in dict.fromkeys(fds) if fd >= 0]
        for kind in (NETWORK, CHILD, PIPE, DISK, OTHER):
            targets = dict.fromkeys(target for which, target in found if which == kind and target not in _WAKE_UPS)
            if targets:
                # A client that waits for a peer beats a server socket that is merely open.
                peers = [target for target in targets if not target.startswith("listening")] or list(targets)
                return kind, ", ".join(sorted(peers)[:4]) + (", …" if len(peers) > 4 else "")
        if not found:
            return SLEEP, "sleep"
        return PIPE, SOCKET_PAIR if any(target == SOCKET_PAIR for _, target in found) else EVENT_LOOP

    def _socket(self, fd: int, inode: str) -> tuple[str, str]:
        if inode not in self._peers:
            peer = self._peer(fd) or self._sockets().get(inode)
            if peer is None:
                return NETWORK, "socket"
            self._peers[inode] = peer
        return self._peers[inode]

    def _peer(self, fd: int) -> tuple[str, str] | None:
        """Ask a duplicate of the socket for its peer."""
        if self._pidfd < 0:
            return None
        copy = _libc.syscall(_PIDFD_GETFD, self._pidfd, fd, 0)
        if copy < 0:
            return None
        with contextlib.suppress(OSError), socket.socket(fileno=copy) as twin:
            if twin.type == socket.SOCK_STREAM and twin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return NETWORK, LISTENING_ON + _endpoint(twin.getsockname())
            peer, own = twin.getpeername(), twin.getsockname()
            if twin.family in (socket.AF_INET, socket.AF_INET6) and own[1] in self._served():
                return NETWORK, LISTENING_ON + _endpoint(own)
            return (PIPE, SOCKET_PAIR) if peer in ("", b"") else (NETWORK, _endpoint(peer))
        return None


def _only_written(pid: int, fd: int) -> bool:
    """Say whether a file descriptor is open for writing alone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{fd}") as info:
        flags = next(line for line in info if line.startswith("flags:"))
        return int(flags.split()[1], 8) & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY
    return False


def own_core() -> int:
    """Return the core that this thread runs on."""
    return int(_libc.sched_getcpu())


def _endpoint(address: tuple[str, int] | str | bytes) -> str:
    """Write a socket's address as ``127.0.0.1:5432``, ``[::1]:5432`` or the path of a Unix socket."""
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return address if isinstance(address, str) else address.decode(errors="replace")


def _sockets(pid: int) -> dict[str, tuple[str, str]]:
    """Return inode → (kind, peer) for every socket in the process's network namespace."""
    found = {}
    served = _served(pid)
    for family in ("tcp", "tcp6", "udp", "udp6"):
        for fields in rows(f"/proc/{pid}/net/{family}"):
            if len(fields) > 9:
                local, remote = _address(fields[1]), _address(fields[2])
                serves = family.startswith("tcp") and _port(fields[1]) in served
                found[fields[9]] = (NETWORK, f"{LISTENING_ON}{local}" if serves else remote)
    for fields in rows(f"/proc/{pid}/net/unix"):
        if len(fields) > 6:
            path = fields[7] if len(fields) > 7 else ""
            found[fields[6]] = (NETWORK, path) if path else (PIPE, SOCKET_PAIR)
    return found


def _served(pid: int) -> set[int]:
    """Return the ports on which somebody listens where a process stands."""
    return {
        _port(fields[1])
        for family in ("tcp", "tcp6")
        for fields in rows(f"/proc/{pid}/net/{family}")
        if len(fields) > 9 and fields[3] == LISTENING
    }


def _port(text: str) -> int:
    return int(text.rpartition(":")[2], 16)


def _address(text: str) -> str:
    """Turn the kernel's hexadecimal ``0100007F:1538`` into ``127.0.0.1:5432``."""
    host, port = text.split(":")
    raw = b"".join(bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8))
    if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":
        raw = raw[12:]
    if len(raw) == 4:
        return f"{'.'.join(map(str, raw))}:{int(port, 16)}"
    groups = [f"{raw[at] << 8 | raw[at + 1]:x}" for at in range(0, 16, 2)]
    return f"[{':'.join(groups)}]:{int(port, 16)}".replace("[0:0:0:0:0:0:0:1]", "[::1]")
