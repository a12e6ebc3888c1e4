"""How deep a value may be nested, found out without going down into it: each level is looked at as a whole."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Collection
from typing import Any

#: Containers in containers. For as many msgpack has room in its own stacks. Who goes through a value goes
#: down in C, about a quarter of a KiB a level, and a thread may have a stack of 512 KiB; Python's own limit is ten
#: times as high in some versions.
DEEPEST = 1_024

_FLAT = frozenset({str, bytes, int, float, bool, complex, type(None)})
_NESTING = (list, dict, tuple, set, frozenset)
#: So deep most values are nested, and no deeper.
_USUAL = 4
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_STEPS = {ord("["): 1, ord("]"): -1}
_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


def refuse_deep(value: Any, *, loops: bool = False) -> None:
    """Raise ValueError if containers are nested too deep in a value, as they are where one contains itself.

    Parameters
    ----------
    value
        Anything. What it holds of other types than Python's containers is not looked into.
    loops
        What was met before is not followed again, so that a container may contain itself.

    Examples
    --------
    >>> refuse_deep([[1], {"a": (2, 3)}])
    >>> itself = []
    >>> itself.append(itself)
    >>> refuse_deep(itself, loops=True)
    >>> refuse_deep(itself)
    Traceback (most recent call last):
    ValueError: it is nested deeper than 1024 levels, or contains itself
    """
    if not isinstance(value, _NESTING):
        return
    level: Collection[Any] = [value]
    seen: set[int] = set()
    for _ in range(DEEPEST):
        # All that a level holds at once, in C: a loop over what each one holds takes several times as long.
        inside = gc.get_referents(*level)
        fresh = {id(each): each for each in inside if type(each) not in _FLAT and isinstance(each, _NESTING)}
        if not fresh:
            return
        if loops:
            for known in fresh.keys() & seen:
                del fresh[known]
            seen |= fresh.keys()
        level = fresh.values()
    if level:
        raise ValueError(_TOO_DEEP if loops else f"{_TOO_DEEP}, or contains itself")


def refuse_deep_json(data: bytes) -> None:
    """Raise ValueError if JSON is nested too deep; whatever else is wrong with it is for the reader to find.

    Examples
    --------
    >>> refuse_deep_json(b'{"[[[": [1, 2]}')
    >>> refuse_deep_json(b"[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested deeper than 1024 levels
    """
    # A text as the whole value holds nothing.
    if len(data) <= DEEPEST or data[:1] == b'"' or data.count(b"[") + data.count(b"{") <= DEEPEST:
        return
    if b"\\" in data:  # a quote behind a backslash ends no text
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = data.translate(None, _NO_MARKS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2]).translate(_SQUARE)
    inner = brackets
    for _ in range(_USUAL):
        inner = inner.replace(b"[]", b"")
    if inner and max(itertools.accumulate(map(_STEPS.__getitem__, brackets))) > DEEPEST:
        raise ValueError(_TOO_DEEP)
