"""What a task does that leaves the process: output, files, messages, statements, programs, signals.

Nothing of it is prevented or repeated; it is seen from several sides, for no one of them sees all:

========================  ==========================================================================================
audit events              files opened for writing, renamed, removed; SQLite's; programs; signals
sockets' ``send``         bytes to peers, before they are encrypted: `workbench.comparison.spoken` says what they mean
``sys.stdout.write``      output by ``print`` and handlers, whatever stands for the stream in a notebook or a test
open descriptors          where they stand, and what they refer to (``/proc/self/fd``): files written that were open
TCP's own counts          bytes that C code sent on connections that outlive the call
bytes written (``/proc``)  all that none of these explains
========================  ==========================================================================================

The audit hook can't be taken away once it is installed: it is idle while nobody watches. The replaced methods are put
back. Threads that were there before, but for those of pools, are strangers: a server, a notebook's messages.
"""

from __future__ import annotations

import fcntl
import functools
import io
import os
import re
import signal
import socket
import ssl
import stat
import struct
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from workbench.comparison.spoken import Spoken, spoken, spoken_sql

#: No more open descriptors are looked at.
MOST_DESCRIPTORS = 1000
_DNS = 53
#: Drivers in C, whose bytes pass no socket of Python's: the classes whose ``execute`` is given the statements.
_DRIVERS = {"psycopg": ("Cursor", "AsyncCursor", "ClientCursor", "AsyncClientCursor")}
_TLS = (b"\x14\x03", b"\x15\x03", b"\x16\x03", b"\x17\x03")
#: Where the kernel keeps how many bytes were sent, in ``struct tcp_info``.
_BYTES_SENT = 200
#: How often the bytes that threads wrote are read, until two readings agree.
READINGS = 10
#: The clock that files are stamped by ticks no seldomer; how much of a file is read that changed since.
_TICK_NS = 20_000_000
_BEGINNING = 65536
_watches: list[Watch] = []


@dataclass(frozen=True)
class Effect:
    """One thing that a task does to the world outside its process.

    ``kind`` is ``output``, ``file``, ``http``, ``sql``, ``message``, ``datagram``, ``program``, ``signal``, ``mail`` or
    ``bytes``; ``what`` is said of the task: ``sends POST to 127.0.0.1:8931``. ``first`` is where it was seen first, as
    the watch was told to count.

    Examples
    --------
    >>> str(Effect("output", "prints"))
    'prints'
    """

    kind: str
    what: str
    times: int = 1
    first: int = 0

    def __str__(self) -> str:
        """Return what is said of the task."""
        return self.what


@dataclass(frozen=True)
class _File:
    """A path as it is: one that was opened for writing, moved or removed is looked at before and after.

    ``begins`` is how its content begins, where it changed so lately that the time of another change may be the same.
    """

    kind: int = 0
    size: int = 0
    changed_ns: int = 0
    begins: bytes = b""

    @classmethod
    def at(cls, path: str, *, read: bool = False) -> _File:
        try:
            now = os.stat(path)
        except OSError:
            return cls()
        begins = b""
        if stat.S_ISREG(now.st_mode) and (read or time.time_ns() - now.st_mtime_ns < _TICK_NS):
            with suppress(OSError), open(path, "rb") as file:
                begins = file.read(_BEGINNING)
        return cls(stat.S_IFMT(now.st_mode), now.st_size, now.st_mtime_ns, begins)


@dataclass
class Watch:
    """Hears of everything while it is installed; `effects` and `talks_to` are complete at its end."""

    at: Callable[[], int] = lambda: 0
    effects: dict[tuple[str, str], Effect] = field(default_factory=dict)
    talks_to: dict[str, int] = field(default_factory=dict)
    #: What was done to the process itself: its folder, its environment.
    touched: set[str] = field(default_factory=set)
    _files: dict[str, tuple[_File, int]] = field(default_factory=dict)
    _anew: set[str] = field(default_factory=set)
    _understood: set[Any] = field(default_factory=set)
    _encrypted: dict[str, int] = field(default_factory=dict)
    _plain_text: bool = False
    _opened: bool = False
    _others_print: bool = False
    _others_send: set[int] = field(default_factory=set)
    _strangers: set[int] = field(default_factory=set)
    _strange_tasks: set[int] = field(default_factory=set)
    _their_threads: weakref.WeakSet[threading.Thread] = field(default_factory=weakref.WeakSet)

    def note(self, kind: str, what: str) -> None:
        """Add one to what was done."""
        was = self.effects.get((kind, what))
        self.effects[kind, what] = (
            Effect(kind, what, was.times + 1, was.first) if was else Effect(kind, what, 1, self.at())
        )

    def sent(self, peer: str, said: Spoken, stream: Any = None) -> None:
        """Note what was said to a peer; more bytes on a stream that was understood belong to what was said before."""
        if said.does == "write":
            self.note(said.kind, f"sends {said.word} to {peer}")
        elif said.does == "unknown" and (said.word or (peer, stream) not in self._understood):
            name = f"{peer} ({said.word})" if said.word else peer
            self.talks_to.setdefault(name, self.at())
        if said.does != "unknown":
            self._understood |= {(peer, stream), peer}

    def file(self, name: Any, folder: int = -1, *, anew: bool = False) -> None:
        """Note a file as it is before it is opened for writing, moved or removed; ``anew``: whatever is written."""
        path = _absolute(name, folder)
        if path is None or "__pycache__" in path:
            return
        self._opened = True
        if path not in self._files:
            self._files[path] = _File.at(path), self.at()
        if anew:
            self._anew.add(path)

    def strange(self) -> bool:
        """Say whether the current thread was there before, or was started by one that was."""
        me = threading.get_ident()
        return me in self._strangers or threading._active.get(me) in self._their_threads  # type: ignore[attr-defined]

    def finish_files(self) -> None:
        """Note the files that are otherwise than before; what was written and removed again is no trace."""
        for path, (was, first) in self._files.items():
            now = _File.at(path, read=bool(was.begins))
            if (does := _done_to(was, now, anew=path in self._anew)) and path != os.devnull:
                self.effects["file", f"{does} {path}"] = Effect("file", f"{does} {path}", 1, first)


def _done_to(was: _File, now: _File, *, anew: bool) -> str:
    if not now.kind:
        return "removes" if was.kind else ""
    if now.kind == stat.S_IFDIR:
        return "" if was.kind else "makes"
    if now.kind != stat.S_IFREG:
        return "writes" if now.kind in (stat.S_IFIFO, stat.S_IFCHR) else ""
    if was.kind != now.kind or (anew and now.size):
        return "writes"
    same = was.begins == now.begins if was.begins and now.begins else was.changed_ns == now.changed_ns
    return "" if was.size == now.size and (same or not now.size) else "writes"


@contextmanager
def watch(files: Callable[[], dict[str, Any]], *, at: Callable[[], int] = lambda: 0) -> Iterator[Watch]:
    """Watch what leaves the process while the code inside runs.

    Parameters
    ----------
    files
        Returns the open files that the code may write to, by name: they are flushed before and after.
    at
        Returns a number that says where something was seen: the item at work.

    Examples
    --------
    >>> with watch(dict) as seen:
    ...     _ = (tmp / "trace.txt").write_text("here")
    >>> [effect.kind for effect in seen.effects.values()]
    ['file']
    """
    _install_hook()
    found = Watch(at)
    with ExitStack() as listening:
        _watches.append(found)
        listening.callback(_watches.remove, found)
        # Strangers are found after threads are heard of that they start.
        _listen(listening)
        _find_strangers(found)
        for file in [*files().values(), *_streams()]:
            _flush(file)
        written, before = _bytes_written(found), _descriptors()
        try:
            yield found
        finally:
            listening.close()
            _look_at_descriptors(found, files(), written, before)
            found.finish_files()


def _find_strangers(found: Watch) -> None:
    pools = sys.modules.get("concurrent.futures.thread")
    working = set(pools._threads_queues) if pools is not None else set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread not in working:
            found._strangers.add(thread.ident or 0)
            found._their_threads.add(thread)
    # Those of native code too, which Python does not list: ZeroMQ's write whenever a notebook's kernel is spoken to.
    at_work = {threading.get_native_id(), *(thread.native_id for thread in working)}
    with suppress(OSError):
        found._strange_tasks = set(map(int, os.listdir("/proc/self/task"))) - at_work


# What is heard by audit events.


@functools.cache
def _install_hook() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if not _watches or (action := _EVENTS.get(event)) is None:
        return
    for found in list(_watches):
        if not found.strange():
            with suppress(Exception):  # of what is only looked at, nothing may fail the task
                action(found, *args)


def _open(found: Watch, name: Any, mode: Any, flags: int) -> None:
    if set(mode) & set("wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR):
        found._opened = True
        found.file(name, anew="w" in mode if mode else bool(flags & os.O_TRUNC))


def _rename(found: Watch, source: Any, target: Any, source_folder: int = -1, target_folder: int = -1) -> None:
    found.file(source, source_folder)
    found.file(target, target_folder, anew=True)


def _altered(found: Watch, name: Any, *_: Any) -> None:
    path = _absolute(name, -1)
    if path is not None and path not in found._files:
        found.note("file", f"writes {path}")


def _program(found: Watch, program: Any, args: Any = (), *_: Any) -> None:
    first = next(iter(args), program) if not isinstance(args, str | bytes | os.PathLike) else args
    name = os.fsdecode(first if first is not None else program)
    found.note("program", f"starts {os.path.basename(name.split()[0])}")


def _kill(found: Watch, pid: int, number: int) -> None:
    if number:
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        found.note("signal", f"sends {name}")


def _sqlite(found: Watch, database: Any) -> None:
    """Note the files of a database: C code opens them, and the connection can't be asked before it is made."""
    path = os.fsdecode(database)
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    if path and path != ":memory:":
        found.file(path)
        found.file(f"{path}-wal")


_EVENTS: dict[str, Callable[..., None]] = {
    "open": _open,
    "os.rename": _rename,
    "os.remove": lambda found, path, folder=-1: found.file(path, folder),
    "os.rmdir": lambda found, path, folder=-1: found.file(path, folder),
    "os.mkdir": lambda found, path, mode, folder=-1: found.file(path, folder),
    "os.link": lambda found, source, target, *folders: found.file(target, folders[-1] if folders else -1),
    "os.symlink": lambda found, source, target, folder=-1: found.file(target, folder),
    "os.truncate": lambda found, path, length: found.file(path),
    "os.utime": lambda found, path, *rest: found.file(path),
    "os.chmod": _altered,
    "os.chown": _altered,
    "os.chdir": lambda found, path: found.touched.add("the working directory"),
    "os.putenv": lambda found, key, value: found.touched.add(f"os.environ[{os.fsdecode(key)!r}]"),
    "os.unsetenv": lambda found, key: found.touched.add(f"os.environ[{os.fsdecode(key)!r}]"),
    "os.kill": _kill,
    "os.killpg": _kill,
    "os.system": lambda found, command: _program(found, command),
    "os.exec": _program,
    "os.posix_spawn": _program,
    "os.spawn": lambda found, mode, path, args, env: _program(found, path, args),
    "subprocess.Popen": _program,
    "pty.spawn": lambda found, args: _program(found, None, args),
    "os.fork": lambda found: found.talks_to.setdefault("a process that it forks", found.at()),
    "syslog.syslog": lambda found, *rest: found.note("message", "writes to the system's log"),
    "smtplib.send": lambda found, client, data: found.note("mail", f"sends mail by {client._host}"),
    "sqlite3.connect": _sqlite,
}


def _absolute(name: Any, folder: int) -> str | None:
    if not isinstance(name, str | bytes | os.PathLike):
        return None
    path = os.fsdecode(name)
    if not os.path.isabs(path) and isinstance(folder, int) and folder >= 0:
        with suppress(OSError):
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    return os.path.abspath(path)


# What is seen of streams, sockets and drivers, whose methods are replaced meanwhile.


def _listen(patched: ExitStack) -> None:
    for stream in _streams():
        for method in ("write", "writelines"):
            _replace(patched, stream, method, _telling(getattr(stream, method, None), _printed))
    for kind, names in ((socket.socket, ("send", "sendall", "sendmsg", "sendto")), (ssl.SSLSocket, ("send",))):
        for name in names:
            _replace(patched, kind, name, _telling(getattr(kind, name), _sent))
    _replace(patched, threading.Thread, "start", _starting(threading.Thread.start))
    _replace(patched, ssl.SSLObject, "write", _telling(ssl.SSLObject.write, _sent_encrypted))
    for package, kinds in _DRIVERS.items():
        for kind in filter(None, (getattr(sys.modules.get(package), name, None) for name in kinds)):
            for name in ("execute", "executemany", "copy", "stream"):
                if name in vars(kind):
                    _replace(patched, kind, name, _telling(getattr(kind, name), _executed))


def _telling(method: Any, tell: Callable[..., None]) -> Any:
    if method is None:
        return None
    bound = getattr(method, "__self__", None) is not None

    @functools.wraps(method)
    def telling(*args: Any, **options: Any) -> Any:
        for found in list(_watches):
            with suppress(Exception):  # of what is only looked at, nothing may fail the task
                if not found.strange():
                    tell(found, *(args if not bound else (None, *args)))
                elif tell is _printed:
                    found._others_print = True
                elif tell is _sent:
                    found._others_send.add(args[0].fileno())
        return method(*args, **options)

    return telling


def _starting(start: Any) -> Any:
    @functools.wraps(start)
    def starting(thread: threading.Thread) -> None:
        for found in list(_watches):
            if found.strange():
                found._their_threads.add(thread)
        start(thread)

    return starting


def _replace(patched: ExitStack, owner: Any, name: str, method: Any) -> None:
    """Set an attribute until the stack is closed; then it is as it was, which may be inherited."""
    own = vars(owner).get(name) if hasattr(owner, "__dict__") else None
    if method is None:
        return
    try:
        setattr(owner, name, method)
    except (AttributeError, TypeError):  # a stream that takes no attributes
        return
    patched.callback(functools.partial(_put_back, owner, name, own))


def _put_back(owner: Any, name: str, own: Any) -> None:
    with suppress(AttributeError):
        delattr(owner, name) if own is None else setattr(owner, name, own)


def _streams() -> list[Any]:
    found = {id(stream): stream for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) if stream}
    return list(found.values())


def _printed(found: Watch, stream: Any, text: Any, *_: Any) -> None:
    if text:
        found.note("output", "prints")


def _sent(found: Watch, sock: Any, data: Any, *rest: Any) -> None:
    if isinstance(sock, ssl.SSLSocket) and sock._sslobj is None:  # type: ignore[attr-defined]
        return
    address = next((part for part in reversed(rest) if isinstance(part, tuple | str | bytes)), None)
    peer = address if address is not None else sock.getpeername()
    if sock.type == socket.SOCK_DGRAM:
        if peer and not (isinstance(peer, tuple) and peer[1] == _DNS):
            found.note("datagram", f"sends a datagram to {_address(peer)}")
        return
    if not peer:  # a pair of sockets of this process
        return
    raw = b"".join(map(bytes, data)) if isinstance(data, list | tuple) else bytes(memoryview(data)[:65536])
    if raw.startswith(_TLS) and not isinstance(sock, ssl.SSLSocket):
        found._encrypted.setdefault(_address(peer), found.at())
    elif raw:
        found.sent(_address(peer), spoken(raw), stream=sock.fileno())


def _sent_encrypted(found: Watch, connection: ssl.SSLObject, data: Any) -> None:
    found._plain_text = True
    name = connection.server_hostname or "a peer"
    found.sent(os.fsdecode(name), spoken(bytes(memoryview(data)[:65536])), stream=id(connection))


def _executed(found: Watch, cursor: Any, statement: Any, *_: Any) -> None:
    info = cursor.connection.info
    peer = f"{info.hostaddr or info.host}:{info.port}"
    found._understood.add(peer)
    text = os.fsdecode(statement) if isinstance(statement, str | bytes) else statement.as_string(cursor)
    said = spoken_sql(text)
    if said.does == "write":
        found.note("sql", f"sends {said.word} to {peer}")


def _address(peer: Any) -> str:
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else os.fsdecode(peer).strip("\0")


# What is seen of descriptors.


@dataclass(frozen=True)
class _Descriptor:
    """An open descriptor that can be written: what it is, and where it stands."""

    identity: tuple[int, int]
    mode: int
    links: int
    both: bool
    stands: tuple[int, int, int]
    peer: str = ""
    sent: int = 0


def _descriptors() -> dict[int, _Descriptor]:
    found: dict[int, _Descriptor] = {}
    listening: set[int] = set()
    sockets: list[tuple[int, os.stat_result]] = []
    for name in os.listdir("/dev/fd")[:MOST_DESCRIPTORS]:
        with suppress(OSError, ValueError):
            number = int(name)
            access = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
            state = os.fstat(number)
            if stat.S_ISSOCK(state.st_mode):
                sockets.append((number, state))
            elif access != os.O_RDONLY:
                stands = (0, 0, 0)
                if stat.S_ISREG(state.st_mode):
                    stands = (os.lseek(number, 0, os.SEEK_CUR), state.st_size, state.st_mtime_ns)
                both = access == os.O_RDWR
                found[number] = _Descriptor((state.st_dev, state.st_ino), state.st_mode, state.st_nlink, both, stands)
    for number, state in sockets:
        with suppress(OSError):
            described = _socket(number, state, listening)
            if described is not None:
                found[number] = described
    return {number: one for number, one in found.items() if not one.peer or one.stands[0] not in listening}


def _socket(number: int, state: os.stat_result, listening: set[int]) -> _Descriptor | None:
    """Return a connection of this process to another; None for all other sockets."""
    with socket.socket(fileno=os.dup(number)) as copy:
        if copy.family not in (socket.AF_INET, socket.AF_INET6) or copy.type != socket.SOCK_STREAM:
            return None
        port = copy.getsockname()[1]
        if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            listening.add(port)
            return None
        sent = 0
        if hasattr(socket, "TCP_INFO"):
            counts = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            sent = struct.unpack_from("Q", counts, _BYTES_SENT)[0] if len(counts) >= _BYTES_SENT + 8 else 0
        return _Descriptor(
            (state.st_dev, state.st_ino), state.st_mode, 1, True, (port, 0, 0), _address(copy.getpeername()), sent
        )


def _look_at_descriptors(
    found: Watch, files: dict[str, Any], written: int | None, before: dict[int, _Descriptor]
) -> None:
    ended = _bytes_written(found)
    for name, file in files.items():
        if _flush(file):
            found.note("file", f"writes to {name}")
    for stream in _streams():
        # One of a notebook, or of a test, keeps nothing back; flushing it wakes a thread, which is no output.
        if isinstance(stream, io.TextIOWrapper) and _flush(stream) and not _output(found):
            found.note("output", "prints")
    after = _descriptors()
    wrote = written is None or ended is None or ended > written
    explained = 0
    for number, now in after.items():
        was = before.get(number)
        if now.peer:
            earlier = was.sent if was is not None and was.identity == now.identity else 0
            told = number in found._others_send or now.peer in found._understood | found._encrypted.keys()
            if now.sent > earlier and not told:
                found.talks_to.setdefault(now.peer, 0)
        elif was is not None and was.identity == now.identity and _was_written(was, now, wrote):
            explained += max(0, now.stands[0] - was.stands[0])
            _written_descriptor(found, number, now)
    if not found._plain_text:
        for peer, first in found._encrypted.items():
            found.talks_to.setdefault(peer, first)
    silent = not (found._opened or found.effects)
    if written is not None and ended is not None and ended - written > explained and silent:
        _unexplained(found, ended - written - explained, before)


def _was_written(was: _Descriptor, now: _Descriptor, wrote: bool) -> bool:
    """Say whether a file was written by this process: one that grew while it wrote nothing is another's log, too."""
    if not stat.S_ISREG(now.mode) or (now.stands[1] > was.stands[1] and not wrote):
        return False
    if was.stands[1:] != now.stands[1:]:
        return True
    return was.stands[0] != now.stands[0] and not now.both


def _written_descriptor(found: Watch, number: int, now: _Descriptor) -> None:
    if number in (1, 2):
        if not _output(found):
            found.note("output", "prints")
    elif now.links:  # one without a name is scratch paper: nobody else can read it
        with suppress(OSError):
            name = os.readlink(f"/proc/self/fd/{number}")
            if not (name.endswith(("-shm", "-journal")) or _is_output(now) or _is_of_parent(now)):
                kind = f"writes {name}"
                found.effects.setdefault(("file", kind), Effect("file", kind))


def _is_output(one: _Descriptor) -> bool:
    return any(_has(f"/dev/fd/{number}", one) for number in (1, 2))


def _is_of_parent(one: _Descriptor) -> bool:
    """Say whether a file is open in the process that started this one, too: a log that both write."""
    folder = f"/proc/{os.getppid()}/fd"
    try:
        return any(_has(os.path.join(folder, name), one) for name in os.listdir(folder))
    except OSError:  # another user's
        return False


def _has(link: str, one: _Descriptor) -> bool:
    with suppress(OSError):
        state = os.stat(link)
        return (state.st_dev, state.st_ino) == one.identity
    return False


def _output(found: Watch) -> bool:
    """Say whether output was noted, or can't be told from that of strangers where the bytes went."""
    return found._others_print or ("output", "prints") in found.effects


def _unexplained(found: Watch, count: int, before: dict[int, _Descriptor]) -> None:
    """Say where bytes went that passed no file, stream or socket that was looked at."""
    for number in (1, 2):
        if number in before and not stat.S_ISREG(before[number].mode):
            if not _output(found):
                found.note("output", "prints")
            return
    if any(not stat.S_ISREG(one.mode) and not one.peer for one in before.values()):
        found.note("bytes", "writes to an open descriptor")


def _flush(file: Any) -> bool:
    """Flush a file; return whether there was something to write, where that is known."""
    before = _bytes_of_thread()
    with suppress(Exception):  # closed, a full pipe
        file.flush()
    return before is not None and (_bytes_of_thread() or 0) > before


def _bytes_of_thread() -> int | None:
    return _wchar("/proc/thread-self/io")


def _bytes_written(found: Watch) -> int | None:
    """Return the bytes that this process wrote, but for those of threads that are strangers."""
    # What they write between two readings would be taken for the task's; some never stop writing.
    for _ in range(READINGS):
        theirs, total = _of_strangers(found), _wchar("/proc/self/io")
        if total is None:
            return None
        if theirs == _of_strangers(found):
            return total - theirs
    return None


def _of_strangers(found: Watch) -> int:
    return sum(_wchar(f"/proc/self/task/{number}/io") or 0 for number in found._strange_tasks)


def _wchar(path: str) -> int | None:
    try:
        found = re.search(r"wchar: (\d+)", Path(path).read_text())
    except OSError:
        return None
    return int(found[1]) if found else None
