"""What stands before every kept value, so that one which was changed, cut, moved or planted is found out.

::

    WB 1 | serializer | check, 4 or 16 bytes | fresh until | ends | value

The check covers all that follows it, and the name under which the value is kept. Without a secret it is a checksum: it
finds accidents, and bytes of strangers. With one it is a signature: who doesn't know the secret can't make it.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from zlib import crc32

from workbench.errors import UsageError

_MAGIC = b"WB\x01"
_TIMES = struct.Struct("<dd")
_PLAIN = struct.Struct("<4sI")
_PLAIN_FULL = struct.Struct("<4sIdd")
_SIGNED = struct.Struct("<4s16s")
_SIGNED_FULL = struct.Struct("<4s16sdd")
#: Up to here a copy takes less time than a view.
_SMALL = 8_192


class UntrustedError(ValueError):
    """What a cache handed out is not what was kept under this name: says what is wrong with it."""


class Seal:
    """Closes values, and opens those that are as they were closed.

    Parameters
    ----------
    mark
        Of the serializer.
    secret
        Of at least 16 bytes: signs.

    Examples
    --------
    >>> seal = Seal(1, b"known to nobody else")
    >>> data = seal.close("name", b"value", 10.0, 20.0)
    >>> value, fresh_s, ends_s = seal.open("name", data)
    >>> bytes(value), fresh_s, ends_s
    (b'value', 10.0, 20.0)
    >>> seal.open("another", data)
    Traceback (most recent call last):
    workbench.caches.sealing.UntrustedError: its signature is wrong
    """

    def __init__(self, mark: int, secret: bytes | None = None) -> None:
        if secret is not None and len(secret) < 16:
            raise UsageError(
                f"a secret of {len(secret)} bytes can be guessed: pass 16 or more, as by secrets.token_bytes"
            )
        self._head = _MAGIC + bytes([mark])
        self._key = None if secret is None else hashlib.sha256(secret).digest()
        #: Bytes that stand before a value.
        self.size = (_PLAIN_FULL if secret is None else _SIGNED_FULL).size

    def close(self, name: str, value: bytes, fresh_s: float, ends_s: float) -> bytes:
        """Return a value with its header; times are seconds since the epoch."""
        rest = _TIMES.pack(fresh_s, ends_s) + value
        if self._key is None:
            return _PLAIN.pack(self._head, crc32(rest, crc32(name.encode()))) + rest
        return _SIGNED.pack(self._head, self._sign(name, rest)) + rest

    def open(self, name: str, data: bytes) -> tuple[bytes | memoryview, float, float]:
        """Return a value, until when it is fresh, and when it ends.

        Raises
        ------
        UntrustedError
            It is not what `close` returned for this name.
        """
        size = len(data)
        if size < self.size:
            raise UntrustedError("it is cut short")
        whole = data if size < _SMALL else memoryview(data)
        if self._key is None:
            head, check, fresh_s, ends_s = _PLAIN_FULL.unpack_from(data)
            right = check == crc32(whole[8:], crc32(name.encode()))
        else:
            head, check, fresh_s, ends_s = _SIGNED_FULL.unpack_from(data)
            right = hmac.compare_digest(check, self._sign(name, whole[20:]))
        if head != self._head:
            raise UntrustedError("it is of another kind")
        if not right:
            raise UntrustedError("its checksum is wrong" if self._key is None else "its signature is wrong")
        return whole[self.size :], fresh_s, ends_s

    def _sign(self, name: str, rest: bytes | memoryview) -> bytes:
        assert self._key is not None
        signing = hashlib.blake2b(self._head + name.encode() + b"\0", key=self._key, digest_size=16)
        signing.update(rest)
        return signing.digest()
