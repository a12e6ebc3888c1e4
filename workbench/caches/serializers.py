"""Values to bytes and back. What comes back may have been planted, so by default nothing in it can run code.

Nor can it crash or stall who reads it: how deep values are nested and how far their keys collide has a limit, see
`workbench.caches.nesting` and `workbench.caches.collisions`.
"""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.caches.nesting import refuse_deep, refuse_deep_json
from workbench.errors import MissingExtraError, UsageError

Dump = Callable[[Any], bytes]
Load = Callable[[bytes | memoryview], Any]


@dataclass(frozen=True)
class Serializer:
    """A way to turn values into bytes and back; ``mark`` tells its bytes from another's.

    ``dump`` raises TypeError or ValueError for what it can't keep. ``load`` raises ValueError for bytes that it can't
    have made, and nothing else, unless it runs code.
    """

    mark: int
    dump: Dump
    load: Load
    #: Loading can run code: only bytes that are signed may be loaded.
    runs_code: bool = False


def find_serializer(name: str) -> Serializer:
    """Return a serializer by name: ``msgpack``, ``json`` or ``pickle``.

    What comes back has the type that went in, with two exceptions: of msgpack a bytearray comes back as bytes, and of
    JSON a tuple as a list.

    Raises
    ------
    MissingExtraError
        msgpack is not installed.
    UsageError
        There is none of this name.

    Examples
    --------
    >>> by = find_serializer("msgpack")
    >>> by.load(by.dump({"a": (1, 2.5), 2: {b"b", None}})) == {"a": (1, 2.5), 2: {b"b", None}}
    True
    """
    if name == "msgpack":
        try:
            from workbench.caches import packing
        except ModuleNotFoundError:
            raise MissingExtraError("msgpack", "caches") from None
        return Serializer(1, packing.dump, packing.load)
    if name == "json":
        return Serializer(2, _dump_json, _load_json)
    if name == "pickle":
        return Serializer(3, _dump_pickle, pickle.loads, runs_code=True)
    raise UsageError(f"there is no serializer {name!r}: pass 'msgpack', 'json' or 'pickle'")


def _within_reach(turn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make what goes down into a value raise ValueError where Python's own limit comes first."""

    @functools.wraps(turn)
    def turned(value: Any) -> Any:
        try:
            return turn(value)
        except RecursionError as error:
            raise ValueError("it is nested deeper than Python goes from here") from error

    return turned


@_within_reach
def _dump_json(value: Any) -> bytes:
    refuse_deep(value)
    return _JSON.encode(value).encode()


@_within_reach
def _load_json(data: bytes | memoryview) -> Any:
    # Its keys are texts, which can't be crafted to collide: Python's hash of them is another in every process.
    data = bytes(data)
    refuse_deep_json(data)
    return json.loads(data.decode())


@_within_reach
def _dump_pickle(value: Any) -> bytes:
    refuse_deep(value, loops=True)
    return pickle.dumps(value, protocol=5)


_JSON = json.JSONEncoder(ensure_ascii=False)
