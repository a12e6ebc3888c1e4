"""Shared state: what a task can change in this process besides its items, and what happened to it.

`snapshot` follows a function to all that it reaches by name and that is the user's own: globals, closures, default
arguments, helpers and their modules, classes, instances and their attributes. It copies what it finds, within bounds
of depth, size and time, and calls no code of the user's: no property, no ``__getattr__``, no ``__eq__``. Libraries and
their objects (sessions, pools, loggers, generators of random numbers) are no shared state of the user's.

`changes` says what happened between two snapshots, by name: ``Total.value``, ``bucket['level']``, ``helpers.SEEN``.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import dis
import enum
import fractions
import functools
import gc
import inspect
import io
import itertools
import mmap
import operator
import pathlib
import queue
import sys
import sysconfig
import threading
import time
import types
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from workbench.comparison.answers import same

#: A snapshot copies so many values at most, so deep, and takes no longer on the CPU; larger data has a check sum.
MOST_VALUES, DEEPEST, LONGEST_S, MOST_BYTES = 20_000, 6, 0.008, 1 << 20
#: Of a container with more elements, so many are looked at, evenly spread.
MOST_ELEMENTS = 10_000
_SAMPLE = 500
#: A variable that holds more values, but for plain ones side by side, is known by its length alone.
_MOST_IN_ONE = 2000
#: A variable that each thread has for itself: what other threads do to it can't be seen.
OF_A_THREAD = " (of a thread)"

_PLAIN = (
    bool, int, float, complex, str, bytes, type(None), range, enum.Enum, decimal.Decimal, fractions.Fraction, uuid.UUID,
    datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, pathlib.PurePath,
)  # fmt: skip
_SCALARS = {bool, int, float, complex, str, bytes, type(None)}
_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom, io.FileIO)
_ITERATORS: tuple[Any, ...] = (type(iter([])), type(iter(())), type(iter(range(0))), type(iter("")), type(iter(b"")))
#: What methods only write: a container on which a task calls no other is a collector, never a cache.
_WRITERS = {"append", "extend", "insert", "add", "update", "discard", "appendleft", "write", "put", "put_nowait"}
#: Folders of code that is not the user's.
_LIBRARIES = tuple(
    path.rstrip("/") + "/"
    for path in {*sysconfig.get_paths().values(), str(pathlib.Path(__file__).parent.parent)}
    if path not in (sys.prefix, sys.base_prefix)
)


@dataclass(frozen=True)
class Change:
    """What happened to a variable: ``by`` a number, ``appended``, ``added``, ``removed`` or ``set`` values.

    Examples
    --------
    >>> str(Change("by", 40)), str(Change("appended", [1, 2]))
    ('by 40', '2 appended')
    """

    how: str
    value: Any

    def __str__(self) -> str:
        """In a few words."""
        if self.how == "by":
            return f"by {_short(self.value)}"
        return f"set to {_short(self.value)}" if self.how == "set" else f"{len(self.value)} {self.how}"


@dataclass(frozen=True)
class Opaque:
    """Something whose inside is not looked at: another one, or one of another length, is another value."""

    kind: str
    identity: int
    length: int | None = None


@dataclass(frozen=True)
class Many:
    """A container that is too large to be copied: its length, and a sample of what it holds."""

    kind: str
    length: int
    sample: tuple[Any, ...]


@dataclass
class Snapshot:
    """Copies of variables by name, the files open among them, and the names that code reads back."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    read_back: set[str] = field(default_factory=set)
    whole: bool = True

    def collects(self, name: str) -> bool:
        """Say whether code writes to a variable and never reads it: it is no cache, though it fills but once."""
        parts = name.removesuffix(OF_A_THREAD).partition("[")[0].split(".")
        return parts[-1].partition(" of ")[0] not in self.read_back


def snapshot(func: Callable[..., Any]) -> Snapshot:
    """Return what a function can change in this process, as it is now.

    Examples
    --------
    >>> seen = []
    >>> snapshot(lambda n: seen.append(n)).values
    {'seen': []}
    """
    walk = _Walk()
    walk.start(func)
    return walk.found


def contents(value: Any) -> Any:
    """Return a copy of a value in plain types, which tells whether it was changed; of objects, their attributes.

    Examples
    --------
    >>> contents(types.SimpleNamespace(count=1, names=["a"]))
    ('SimpleNamespace', {'count': 1, 'names': ['a']})
    """
    walk = _Walk(identities=False)
    return walk.copied(value, 0)


class _TooLargeError(Exception):
    """A variable holds more than is copied."""


class _Walk:
    def __init__(self, *, identities: bool = True) -> None:
        self.found = Snapshot()
        self._identities = identities  # whether a copy of what can't be looked into is another value
        self._until_s = time.thread_time() + LONGEST_S
        self._left, self._left_in_one = MOST_VALUES, _MOST_IN_ONE
        self._visited: set[Any] = set()
        self._kept: list[Any] = []  # temporary objects, so that no other gets their identity while the walk lasts
        self._todo: collections.deque[Callable[[], None]] = collections.deque()
        self._names: set[str] = set()
        self._home: str | None = None

    def start(self, func: Any) -> None:
        self._value("self", func, root=True)
        while self._todo and not self._spent():
            self._todo.popleft()()
        self.found.whole = not self._todo and not self._spent()

    def _spent(self) -> bool:
        self._left -= 1
        if self._left > 0 and self._left % 64 == 0 and time.thread_time() > self._until_s:
            self._left = 0
        return self._left <= 0

    def _first_time(self, thing: Any) -> bool:
        if (key := id(thing)) in self._visited:
            return False
        self._visited.add(key)
        self._kept.append(thing)
        return True

    def _value(self, name: str, value: Any, *, root: bool = False) -> None:
        """Note a variable; follow it where it is code, or an object of the user's."""
        if self._spent() or (not isinstance(value, (*_PLAIN, tuple, frozenset)) and not self._first_time(value)):
            return
        if isinstance(value, types.FunctionType | types.MethodType | functools.partial | type | types.ModuleType):
            self._follow(name, value, root=root)
        elif isinstance(value, staticmethod | classmethod):
            self._follow(name, value.__func__)
        elif isinstance(value, property | functools.cached_property):
            for accessor in ("fget", "fset", "func"):
                if (inner := getattr(value, accessor, None)) is not None:
                    self._follow(name, inner)
        elif (wrapped := _wrapped(value)) is not None:
            self._follow(name, wrapped, root=root)
        elif (file := _file(value)) is not None:
            self.found.files[name] = file
        elif isinstance(value, threading.local):
            for attribute, inner in threading.local.__getattribute__(value, "__dict__").items():
                self._note(f"{name}.{attribute}{OF_A_THREAD}", inner)
        elif _holds_attributes(value):
            self._object(name, value)
        else:
            self._note(name, value)

    def _note(self, name: str, value: Any) -> None:
        self._left_in_one = _MOST_IN_ONE
        with suppress(Exception):  # whatever a library's object raises when it is asked for its length or a copy
            try:
                self.found.values[name] = self.copied(value, 0)
            except _TooLargeError:
                self.found.values[name] = Many(type(value).__name__, _length(value) or 0, ())

    def _follow(self, name: str, thing: Any, *, root: bool = False) -> None:
        if isinstance(thing, types.FunctionType):
            if root or _own(thing.__module__):
                self._todo.append(lambda: self._function(thing))
            if (wrapped := _wrapped(thing)) is not None:
                self._todo.append(lambda: self._value(name, wrapped, root=root))
        elif isinstance(thing, types.MethodType):
            # A method's own object is what a task that is a method works on.
            self._todo.append(lambda: self._value(name if not root else "self", thing.__self__))
            self._todo.append(lambda: self._value(name, thing.__func__, root=root))
        elif isinstance(thing, functools.partial):
            for index, argument in enumerate(thing.args):
                self._value(f"argument {index}", argument)
            for key, argument in thing.keywords.items():
                self._value(key, argument)
            self._todo.append(lambda: self._value(name, thing.func, root=root))
        elif isinstance(thing, type):
            if _own(thing.__module__):
                self._todo.append(lambda: self._class(thing))
        elif isinstance(thing, types.ModuleType) and _own(thing.__name__):
            self._todo.append(lambda: self._module(thing))

    def _function(self, func: types.FunctionType) -> None:
        self._home = self._home or func.__module__
        names, reads = _uses(func.__code__)
        self._names |= names
        self.found.read_back |= reads
        where = "" if func.__module__ == self._home else f"{func.__module__}."
        for name in sorted(names):
            if name in func.__globals__:
                self._variable(where + name, func.__globals__[name], (id(func.__globals__), name))
            elif (module := _imported(name, func.__globals__)) is not None:
                self._follow(name, module)
        for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
            with suppress(ValueError):  # not filled yet
                self._variable(self._free(name, func), cell.cell_contents, id(cell))
        defaults = func.__defaults__ or ()
        code = func.__code__
        arguments = code.co_varnames[: code.co_argcount][len(code.co_varnames[: code.co_argcount]) - len(defaults) :]
        given = [*zip(arguments, defaults, strict=True), *(func.__kwdefaults__ or {}).items()]
        for name, value in given:
            if not isinstance(value, _PLAIN):
                self._value(self._free(name, func), value)
        for name, value in vars(func).items():
            if name != "__wrapped__":
                self._variable(f"{func.__name__}.{name}", value, (id(func), name))

    def _free(self, name: str, func: types.FunctionType) -> str:
        """Return a name for what belongs to one function, which two may call the same."""
        return f"{name} of {func.__qualname__}" if name in self.found.values else name

    def _variable(self, name: str, value: Any, key: Any) -> None:
        if key not in self._visited:
            self._visited.add(key)
            self._value(name, value)

    def _module(self, module: types.ModuleType) -> None:
        where = "" if module.__name__ == self._home else f"{module.__name__}."
        for name in sorted(self._names & vars(module).keys()):
            self._variable(where + name, vars(module)[name], (id(vars(module)), name))

    def _class(self, kind: type) -> None:
        for ancestor in kind.__mro__:
            if not _own(ancestor.__module__):
                continue
            for name, value in list(vars(ancestor).items()):
                if name.startswith("__") and not callable(value):
                    continue
                if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
                    self._variable(f"{ancestor.__name__}.{name}", value, (id(ancestor), name))

    def _object(self, name: str, value: Any) -> None:
        """Note an object's attributes as variables, and what it holds as a container."""
        if isinstance(value, list | dict | set | collections.deque):
            self._note(name, value)
        for attribute, inner in _attributes(value):
            self._todo.append(functools.partial(self._value, f"{name}.{attribute}", inner))
        self._follow(name, type(value))

    def copied(self, value: Any, depth: int) -> Any:
        """Return a copy in plain types; what can't be copied is opaque."""
        if isinstance(value, _PLAIN):
            return value
        self._left_in_one -= 1
        if self._left_in_one < 0 or self._spent():
            raise _TooLargeError
        if depth > DEEPEST:
            return Opaque(type(value).__name__, 0)
        if isinstance(value, dict | list | tuple | collections.deque | set | frozenset):
            return self._copied_container(value, depth)
        if isinstance(value, bytearray | memoryview | array.array | mmap.mmap):
            return _of_bytes(memoryview(value))
        if (found := _copied_array(value)) is not None:
            return found
        return self._copied_object(value, depth)

    def _opaque(self, value: Any, length: int | None = None) -> Opaque:
        return Opaque(type(value).__name__, id(value) if self._identities else 0, length)

    def _copied_container(self, value: Any, depth: int) -> Any:
        if (length := _count(value)) > MOST_ELEMENTS:
            plain = () if isinstance(value, dict | set | frozenset) else value
            sample = tuple(itertools.islice(plain, 0, None, length // _SAMPLE))
            return Many(type(value).__name__, length, sample if _all_plain(sample) else ())
        if isinstance(value, dict):
            pairs = list(dict.items(value))
            if _all_plain(key for key, _ in pairs) and _all_plain(inner for _, inner in pairs):
                return dict(pairs)
            return {_key(key): self.copied(inner, depth + 1) for key, inner in pairs}
        elements = list(value)
        if isinstance(value, set | frozenset):
            return set(map(_key, elements))
        found = elements if _all_plain(elements) else [self.copied(inner, depth + 1) for inner in elements]
        return tuple(found) if isinstance(value, tuple) else found

    def _copied_object(self, value: Any, depth: int) -> Any:
        if isinstance(value, io.StringIO | io.BytesIO):
            return value.getvalue()
        if isinstance(value, queue.Queue):
            return self.copied(vars(value)["queue"], depth)
        if isinstance(value, queue.SimpleQueue):
            return self._opaque(value, value.qsize())
        if isinstance(value, itertools.count):
            return repr(value)
        if isinstance(value, _ITERATORS):
            return operator.length_hint(value)
        if isinstance(value, types.GeneratorType):
            frame = value.gi_frame
            return None if frame is None else (frame.f_lasti, self.copied(frame.f_locals, depth + 1))
        if isinstance(value, ContextVar):
            return self.copied(value.get(None), depth)
        if _is_sqlite(value):
            return value.total_changes
        if _is_ctypes(value):
            return bytes(value)
        if isinstance(value, types.FunctionType | types.MethodType | functools.partial | type):
            if self._first_time(value):
                self._follow("", value)
            return self._opaque(value)
        if _holds_attributes(value):
            if not self._first_time(value) and depth:
                return Opaque(type(value).__name__, 0)
            self._follow(type(value).__name__, type(value))
            return type(value).__name__, {name: self.copied(inner, depth + 1) for name, inner in _attributes(value)}
        return self._opaque(value, _length(value))


def changes(before: Snapshot, after: Snapshot) -> dict[str, Change]:
    """Return what happened to variables, by name; to keys and elements of containers by names of their own.

    Examples
    --------
    >>> before = Snapshot({"seen": [1], "bucket": {"level": 3.0}, "limit": 9})
    >>> after = Snapshot({"seen": [1, 2], "bucket": {"level": 2.5}, "limit": 9})
    >>> {name: str(change) for name, change in changes(before, after).items()}
    {'seen': '1 appended', "bucket['level']": 'by -0.5'}
    """
    found: dict[str, Change] = {}
    whole = before.whole and after.whole
    for name, now in after.values.items():
        if name in before.values:
            found.update(_changes(name, before.values[name], now))
        elif whole:
            found[name] = Change("set", now)
    if whole:
        found |= {name: Change("removed", [name]) for name in before.values.keys() - after.values.keys()}
    return found


def _changes(name: str, was: Any, now: Any) -> Iterator[tuple[str, Change]]:
    if same(was, now):
        return
    if (isinstance(was, Many) or isinstance(now, Many)) and None not in (lengths := (_held(was), _held(now))):
        if lengths[0] != lengths[1]:
            yield name, Change("by", operator.sub(*reversed(lengths)))
        elif isinstance(was, Many) and isinstance(now, Many) and was.sample and now.sample:
            yield from _changes(f"{name}[…]", was.sample, now.sample)
    elif _is_number(was) and _is_number(now):
        yield name, Change("by", now - was)
    elif isinstance(was, list) and isinstance(now, list):
        yield from _list_changes(name, was, now)
    elif isinstance(was, dict) and isinstance(now, dict):
        yield from _dict_changes(name, was, now)
    elif isinstance(was, set) and isinstance(now, set):
        if now - was:
            yield f"{name}", Change("added", now - was)
        if was - now:
            yield f"{name}[gone]", Change("removed", was - now)
    elif _is_numeric_array(was) and _is_numeric_array(now) and was.shape == now.shape:
        yield name, Change("by", now - was)
    elif isinstance(was, tuple) and isinstance(now, tuple) and len(was) == len(now):
        for index, (old, new) in enumerate(zip(was, now, strict=True)):
            yield from _changes(f"{name}[{index}]", old, new)
    else:
        yield name, Change("set", now)


def _held(value: Any) -> Any:
    if isinstance(value, Many):
        return value.length
    return len(value) if isinstance(value, list | dict | set | tuple) else None


def _list_changes(name: str, was: list[Any], now: list[Any]) -> Iterator[tuple[str, Change]]:
    for index, (old, new) in enumerate(zip(was, now, strict=False)):
        if len(now) != len(was) and not same(old, new):  # shifted: a rotated or a bounded one
            yield name, Change("set", now)
            return
        yield from _changes(f"{name}[{index}]", old, new)
    if len(now) > len(was):
        yield name, Change("appended", now[len(was) :])
    elif len(now) < len(was):
        yield name, Change("removed", was[len(now) :])


def _dict_changes(name: str, was: dict[Any, Any], now: dict[Any, Any]) -> Iterator[tuple[str, Change]]:
    for key in was.keys() & now.keys():
        yield from _changes(f"{name}[{key!r}]", was[key], now[key])
    if now.keys() - was.keys():
        yield name, Change("added", {key: value for key, value in now.items() if key not in was})
    if was.keys() - now.keys():
        yield f"{name}[gone]", Change("removed", {key: value for key, value in was.items() if key not in now})


@functools.cache
def _own(module: str | None) -> bool:
    """Say whether a module is the user's: not of Python, of an installed package or of the workbench."""
    if module is None or module in sys.builtin_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        origin = getattr(getattr(sys.modules.get(module), "__spec__", None), "origin", None)
        return origin not in ("built-in", "frozen")  # of a notebook, or made while it runs
    return not (file.startswith(_LIBRARIES) or "/site-packages/" in file or "/dist-packages/" in file)


def _wrapped(value: Any) -> Any:
    """Return the function inside a decorated one, an ``lru_cache`` or a compiled one."""
    for name in ("__wrapped__", "py_func"):
        with suppress(Exception):
            inner = inspect.getattr_static(value, name)
            if isinstance(inner, types.FunctionType | types.MethodType | functools.partial) or _wrapped(inner):
                return inner
    return None


def _imported(name: str, variables: Mapping[str, Any]) -> types.ModuleType | None:
    """Return a module that a function imports by itself."""
    package = variables.get("__package__")
    return sys.modules.get(name) or (sys.modules.get(f"{package}.{name}") if package else None)


def _holds_attributes(value: Any) -> bool:
    """Say whether an object is one of the user's, or plain data of Python's in attributes."""
    kind = type(value)
    plain = (types.SimpleNamespace, collections.UserDict, collections.UserList, threading.Event)
    if isinstance(value, plain) or kind.__module__.startswith(("multiprocessing.sharedctypes", "asyncio.queues")):
        return True
    return _own(kind.__module__) and not isinstance(value, _PLAIN)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object's attributes as they are stored: no property, no ``__getattr__`` is asked."""
    with suppress(AttributeError):
        yield from list(object.__getattribute__(value, "__dict__").items())
    for kind in type(value).__mro__:
        for name, slot in list(vars(kind).items()):
            if isinstance(slot, types.MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                with suppress(AttributeError):  # not filled yet
                    yield name, slot.__get__(value, kind)


def _key(key: Any) -> Any:
    """Return what stands for a key or member; only plain ones are themselves, for others would compare by own code."""
    if isinstance(key, _PLAIN):
        return key
    if isinstance(key, tuple | frozenset):
        return tuple(map(_key, key)) if isinstance(key, tuple) else frozenset(map(_key, key))
    return Opaque(type(key).__name__, id(key))


def _count(container: Any) -> int:
    """Return a container's length as Python itself counts, whatever ``__len__`` a class of the user's has."""
    kinds: tuple[Any, ...] = (dict, list, tuple, collections.deque, set, frozenset)
    counts: Any = next(kind.__len__ for kind in kinds if isinstance(container, kind))
    return int(counts(container))


def _all_plain(values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= _SCALARS


def _of_bytes(view: memoryview) -> Any:
    raw = view.cast("B") if view.contiguous and view.nbytes else view
    return raw.tobytes() if view.nbytes <= MOST_BYTES else (view.nbytes, zlib.crc32(raw[: 16 * MOST_BYTES]))


def _copied_array(value: Any) -> Any:
    """Return a copy of an array or a data frame; a check sum of a large one."""
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    if module == "numpy" and kind.__name__ in ("ndarray", "memmap", "matrix"):
        if value.dtype.hasobject:
            return Opaque("ndarray", id(value), value.size)
        if value.nbytes <= MOST_BYTES:
            return value.copy()
        return value.shape, zlib.crc32(memoryview(value[: max(1, 16 * MOST_BYTES * len(value) // value.nbytes)].copy()))
    if module == "numpy" and hasattr(kind, "dtype"):  # a scalar
        return value
    if module == "pandas" and kind.__name__ in ("DataFrame", "Series") and value.size <= MOST_ELEMENTS:
        return value.copy()
    return None


def _is_number(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    numbers: tuple[Any, ...] = (int, float, complex, decimal.Decimal, fractions.Fraction)
    if numpy is not None:
        numbers = (*numbers, numpy.number)
    return isinstance(value, numbers) and not isinstance(value, bool | enum.Enum)


def _is_numeric_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in "iufc"


def _is_ctypes(value: Any) -> bool:
    ctypes = sys.modules.get("ctypes")
    return ctypes is not None and isinstance(value, ctypes._SimpleCData | ctypes.Array | ctypes.Structure)


def _is_sqlite(value: Any) -> bool:
    sqlite3 = sys.modules.get("sqlite3")
    return sqlite3 is not None and isinstance(value, sqlite3.Connection)


def _file(value: Any) -> Any:
    """Return a file that can be written, or that which a writer of rows writes to."""
    if isinstance(value, _FILES):
        return value
    if type(value).__module__ == "_csv":
        writes = (getattr(inner, "__self__", None) for inner in gc.get_referents(value))
        return next((file for file in writes if isinstance(file, _FILES)), None)
    return None


def _length(value: Any) -> int | None:
    # Only one written in C is asked: another may ask a database or a server.
    if isinstance(getattr(type(value), "__len__", None), types.WrapperDescriptorType):
        with suppress(Exception):
            return len(value)
    return None


@functools.lru_cache(maxsize=1024)
def _uses(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that code mentions outside its own variables, and those of them that it reads."""
    names, reads = set(code.co_names), set()
    steps = list(dis.get_instructions(code))
    for index, step in enumerate(steps):
        loads = step.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD"))
        if loads and not _written_to(steps[index + 1 : index + 40]):
            reads.add(str(step.argval))
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            inner_names, inner_reads = _uses(inner)
            names |= inner_names
            reads |= inner_reads
    return frozenset(names), frozenset(reads)


def _written_to(steps: list[dis.Instruction]) -> bool:
    """Say whether what was loaded before these steps is only written to: ``x.append(…)`` and the like, ``x[…] = …``."""
    if steps and steps[0].opname in ("LOAD_METHOD", "LOAD_ATTR"):
        return steps[0].argval in _WRITERS
    depth = 1  # of the stack, from where it was loaded
    for step in steps:
        if step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR"):
            return depth == 2
        if step.opname in ("COPY", "SWAP") or (step.opname.startswith("BINARY_") and depth <= 2):
            return False
        depth += dis.stack_effect(step.opcode, step.arg, jump=False)
        if depth < 1:
            return False
    return False


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."
