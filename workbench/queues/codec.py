"""Items, answers and failures as bytes that can't run code: plain data, and NumPy's arrays, in msgpack."""

from __future__ import annotations

import functools
import traceback
from typing import Any

from workbench.caches.nesting import refuse_deep
from workbench.caches.serializers import Serializer, find_serializer
from workbench.errors import QueueError, UsageError, one_line
from workbench.masking import masked
from workbench.names import find, full_name


class NotPlainError(UsageError):
    """A value that can't be sent."""


class InWorkerError(Exception):
    """Shows where in the worker a task raised; the cause of what `unpack_failure` returns."""


def pack(value: Any) -> bytes:
    """Return a value as bytes.

    Raises
    ------
    NotPlainError
        It is not plain data: None, bool, int, float, complex, str, bytes, NumPy's arrays, and lists, tuples, sets and
        dicts of these.

    Examples
    --------
    >>> unpack(pack({"a": (1, 2**80), 3: [None, {b"x"}]}))
    {'a': (1, 1208925819614629174706176), 3: [None, {b'x'}]}
    >>> pack([object()])
    Traceback (most recent call last):
    workbench.queues.codec.NotPlainError: a list can't be sent: msgpack can't keep a object; send plain data
    """
    try:
        return _msgpack().dump(value)
    except (OverflowError, TypeError, ValueError) as error:
        reason = str(error).partition(";")[0]
        raise NotPlainError(f"a {type(value).__qualname__} can't be sent: {reason}; send plain data") from error


def unpack(packed: bytes) -> Any:
    r"""Return the value that `pack` packed.

    Raises
    ------
    QueueError
        Something else was put in its place.

    Examples
    --------
    >>> unpack(b"\x91" * 100_000)
    Traceback (most recent call last):
    workbench.errors.QueueError: what the queue kept can't be read: it is nested deeper than 1024 levels
    """
    try:
        return _msgpack().load(packed)
    except ValueError as error:
        raise QueueError(f"what the queue kept can't be read: {error}") from error


def unpack_or_say(packed: bytes) -> Any:
    """Return the value that `pack` packed, or the `QueueError` that says why it can't be read."""
    try:
        return unpack(packed)
    except QueueError as error:
        return error


@functools.cache
def _msgpack() -> Serializer:
    return find_serializer("msgpack")


def pack_failure(error: Exception) -> bytes:
    """Return an exception as bytes: its type by name, its arguments where they are plain, its text and traceback."""
    try:
        arguments: bytes | None = pack(error.args)
    except NotPlainError:
        arguments = None
    return pack([full_name(type(error)), arguments, *_texts(error)])


def _texts(error: Exception) -> tuple[str, str]:
    """Return an exception's line and traceback; its type where it has none, as with arguments nested too deep."""
    kind = type(error).__name__
    try:
        refuse_deep(error.args, loops=True)
        return one_line(error), masked("".join(traceback.format_exception(error)))
    except Exception:  # whatever its __str__ raises
        return f"{kind}, whose text can't be had", f"{kind}\n"


def unpack_failure(packed: bytes) -> Exception:
    """Return the exception again, its worker's traceback as its cause; a `QueueError` where its type can't be had.

    Examples
    --------
    >>> unpack_failure(pack_failure(ValueError("not two")))
    ValueError('not two')
    """
    kind, arguments, text, shown = _parts_of_failure(packed)
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
    return _parts_of_failure(packed)[2]


def _parts_of_failure(packed: bytes) -> tuple[Any, Any, str, str]:
    """Return what `pack_failure` packed; of a failure that can't be read, why."""
    try:
        kind, arguments, text, shown = unpack(packed)
        return kind, arguments, f"{text}", f"{shown}"
    except (QueueError, TypeError, ValueError) as error:
        return "", None, f"{error}", ""
