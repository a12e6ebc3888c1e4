"""What the observer writes down and the diagnosis reads: messages, each a marshalled tuple of its kind and its fields.

The observer alone imports this at every start, so it must stay light; and it builds the tuple of each `Seen`, which it
does some hundred times a second for every thread, by hand.
"""

from __future__ import annotations

import marshal
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO, Any, NamedTuple
else:

    class _Made(type):
        """Makes what inherits from `NamedTuple` a named tuple: importing `typing` would take the observer 5 ms more."""

        def __new__(cls, name, bases, body):
            made = namedtuple(name, body["__annotations__"], module=__name__)
            made.__doc__ = body.get("__doc__")
            return made

    NamedTuple = type.__new__(_Made, "NamedTuple", (), {})

#: Files in the folder of a recording: the observer's messages, those from within, and two that say that the observer
#: watches, and that it has ended.
RECORDING, AWAITS, READY, DONE = "recording", "awaits", "recording.ready", "recording.done"

#: In place of the number of a wait: the thread is ready to run. In place of that of a stack: none could be read.
RUNNING = NO_STACK = -1

#: What a thread that is ready to run was found doing: a native call, Python, nothing for want of a core, that because
#: the observer had it, a native call that was seen to end, and one too short to be seen as such.
NATIVE, PYTHON, OFF_CORE, DISPLACED, SHORT, CALLING = range(6)

# Raw kinds of waiting. `futex`, `pipe` and `child` are settled later, by what the others do at that time.
GIL, FUTEX, LOCK, PIPE, CHILD, NETWORK, DISK, SLEEP, OTHER = (
    "gil", "futex", "lock", "pipe", "child", "network", "disk", "sleep", "other",
)  # fmt: skip

#: Targets of `PIPE`: two ends in one process, and the means by which nothing but an event loop's own wakes it up.
SOCKET_PAIR, EVENT_LOOP = "socket pair", "event loop"
#: The beginning of a target of `NETWORK`: a socket to which nobody has connected yet.
LISTENING_ON = "listening on "
#: The end of a target of `FUTEX` that is waited for no longer than until some time.
TIMED = " timed"


class Code(NamedTuple):
    """A code object, told once."""

    number: int
    file: str
    function: str
    first_line: int
    line_table: bytes


class Stack(NamedTuple):
    """A Python stack as ``(code, instruction)``, innermost first, told once."""

    number: int
    frames: tuple[tuple[int, int], ...]


class Wait(NamedTuple):
    """Something waited for, told once: its raw kind and what it is."""

    number: int
    kind: str
    target: str


class Process(NamedTuple):
    """A process, told once, and again when it runs another program; ``python``: its stacks can be read."""

    pid: int
    parent: int
    command: str
    python: bool


class Thread(NamedTuple):
    """A thread, told once."""

    pid: int
    tid: int
    name: str


class Seen(NamedTuple):
    """What one look at a thread showed: cumulative counters in ns, the numbers of its wait and stack, and its pace."""

    pid: int
    tid: int
    on_cpu_ns: int
    runqueue_ns: int
    wait: int
    stack: int
    pace: int


class Tick(NamedTuple):
    """One look at all threads: those that changed since the one before, and ``(pid, tid)`` of those that ended."""

    ns: int
    seen: tuple[Seen, ...]
    gone: tuple[tuple[int, int], ...]


class End(NamedTuple):
    """The last message of the observer, with the CPU time that it took itself."""

    ns: int
    cpu_s: float


class Awaiting(NamedTuple):
    """A task of an event loop that waits: its name and its lines as ``(file, line, function)``, the innermost first."""

    task: str
    places: tuple[tuple[str, int, str], ...]


class Awaits(NamedTuple):
    """What was seen of an event loop since the last such message, and the thread in the studied process that saw it.

    ``seen`` is what its tasks awaited, as ``(ns, all that waited)``, ``turns`` which turn it was at work on, as
    ``(ns, when that turn began)``; ``cpu_s`` is what all looks so far took.
    """

    tid: int
    cpu_s: float
    seen: tuple[tuple[int, tuple[Awaiting, ...]], ...]
    turns: tuple[tuple[int, float], ...]


KINDS = {cls.__name__: cls for cls in (Code, Stack, Wait, Process, Thread, Tick, End, Awaits)}
#: Where in the tuple of a `Seen` its wait stands.
SEEN_WAIT = Seen._fields.index("wait")

if TYPE_CHECKING:
    Message = Code | Stack | Wait | Process | Thread | Tick | End | Awaits
    SeenTuple = tuple[int, int, int, int, int, int, int]


def packed(message: Message) -> tuple[Any, ...]:
    """Return a message as a plain tuple, the only one that marshal takes."""
    return (type(message).__name__, *message)


def write(file: IO[bytes], messages: Iterable[tuple[Any, ...]]) -> None:
    """Write packed messages."""
    for message in messages:
        marshal.dump(message, file)


def read(file: IO[bytes]) -> Iterator[Message]:
    """Yield the messages in a file; a last one that was cut off is left out."""
    while True:
        try:
            kind, *fields = marshal.load(file)
        except (EOFError, ValueError, TypeError):
            return
        message = KINDS[kind](*fields)
        if isinstance(message, Tick):
            message = message._replace(seen=tuple(Seen(*seen) for seen in message.seen))
        elif isinstance(message, Awaits):
            seen = tuple((ns, tuple(Awaiting(*each) for each in tasks)) for ns, tasks in message.seen)
            message = message._replace(seen=seen)
        yield message
