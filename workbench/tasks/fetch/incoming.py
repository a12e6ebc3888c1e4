"""An answer as it comes in: decoded piece by piece, bounded in size, and judged whole or not."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from workbench.errors import FetchError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Statuses that may be another one a moment later.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
WITHOUT_BODY = frozenset({204, 304})
CODINGS = ("gzip", "deflate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came of one request: a whole answer, or the error that kept it from being whole.

    ``location`` is where a redirect leads; ``transient`` says that trying again may help; ``timed_out`` that the time
    allowed was over.
    """

    status: int | None = None
    body: bytes = b""
    error: str | None = None
    location: str | None = None
    retry_after_s: float | None = None
    transient: bool = False
    timed_out: bool = False


class Incoming:
    """An answer whose head is there; its body is fed in as it comes from the wire.

    Parameters
    ----------
    status
        The status of the answer.
    headers
        Its headers; looked up by their usual spelling.
    max_body_bytes
        The largest decoded body that is taken.

    Raises
    ------
    FetchError
        The body comes in a coding that was not asked for.

    Examples
    --------
    >>> incoming = Incoming(200, {"Content-Encoding": "gzip"}, max_body_bytes=100)
    >>> incoming.feed(zlib.compress(b"hello", wbits=31)[:-1])
    >>> incoming.reply()
    Traceback (most recent call last):
    workbench.errors.FetchError: truncated: the gzip data stop early
    """

    def __init__(self, status: int, headers: Mapping[str, str], max_body_bytes: int) -> None:
        self._status = status
        self._headers = headers
        self._room = max_body_bytes
        self._limit = max_body_bytes
        self._pieces: list[bytes] = []
        coding = headers.get("Content-Encoding", "identity").strip().lower() or "identity"
        self._inflater = None if coding == "identity" or not self.wants_body else _Inflater(coding)

    @property
    def wants_body(self) -> bool:
        """Say whether the body is worth reading: that of a redirect is not."""
        return self._status not in REDIRECTS

    @property
    def ends_by_closing(self) -> bool:
        """Say whether only the end of the connection can end the body, so that it has to be a clean one."""
        framed = "Content-Length" in self._headers or "chunked" in self._headers.get("Transfer-Encoding", "").lower()
        return not framed and self._status not in WITHOUT_BODY

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, as it came from the wire.

        Raises
        ------
        FetchError
            The decoded body gets too large, or is no data of its coding.
        """
        # One byte more than there is room for is enough to know, whatever a bomb would grow to.
        piece = data if self._inflater is None else self._inflater.feed(data, self._room + 1)
        self._room -= len(piece)
        if self._room < 0:
            raise FetchError(f"too large: the body has more than max_body_bytes={self._limit:,}")
        self._pieces.append(piece)

    def reply(self) -> Reply:
        """Return the whole answer; call it after the last piece.

        Raises
        ------
        FetchError
            The body stops before the end of its coding, or a redirect says not where it leads.
        """
        if self._inflater is not None and self._status not in WITHOUT_BODY:
            self._inflater.finish()
        location = self._headers.get("Location") if self._status in REDIRECTS else None
        if self._status in REDIRECTS and not location:
            raise FetchError(f"{describe(self._status)} without a Location")
        return Reply(
            status=self._status,
            body=b"".join(self._pieces),
            error=describe(self._status) if self._status >= 400 else None,
            location=location,
            retry_after_s=retry_after_s(self._headers.get("Retry-After")),
            transient=self._status in TRANSIENT,
        )


class _Inflater:
    """Decompresses gzip and deflate, and knows whether the data came to its end."""

    def __init__(self, coding: str) -> None:
        if coding not in CODINGS:
            raise FetchError(f"the body is coded as {coding!r}, which was not asked for")
        self._coding = coding
        self._unpack: zlib._Decompress | None = None
        self._held = b""

    def feed(self, data: bytes, room: int) -> bytes:
        """Return what the data hold, but at most ``room`` bytes."""
        out = bytearray()
        data = self._held + data
        self._held = b""
        while data and len(out) < room:
            if self._unpack is None or self._unpack.eof:  # gzip data may consist of several members
                if len(data) < 2:
                    self._held = data
                    break
                self._unpack = zlib.decompressobj(wbits=self._wbits(data))
            try:
                out += self._unpack.decompress(data, room - len(out))
            except zlib.error as error:
                raise FetchError(f"the {self._coding} data are damaged: {error}", transient=True) from None
            data = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
        return bytes(out)

    def finish(self) -> None:
        """Raise FetchError unless the data came to their end."""
        if self._unpack is None or not self._unpack.eof or self._held:
            raise FetchError(f"truncated: the {self._coding} data stop early", transient=True)

    def _wbits(self, data: bytes) -> int:
        if self._coding == "gzip":
            return 31
        # Servers send "deflate" with a zlib header, as the standard says, or without one.
        return 15 if data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0 else -15


def describe(status: int) -> str:
    """Return a status with its phrase.

    Examples
    --------
    >>> describe(404)
    '404 Not Found'
    """
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, None when it asks for nothing that can be understood.

    Examples
    --------
    >>> retry_after_s("120"), retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after_s("soon")
    (120.0, 0.0, None)
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
