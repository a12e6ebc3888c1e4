"""What a task does besides answering: items it changes, variables and files outside that it writes."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import CodeType
from typing import Any

from workbench.comparison.answers import MOST_READ, same
from workbench.masking import masked

#: Variables of these types are looked at for changes, unless they hold more elements than this.
STATE, MOST_ELEMENTS = (list, dict, set, bytearray, int, float), 10_000
#: Who wants to know which files are written; the hook that tells can't be taken away once it is there.
_listening: list[set[str]] = []


def copied(items: Sequence[Any]) -> list[Any] | None:
    """Return deep copies; None where an item can't be copied, or its copy can't be told from a changed one."""
    try:
        copies = [copy.deepcopy(item) for item in items]
        return None if changed(items, copies) else copies
    except Exception:  # whatever an item's __deepcopy__ raises
        return None


def changed(before: Sequence[Any], after: Sequence[Any], numbers: Sequence[int] | None = None) -> str:
    """Return the first item that isn't as it was, in a line; nothing where all are. Numbers: if they are some of many.

    Examples
    --------
    >>> changed([[1], [2]], [[1], [2, 3]])
    'item 1: [2, 3] instead of [2]'
    """
    for index, was, now in zip(numbers or range(len(before)), before, after, strict=True):
        if was is not now and not _alike(was, now):
            return f"item {index}: {_short(now)} instead of {_short(was)}"
    return ""


def _alike(was: Any, now: Any) -> bool:
    """Say whether a value is as it was; those without an ``==`` of their own are alike when their pickles are."""
    try:
        return same(was, now) or pickle.dumps(was) == pickle.dumps(now)
    except Exception:  # whatever its __eq__ or __reduce__ raises: it can't be told
        return True


def state_of(func: Callable[..., Any]) -> dict[str, Any]:
    """Return copies of the variables outside a function that its code names and that may change: its shared state.

    Examples
    --------
    >>> seen = []
    >>> state_of(lambda n: seen.append(n))
    {'seen': []}
    """
    while not hasattr(func, "__code__"):
        inner = getattr(func, "func", None) or getattr(func, "__func__", None)  # a partial, a method
        if inner is None:
            return {}
        func = inner
    code, names = func.__code__, set(_names(func.__code__))
    outside = {name: value for name, value in getattr(func, "__globals__", {}).items() if name in names}
    for name, cell in zip(code.co_freevars, getattr(func, "__closure__", None) or (), strict=True):
        with suppress(ValueError):  # not filled yet
            outside[name] = cell.cell_contents
    found = {}
    for name, value in outside.items():
        if isinstance(value, STATE) and (isinstance(value, int | float) or len(value) <= MOST_ELEMENTS):
            with suppress(Exception):  # whatever an element's __deepcopy__ raises
                found[name] = copy.deepcopy(value)
    return found


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def effects(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what happened to shared state: what was added to lists, and the new values of all else that changed.

    Examples
    --------
    >>> effects({"seen": [1], "count": 1, "limit": 9}, {"seen": [1, 2], "count": 2, "limit": 9})
    {'seen': [2], 'count': 1}
    """
    found: dict[str, Any] = {}
    for name, now in after.items():
        was = before.get(name)
        if name in before and same(was, now):
            continue
        if isinstance(was, list) and isinstance(now, list) and same(was, now[: len(was)]):
            found[name] = now[len(was) :]
        elif isinstance(was, dict) and isinstance(now, dict):
            found[name] = {key: value for key, value in now.items() if key not in was or not same(was[key], value)}
        elif isinstance(was, int | float) and isinstance(now, int | float):
            found[name] = now - was
        else:
            found[name] = now
    return found


def compared_effects(expected: dict[str, Any], found: dict[str, Any]) -> tuple[str, str]:
    """Say how a remedy's side effects differ from the task's own: whether they are others, and whether in other order.

    Examples
    --------
    >>> compared_effects({"seen": [1, 2]}, {"seen": [2, 1]})
    ('', "what it does to 'seen' comes in another order")
    >>> compared_effects({"seen": [1, 2]}, {})
    ("does not do to 'seen' what the task does: a side effect is lost", '')
    """
    for name, wanted in expected.items():
        got = found.get(name)
        if same(wanted, got):
            continue
        if isinstance(wanted, list) and isinstance(got, list) and sorted(map(repr, wanted)) == sorted(map(repr, got)):
            return "", f"what it does to {name!r} comes in another order"
        return f"does not do to {name!r} what the task does: a side effect is lost", ""
    return "", ""


@contextmanager
def written_files() -> Iterator[set[str]]:
    """Collect the files that code inside writes and leaves behind; what it also removes is no trace.

    Examples
    --------
    >>> with written_files() as files:
    ...     _ = (tmp / "trace.txt").write_text("here")
    >>> [os.path.basename(name) for name in files]
    ['trace.txt']
    """
    _install_hook()
    seen: set[str] = set()
    _listening.append(seen)
    left: set[str] = set()
    try:
        yield left
    finally:
        _listening.remove(seen)
        left |= {name for name in seen if os.path.isfile(name) and "__pycache__" not in name}


@functools.cache
def _install_hook() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _listening:
        name, mode, flags = args
        writes = set(mode) & set("wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR)
        if writes and isinstance(name, str | bytes):
            for seen in _listening:
                seen.add(os.fsdecode(name))


def _short(value: Any) -> str:
    text = masked(" ".join(repr(value)[:MOST_READ].split()))
    return text if len(text) <= 40 else text[:37] + "..."
