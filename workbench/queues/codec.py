"""Items, answers and failures as bytes that can't run code: msgpack, and the types of Python's plain data.

msgpack alone would turn a tuple into a list, and stop at 64 bits; an answer must come back as what it was.
"""

from __future__ import annotations

import traceback
from typing import Any

from workbench.errors import MissingExtraError, QueueError, UsageError
from workbench.queues.contract import find, label

TUPLE, SET, FROZENSET, INT = range(1, 5)
SEQUENCES: dict[type[Any], int] = {tuple: TUPLE, set: SET, frozenset: FROZENSET}
KINDS = {code: kind for kind, code in SEQUENCES.items()}


class NotPlainError(UsageError):
    """A value that can't be sent."""


class InWorkerError(Exception):
    """Shows where in the worker a task raised; the cause of what `unpack_failure` returns."""


def pack(value: Any) -> bytes:
    """Return a value as bytes.

    Raises
    ------
    NotPlainError
        It is not plain data: None, bool, int, float, str, bytes, and lists, tuples, sets and dicts of these.

    Examples
    --------
    >>> unpack(pack({"a": (1, 2**80), 3: [None, {b"x"}]}))
    {'a': (1, 1208925819614629174706176), 3: [None, {b'x'}]}
    >>> pack([object()])
    Traceback (most recent call last):
    workbench.queues.codec.NotPlainError: a builtins:object can't be sent: send plain data (numbers, text, lists …)
    """
    try:
        import msgpack
    except ImportError as error:
        raise MissingExtraError("msgpack", "queues") from error
    try:
        packed: bytes = msgpack.packb(value, default=_extended, strict_types=True)
    except NotPlainError:
        raise
    except (OverflowError, ValueError, RecursionError) as error:
        raise NotPlainError(f"a {label(type(value))} can't be sent: {error}") from error
    return packed


def unpack(packed: bytes) -> Any:
    """Return the value that `pack` packed."""
    import msgpack

    return msgpack.unpackb(packed, ext_hook=_plain, strict_map_key=False)


def pack_failure(error: Exception) -> bytes:
    """Return an exception as bytes: its type by name, its arguments where they are plain, its text and traceback."""
    try:
        arguments: bytes | None = pack(error.args)
    except NotPlainError:
        arguments = None
    shown = "".join(traceback.format_exception(error))
    return pack([label(type(error)), arguments, f"{type(error).__name__}: {error}", shown])


def unpack_failure(packed: bytes) -> Exception:
    """Return the exception again, its worker's traceback as its cause; a `QueueError` where its type can't be had.

    Examples
    --------
    >>> unpack_failure(pack_failure(ValueError("not two")))
    ValueError('not two')
    """
    kind, arguments, text, shown = unpack(packed)
    error: Exception
    try:
        cls = find(kind)
        if not (isinstance(cls, type) and issubclass(cls, Exception)) or arguments is None:
            raise TypeError(kind)
        error = cls(*unpack(arguments))
    except Exception:  # whatever importing and making it raises
        error = QueueError(text)
    error.__cause__ = InWorkerError(f"\n{shown}")
    return error


def failure_text(packed: bytes) -> str:
    """Return a failure in one line.

    Examples
    --------
    >>> failure_text(pack_failure(ValueError("not two")))
    'ValueError: not two'
    """
    text: str = unpack(packed)[2]
    return text.partition("\n")[0]


def _extended(value: Any) -> Any:
    import msgpack

    if type(value) in SEQUENCES:
        return msgpack.ExtType(SEQUENCES[type(value)], pack(list(value)))
    if type(value) is int:  # of more than 64 bits
        return msgpack.ExtType(INT, value.to_bytes(value.bit_length() // 8 + 1, signed=True))
    raise NotPlainError(f"a {label(type(value))} can't be sent: send plain data (numbers, text, lists …)")


def _plain(code: int, packed: bytes) -> Any:
    return int.from_bytes(packed, signed=True) if code == INT else KINDS[code](unpack(packed))
