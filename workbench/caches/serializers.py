"""Values to bytes and back. What comes back may have been planted, so by default nothing in it can run code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.errors import MissingExtraError, UsageError

Dump = Callable[[Any], bytes]
Load = Callable[[bytes | memoryview], Any]


@dataclass(frozen=True)
class Serializer:
    """A way to turn values into bytes and back; ``mark`` tells its bytes from another's."""

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
            return _msgpack()
        except ModuleNotFoundError:
            raise MissingExtraError("msgpack", "caches") from None
    if name == "json":
        return Serializer(2, lambda value: json.dumps(value, ensure_ascii=False).encode(), _load_json)
    if name == "pickle":
        return Serializer(3, lambda value: pickle.dumps(value, protocol=5), pickle.loads, runs_code=True)
    raise UsageError(f"there is no serializer {name!r}: pass 'msgpack', 'json' or 'pickle'")


def _load_json(data: bytes | memoryview) -> Any:
    return json.loads(bytes(data))


def _msgpack() -> Serializer:
    """Return msgpack with the types of Python that it lacks, so that what comes back equals what went in.

    A bytearray comes back as bytes, which equal it: msgpack has one type for both.
    """
    import msgpack

    def dump(value: Any) -> bytes:
        packed: bytes = msgpack.packb(value, default=extend, strict_types=True, unicode_errors="surrogatepass")
        return packed

    def load(data: bytes | memoryview) -> Any:
        return msgpack.unpackb(data, ext_hook=unextend, strict_map_key=False, unicode_errors="surrogatepass")

    def extend(value: Any) -> Any:
        for code, (kind, parts, _) in _EXTENSIONS.items():
            if type(value) is kind:
                return msgpack.ExtType(code, dump(parts(value)))
        if type(value).__module__ == "numpy":
            return msgpack.ExtType(_ARRAY, dump(_parts_of_array(value)))
        raise TypeError(f"msgpack can't keep a {type(value).__qualname__}; a cache with serializer='pickle' can")

    def unextend(code: int, data: bytes) -> Any:
        parts = load(data)
        return _array(*parts) if code == _ARRAY else _EXTENSIONS[code][2](parts)

    return Serializer(1, dump, load)


#: Code → type, to what msgpack knows, and back. Codes are stored: never give one another meaning.
_EXTENSIONS: dict[int, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    1: (tuple, list, tuple),
    2: (set, list, set),
    3: (frozenset, list, frozenset),
    4: (int, hex, lambda text: int(text, 16)),  # of more than 64 bits
    5: (complex, lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
}
_ARRAY = 6


def _parts_of_array(value: Any) -> list[Any]:
    import numpy as np

    if not isinstance(value, np.ndarray | np.generic) or value.dtype.hasobject or value.dtype.names:
        raise TypeError(f"msgpack can't keep a {type(value).__qualname__} of these; serializer='pickle' can")
    shape = list(value.shape) if isinstance(value, np.ndarray) else None
    return [value.dtype.str, shape, value.tobytes()]


def _array(dtype: str, shape: list[int] | None, data: bytes) -> Any:
    import numpy as np

    array = np.frombuffer(bytearray(data), np.dtype(dtype))
    return array[0] if shape is None else array.reshape(shape)
