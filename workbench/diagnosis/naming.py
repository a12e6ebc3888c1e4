"""Names for what was seen: the line that waited, the lock, the child."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from workbench.diagnosis.observer.protocol import (
    CHILD,
    EVENT_LOOP,
    FUTEX,
    LISTENING_ON,
    PIPE,
    SOCKET_PAIR,
    TIMED,
    Awaiting,
)
from workbench.diagnosis.recorder import Recording
from workbench.origin import OWN_CODE, innermost
from workbench.source import Source, called, own_nodes, text_of

#: Waiting for other threads or children: told as what those do.
JOIN = "join"
#: Waiting for work: no part of what the task waits for.
IDLE = "idle"

#: Waiting for what somebody will say: whom the event loop listens to, if to anybody, and own threads otherwise.
FUTURE = "future"

_FIRST_AWAIT = 1 << 40  # stacks of awaits are numbered from here on
_TAKES_A_LOCK = re.compile(r"^\s*with\b|\bacquire(_lock)?\s*\(|__enter__\s*\(")
_SUBPROCESSES = ("subprocess.py", "base_subprocess.py")
_SOURCES_OF_WORK = ("queues.py", "connection.py", "pool.py")
#: The functions of queues that wait.
_GETS = ("Queue.get", "SimpleQueue.get", "_PySimpleQueue.get")
#: Names of functions that lend something of which there is only so much.
_LENDS = re.compile(r"conn|acquire|checkout|check_out|borrow|lease|lend|_do_get", re.IGNORECASE)
#: How far out from a queue the function stands that lends what is in it.
_LENDERS = 4
#: Functions of libraries that wait for a free connection without a queue, by the ends of their files; what limits them.
_LIMITED = {
    ("aiohttp/connector.py", "_wait_for_available_connection"): "aiohttp.TCPConnector.limit",
    ("connection_pool.py", "wait_for_connection"): "httpx.Limits.max_connections",
    ("psycopg_pool/pool.py", "wait"): "psycopg_pool.ConnectionPool.max_size",
    ("psycopg_pool/pool_async.py", "wait"): "psycopg_pool.AsyncConnectionPool.max_size",
}


class Place(NamedTuple):
    """A line of Python code."""

    file: str
    line: int
    function: str


NOWHERE = Place("", 0, "")


class Settled(NamedTuple):
    """What a wait is: a part, `JOIN` or `IDLE`; ``alone`` is the part when nobody else does anything."""

    part: str
    target: str
    alone: str
    child: int = 0


class Namer:
    """Turns the numbers of a recording into places and names."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._has_children = len(recording.processes) > 1
        self._codes: dict[int, CodeType] = {}
        self._places: dict[tuple[int, int], Place] = {}
        self._settled: dict[tuple[int, int, bool], Settled] = {}
        self._user_places: dict[int, Place] = {}
        self._awaits: dict[tuple[tuple[str, int, str], ...], int] = {}
        self._await_places: dict[int, list[Place]] = {}

    def settle(self, wait: int, stack: int, python: bool) -> Settled:
        """Say what a wait stands for, given the stack of the thread; ``python``: its process's stacks can be read."""
        key = (wait, stack, python)
        if key not in self._settled:
            self._settled[key] = self._settle(*self._recording.waits[wait], self.places(stack), python)
        return self._settled[key]

    def _settle(self, raw: str, target: str, places: list[Place], python: bool) -> Settled:
        if raw == CHILD:
            child = int(target or 0)
            command = self._recording.processes[child].command if child in self._recording.processes else ""
            return Settled(JOIN, command, "child", child)
        if not places and (python or raw == FUTEX):
            return Settled(IDLE, target, "sleep" if target.endswith(TIMED) else "other")
        if raw == PIPE:
            selecting = places and places[0].file.endswith("selectors.py")
            if target == EVENT_LOOP or (selecting and target == SOCKET_PAIR):
                return Settled(JOIN, EVENT_LOOP, "sleep")
            return Settled(JOIN, target, "child" if self._has_children else "sleep" if selecting else "other")
        if raw == FUTEX:
            return self._futex(target, places)
        if target.startswith(LISTENING_ON):  # a server that nobody asks is idle
            return Settled("sleep", target, "sleep")
        return Settled(raw, target, raw)

    def _futex(self, target: str, places: list[Place]) -> Settled:
        place = places[0]
        names = [Path(item.file).name for item in places[:3]]
        functions = {item.function.rpartition(".")[2] for item in places[:3] if item.file.endswith("threading.py")}
        takes = _TAKES_A_LOCK.search(Source().text(place))
        if lent := _lent(places):
            return Settled("lock", lent, "lock")
        if any(name in _SOURCES_OF_WORK for name in names):
            takes = None
        if "wait" in functions or "_wait_for_tstate_lock" in functions or "join" in functions:
            takes = None if "acquire" not in functions else takes
        if takes:
            return Settled("lock", _lock_name(places), "lock")
        return Settled(JOIN, target, "sleep" if target.endswith(TIMED) else "lock")

    def lock_name(self, stack: int) -> str:
        """Return the expression, in the innermost line of the user's code, that took a lock."""
        places = self.places(stack)
        return _lent(places) or _lock_name(places)

    def polls(self, stack: int) -> bool:
        """Say whether a stack is that of an event loop waiting for events."""
        return any(_is_loop(place) for place in self.places(stack)[:2])

    def runs_in_loop(self, stack: int) -> bool:
        """Say whether a stack is inside a callback or task of an event loop that is part of the task."""
        for place in self.places(stack):
            if place.function.rpartition(".")[2] == "diagnose" and place.file.startswith(OWN_CODE):
                return False  # the loop, of a notebook say, runs around the task
            if place.function == "Handle._run" and "asyncio" in place.file:
                return True
        return False

    def awaits(self, awaiting: Awaiting) -> tuple[str, int]:
        """Return the part that a waiting task stands for, `JOIN` or `FUTURE`, and a number for its stack of awaits."""
        number = self._awaits.setdefault(awaiting.places, _FIRST_AWAIT + len(self._awaits))
        places = [Place(*place) for place in awaiting.places]
        self._await_places[number] = places
        if any("asyncio" in place.file and Path(place.file).name in _SUBPROCESSES for place in places):
            return "child", number
        innermost_of_asyncio = places[0] if "asyncio" in places[0].file else NOWHERE
        name = Path(innermost_of_asyncio.file).name, innermost_of_asyncio.function
        if name == ("tasks.py", "sleep"):
            return "sleep", number
        if name in (("locks.py", "Lock.acquire"), ("locks.py", "Semaphore.acquire")) or _lent(places):
            return "lock", number
        if name[0] in ("queues.py", "tasks.py", "threads.py", "taskgroups.py", "timeouts.py"):
            return JOIN, number
        return FUTURE, number

    def places(self, stack: int) -> list[Place]:
        """Return the lines of a stack, the innermost first."""
        if stack >= _FIRST_AWAIT:
            return self._await_places[stack]
        return [place for code, at in self._recording.stacks.get(stack, ()) if (place := self._place(code, at)).file]

    def user_place(self, stack: int) -> Place:
        """Return the innermost line of the user's own code; the innermost of all where there is none."""
        if stack not in self._user_places:
            self._user_places[stack] = innermost(self.places(stack)) or NOWHERE
        return self._user_places[stack]

    def _place(self, number: int, at: int) -> Place:
        key = (number, at)
        if key not in self._places:
            code = self._recording.codes[number]
            if code.function.startswith("<interpreter") or not code.line_table:
                self._places[key] = NOWHERE
            else:
                self._places[key] = Place(code.file, self._line(number, at), code.function)
        return self._places[key]

    def _line(self, number: int, at: int) -> int:
        if number not in self._codes:
            seen = self._recording.codes[number]
            self._codes[number] = Namer._line.__code__.replace(
                co_linetable=seen.line_table, co_firstlineno=seen.first_line
            )
        first = self._recording.codes[number].first_line
        for start, end, line in self._codes[number].co_lines():
            if start <= at < end:
                return line or first
        return first


def _lent(places: list[Place]) -> str:
    """Return the expression of a queue that is waited for as one waits for a lock; empty for any other wait.

    Who takes from a queue waits for work, unless the thing that is taken is put back after use: by the same function,
    or by whoever borrowed it from one that is called so. Pools of some libraries have a waiting list of their own.
    """
    for place in places[:_LENDERS]:
        for (file, name), limit in _LIMITED.items():
            if _own_name(place) == name and place.file.endswith(file):
                return limit
    inner = next((at for at, place in enumerate(places[:_LENDERS]) if place.function in _GETS), None)
    if inner is None or inner + 1 >= len(places):
        return ""
    caller = places[inner + 1]
    if owner := _puts_back(caller):
        return f"{owner}.get"
    lender = next((one for one in places[inner + 1 : inner + 1 + _LENDERS] if _LENDS.search(_own_name(one))), None)
    return _own_name(lender) if lender else ""


def _own_name(place: Place) -> str:
    return place.function.rpartition(".")[2]


@lru_cache(maxsize=1024)
def _puts_back(place: Place) -> str:
    """Return the queue from which a line takes what its function puts back there; empty where it does not."""
    nodes = list(own_nodes(Source().function(place)))
    taken = {
        (called(call)[0], text_of(target))
        for node in nodes
        if isinstance(node, ast.Assign) and node.lineno <= place.line <= (node.end_lineno or node.lineno)
        for target in node.targets
        for call in ast.walk(node.value)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and called(call)[1] == "get"
    }
    given = {
        (called(call)[0], text_of(call.args[0]))
        for call in nodes
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and called(call)[1] in ("put", "put_nowait")
        and call.args
    }
    return min(taken & given, default=("", ""))[0]


def _lock_name(places: list[Place]) -> str:
    place = innermost(places) or NOWHERE
    text = Source().text(place)
    found = re.search(r"([\w.\[\]'\"]+)\.acquire\s*\(", text) or re.search(
        r"^(?:async )?with\s+([^:,]+?)\s*(?:\bas\b|:|,)", text
    )
    return found[1] if found else text or "lock"


def _is_loop(place: Place) -> bool:
    return place.file.endswith("selectors.py") or (
        "asyncio" in place.file and place.function.rpartition(".")[2] in ("run_forever", "run_until_complete", "run")
    )
