"""Values as msgpack, with the types of Python that it lacks: in one layer, however they are nested.

An integer of more than 64 bits, a complex number and an array are extensions. A tuple or a set is a list that starts
with a mark, an extension that says of what type it is and holds nothing; the type of the whole value stands before it.
So a value is read in one pass with one stack of 1,024 levels, in C, whoever made its bytes.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Callable
from typing import Any, NoReturn

from msgpack import ExtType, Packer, Unpacker, packb, unpackb
from msgpack.exceptions import OutOfData, StackError

from workbench.caches.collisions import FEW, refuse_colliding
from workbench.caches.nesting import DEEPEST, refuse_deep

#: Before room is made for a list that claims to be longer, it is looked up whether that is true.
LONG = 10_000
#: Stands before a value with types of Python's own; no other msgpack starts so. A byte follows: the code of the value's
#: type, or 0, plus `_MARKS` if there are marks in it.
_HEAD = b"\xc1"
_MARKS = 4
#: What a list starts with once its mark is read.
_MARK = object()
# Codes are stored: never give one another meaning. 4 and 5 had one.
_CODES: dict[type, int] = {tuple: 1, set: 2, frozenset: 3}
_ARRAY, _INT, _COMPLEX = 6, 7, 8
_PAIR = struct.Struct("<dd")
#: An array's type by name. NumPy would read more into a text, down through any number of parentheses.
_DTYPE = re.compile(r"[<>|][biufcmMSUV][0-9]{1,10}(\[[0-9]{0,10}[A-Za-z]{1,2}\])?")


def dump(value: Any) -> bytes:
    """Return a value as bytes.

    What `load` returns equals it, types and all, but for a bytearray: it comes back as bytes, since msgpack has one
    type for both.

    Raises
    ------
    TypeError
        There is something in it that isn't plain data.
    ValueError
        It is nested too deep, or contains itself.
    """
    marked = 0

    def extend(value: Any) -> Any:
        nonlocal marked
        kind = type(value)
        if kind in _CODES:
            marked = _MARKS
            return [ExtType(_CODES[kind], b""), *value]
        if kind is int:
            return ExtType(_INT, b"%x" % value)
        if kind is complex:
            return ExtType(_COMPLEX, _PAIR.pack(value.real, value.imag))
        if kind.__module__ == "numpy":
            return ExtType(_ARRAY, packb(_parts_of_array(value)))
        raise TypeError(f"msgpack can't keep a {kind.__qualname__}; a cache with serializer='pickle' can")

    code = _CODES.get(type(value), 0)
    packer = Packer(default=extend, strict_types=True, unicode_errors="surrogatepass")
    try:
        packed: bytes = packer.pack(list(value) if code else value)
    except ValueError:
        refuse_deep(value)
        raise
    return b"%b%c%b" % (_HEAD, code + marked, packed) if code or marked else packed


def load(data: bytes | memoryview) -> Any:
    """Return the value that `dump` turned into bytes.

    Raises
    ------
    ValueError
        Whatever else they are: cut short, nested too deep, of no known type, with keys that are crafted to collide.
    """
    try:
        if data[0] != 0xC1:
            # As `_small` does: nearly all values come this way, and a call takes as long as what it does.
            return unpackb(
                data,
                ext_hook=_part,
                strict_map_key=False,
                unicode_errors="surrogatepass",
                max_array_len=LONG,
                max_map_len=FEW,
            )
        return _read(data, _small)
    except Exception:  # it is large, or it is none
        pass
    _refuse_untrue(data)
    try:
        try:
            return _read(data, _with_texts_as_keys)
        except ValueError:
            return _read(data, _with_any_keys)
    except Exception as error:  # of whatever type its parts were given to
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"it can't be unpacked: {reason}") from error


def _read(data: bytes | memoryview, unpack: Callable[..., Any]) -> Any:
    if data[0] != 0xC1:
        return unpack(data)
    code, rest = data[1], data[2:]
    return _WHOLES[code & ~_MARKS](unpack(rest) if code < _MARKS else _unpack_marked(rest, unpack))


def _unpack_marked(data: bytes | memoryview, unpack: Callable[..., Any]) -> Any:
    codes: list[int] = []

    def mark(code: int, held: bytes) -> Any:
        if held:
            return _part(code, held)
        codes.append(code)
        return _MARK

    def unmarked(items: list[Any]) -> Any:
        if items and items[0] is _MARK:
            del items[0]
            return _WHOLES[codes.pop()](items)
        return items

    value = unpack(data, mark, unmarked)
    if codes:
        raise ValueError("it has a mark where no list starts")
    return value


def _refuse_untrue(data: bytes | memoryview) -> None:
    """Raise ValueError if bytes are not one whole value: its lists are then as long as they claim."""
    body = data[2:] if data[:1] == _HEAD else data
    unpacker = Unpacker(max_buffer_size=max(len(body), 1), read_size=1)
    unpacker.feed(body)
    try:
        unpacker.skip()
    except OutOfData:
        raise ValueError("it is cut short") from None
    except StackError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    except ValueError:
        raise ValueError("it is no msgpack") from None
    if unpacker.tell() < len(body):
        raise ValueError("there is more behind it")


def _set(items: list[Any]) -> set[Any]:
    refuse_colliding(items, in_set=True)
    return set(items)


def _frozenset(items: list[Any]) -> frozenset[Any]:
    refuse_colliding(items, in_set=True)
    return frozenset(items)


_WHOLES: dict[int, Callable[[Any], Any]] = {0: lambda value: value, 1: tuple, 2: _set, 3: _frozenset}


def _part(code: int, held: bytes) -> Any:
    """Return what an extension holds."""
    if code == _ARRAY:
        return _array(*unpackb(held, ext_hook=_refuse_extension))
    if code == _INT:
        return int(held, 16)
    if code == _COMPLEX:
        return complex(*_PAIR.unpack(held))
    return _refuse_extension(code, held)


def _refuse_extension(code: int, held: bytes) -> NoReturn:
    raise ValueError(f"it has an unknown extension, {code}")


def _dict(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    refuse_colliding([key for key, _ in pairs])
    return dict(pairs)


# Three ways to unpack. Nearly all values need no more than the first.


def _small(data: bytes | memoryview, ext_hook: Any = _part, list_hook: Any = None) -> Any:
    return unpackb(
        data,
        ext_hook=ext_hook,
        list_hook=list_hook,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        max_array_len=LONG,
        max_map_len=FEW,
    )


def _with_texts_as_keys(data: bytes | memoryview, ext_hook: Any = _part, list_hook: Any = None) -> Any:
    # Of texts and bytes there can be as many as there are: they can't be crafted to collide.
    return unpackb(data, ext_hook=ext_hook, list_hook=list_hook, unicode_errors="surrogatepass")


def _with_any_keys(data: bytes | memoryview, ext_hook: Any = _part, list_hook: Any = None) -> Any:
    return unpackb(
        data,
        ext_hook=ext_hook,
        list_hook=list_hook,
        object_pairs_hook=_dict,
        strict_map_key=False,
        unicode_errors="surrogatepass",
    )


# NumPy's arrays.


def _parts_of_array(value: Any) -> list[Any]:
    import numpy as np

    plain = isinstance(value, np.ndarray | np.generic) and not value.dtype.names and _DTYPE.fullmatch(value.dtype.str)
    if not plain or (not value.dtype.itemsize and isinstance(value, np.ndarray)):
        raise TypeError(f"msgpack can't keep a {type(value).__qualname__} of these; serializer='pickle' can")
    shape = list(value.shape) if isinstance(value, np.ndarray) else None
    return [value.dtype.str, shape, value.tobytes()[: value.nbytes]]  # NumPy adds a byte where there is none


def _array(name: str, shape: list[int] | None, data: bytes) -> Any:
    import numpy as np

    dtype, is_text = _dtype(name)
    array = np.ndarray([] if shape is None else shape, dtype, bytearray(memoryview(data)))
    if array.nbytes != len(data) or (shape is not None and not dtype.itemsize):
        raise ValueError("it has an array that its items don't fill")
    if is_text and np.frombuffer(data, dtype.byteorder + "u4").max(initial=0) > 0x10FFFF:
        raise ValueError("it has an array of texts with characters that there are not")
    return array[()] if shape is None else array


@functools.lru_cache
def _dtype(name: str) -> tuple[Any, bool]:
    """Return a type of NumPy's by its name, and whether its items are texts."""
    import numpy as np

    if not _DTYPE.fullmatch(name):
        raise ValueError("it has an array of no known type")
    dtype = np.dtype(name)
    return dtype, dtype.kind == "U"
