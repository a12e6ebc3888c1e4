"""The server of the site: HTTP/1.1 by hand, because a library can't be told to misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus

from workbench.errors import UsageError
from workbench.tasks.site.behaviour import Behaviour, body, chance, read_query

_GET = b"GET "
STATS_PATH = "/-/stats"
_BOMB_BYTES = 64 * 2**20
_PIECE = 65536


class Counts:
    """What the site has seen so far."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.requests = 0
        self.connections = 0
        self.open_connections = 0
        self.turns: Counter[str] = Counter()

    def fails(self, target: str, behaviour: Behaviour) -> bool:
        """Say whether this request of the target is one that gets a 503."""
        if not behaviour.failures and not behaviour.error_rate:
            return False
        self.turns[target] += 1
        turn = self.turns[target]
        return turn <= behaviour.failures or chance(self.seed, target, turn) < behaviour.error_rate

    def as_json(self) -> bytes:
        """Return the counts, this request and its connection left out."""
        counts = {
            "requests": self.requests,
            "connections": self.connections - 1,
            "open_connections": self.open_connections - 1,
        }
        self.connections -= 1  # the connection that asks is not counted later on either
        return json.dumps(counts).encode()


class Connection(asyncio.Protocol):
    """One connection: answers its requests one after the other."""

    transport: asyncio.Transport

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._waiting = b""
        self._busy = False
        self._stale = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._counts.connections += 1
        self._counts.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is still being sent."""
        self._counts.open_connections -= 1
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Let an endless body wait for its reader."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on with an endless body."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer the next request when the whole head of it is there."""
        self._waiting += data
        if self._waiting.startswith(_GET[: len(self._waiting)]):
            self._next_request()
        else:  # another method, or no HTTP at all, such as TLS
            self._done(_answer(Behaviour(status=400), b"this site answers GET only"), close=True)

    def _next_request(self) -> None:
        while not self._busy and not self.transport.is_closing():
            head, end, rest = self._waiting.partition(b"\r\n\r\n")
            if not end:
                return
            self._waiting = rest
            self._busy = True
            self._request(head.decode("latin-1"))

    def _request(self, head: str) -> None:
        _, target, *_ = [*head.split(" ", 2), "", ""]
        path, _, query = target.partition("?")
        if path == STATS_PATH:
            self._done(_answer(Behaviour(), self._counts.as_json()))
            return
        self._counts.requests += 1
        try:
            behaviour = read_query(query)
        except UsageError as error:
            self._done(_answer(Behaviour(status=400), str(error).encode()))
            return
        if behaviour.latency_ms:
            self._loop.call_later(behaviour.latency_ms / 1000, self._respond, head, target, path, behaviour)
        else:
            self._respond(head, target, path, behaviour)

    def _respond(self, head: str, target: str, path: str, behaviour: Behaviour) -> None:
        if self.transport.is_closing():
            return
        if self._stale:
            self.transport.close()
        elif self._counts.fails(target, behaviour):
            self._done(_answer(_failing(behaviour), b"this request fails on purpose"))
        elif behaviour.redirects:
            self._done(_redirect(path, behaviour))
        else:
            content = head.encode() if behaviour.echo else body(path, behaviour.body_bytes, self._counts.seed)
            self._send(content, behaviour)

    def _send(self, content: bytes, behaviour: Behaviour) -> None:
        if behaviour.fault in ("", "stale", "early-hints"):
            hints = (
                b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" if behaviour.fault == "early-hints" else b""
            )
            self._stale = behaviour.fault == "stale"
            self._done(hints + _answer(behaviour, content), close=behaviour.framing == "close")
        elif behaviour.fault in _ENDINGS:
            sent, reset = _ENDINGS[behaviour.fault](content)
            self.transport.write(sent)
            # A reset overtakes nothing on its way, but a client that has read first is the harder case.
            self._loop.call_later(0.02, self._reset if reset else self.transport.close)
        elif behaviour.fault != "silent":
            self._task = self._loop.create_task(self._drip(content) if behaviour.fault == "drip" else self._endless())

    async def _drip(self, content: bytes) -> None:
        self.transport.write(_head(200, [f"Content-Length: {len(content)}"]))
        for place in range(len(content)):
            self.transport.write(content[place : place + 1])
            await asyncio.sleep(0.5)
        self._done(b"")

    async def _endless(self) -> None:
        self.transport.write(_head(200, ["Connection: close"]))
        while True:
            await self._writable.wait()
            self.transport.write(bytes(_PIECE))
            await asyncio.sleep(0)

    def _reset(self) -> None:
        """Close with RST instead of FIN: what SO_LINGER with no time to linger means."""
        sock = self.transport.get_extra_info("socket")
        if not self.transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def _done(self, data: bytes, *, close: bool = False) -> None:
        self.transport.write(data)
        self._busy = False
        if close:
            self.transport.close()
        elif self._waiting:
            self._next_request()


@lru_cache(maxsize=256)
def _reason(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else f"{status} Unknown"


def _head(status: int, lines: list[str]) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {_reason(status)}", *lines, "", ""]).encode()


def _answer(behaviour: Behaviour, content: bytes) -> bytes:
    """Return a whole answer, encoded and framed as asked for."""
    lines = ["Content-Type: text/plain"]
    if behaviour.encoding != "identity":
        lines.append(f"Content-Encoding: {behaviour.encoding}")
    if behaviour.cookie:
        lines.append(f"Set-Cookie: {behaviour.cookie}")
    if behaviour.retry_after_s >= 0:
        lines.append(f"Retry-After: {behaviour.retry_after_s:g}")
    content = _encoded(content, behaviour.encoding)
    if behaviour.framing == "chunked":
        return _head(behaviour.status, [*lines, "Transfer-Encoding: chunked"]) + _chunk(content) + b"0\r\n\r\n"
    ending = "Connection: close" if behaviour.framing == "close" else f"Content-Length: {len(content)}"
    return _head(behaviour.status, [*lines, ending]) + content


def _failing(behaviour: Behaviour) -> Behaviour:
    return Behaviour(status=503, retry_after_s=behaviour.retry_after_s)


def _redirect(path: str, behaviour: Behaviour) -> bytes:
    """Return a redirect to the same URL with one redirect less, or out of the site after the last one."""
    if behaviour.redirect_to and behaviour.redirects == 1:
        place = behaviour.redirect_to
    else:
        left = behaviour.redirects - 1 if behaviour.redirects > 0 else -1
        kept = {name: value for name, value in vars(behaviour).items() if name != "redirects"}
        place = f"{path}?{Behaviour(**kept, redirects=left).query()}"
    return _head(302, [f"Location: {place}", "Content-Length: 0"])


def _chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n" if content else b""


def _encoded(content: bytes, encoding: str) -> bytes:
    if encoding not in ("gzip", "deflate"):
        return content
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    return packer.compress(content) + packer.flush()


def _gzip_head(size: int) -> bytes:
    return _head(200, ["Content-Encoding: gzip", f"Content-Length: {size}"])


def _gzip_cut(content: bytes) -> bytes:
    packed = _encoded(content, "gzip")[:-6]
    return _gzip_head(len(packed)) + packed


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(bytes(2**20)) for _ in range(_BOMB_BYTES // 2**20)]
    packed = b"".join(pieces) + packer.flush()
    return _gzip_head(len(packed)) + packed


#: Faults that are some data and then an end: fault -> (what is sent, whether the end is a reset).
_ENDINGS: dict[str, Callable[[bytes], tuple[bytes, bool]]] = {
    "reset": lambda content: (b"", True),
    "close-in-headers": lambda content: (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Le", False),
    "truncated": lambda content: (_head(200, [f"Content-Length: {len(content) + 100}"]) + content, False),
    "gzip-cut": lambda content: (_gzip_cut(content), False),
    "chunked-cut": lambda content: (_head(200, ["Transfer-Encoding: chunked"]) + _chunk(content), False),
    "no-length-reset": lambda content: (_head(200, ["Connection: close"]) + content, True),
    "gzip-bomb": lambda content: (_bomb(), False),
}
