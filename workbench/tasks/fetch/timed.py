"""Connections for requests that keep a total time, and that tell a whole answer from a cut one.

In requests a timeout counts from one received byte to the next, so a server that drips holds a client for ever; and
looking up a name has none. Here the timeout of a request is the time until its last byte. Also, `http.client` takes the
end of the connection for the end of the headers, and an interim answer such as 103 for the answer: not so here.

This module imports requests: import it inside functions.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_INTERIM = range(102, 200)


class TimedAdapter(HTTPAdapter):
    """An adapter whose connections are timed."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools that make timed connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


class _Reader(io.RawIOBase):
    """Receives from a socket until a moment, and knows whether the other side has ended the connection."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._until = until
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)
        count = self._file.readinto(buffer) or 0
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _TimedSocket:
    """All that a response wants of a socket: a file to read from."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.reader = _Reader(sock, until)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader)


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: _TimedSocket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)  # type: ignore[arg-type]
        self._reader = sock.reader

    def begin(self) -> None:
        super().begin()
        if self._reader.ended:
            raise http.client.RemoteDisconnected("the connection closed inside the headers")

    def _read_status(self) -> tuple[str, int, str]:
        status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
        while status[1] in _INTERIM:
            http.client.parse_headers(self.fp)
            status = super()._read_status()  # type: ignore[misc]
        return status


class _Timed:
    """Mixed into urllib3's connections: ``timeout`` holds for connecting as a whole, and for the answer as a whole."""

    timeout: float

    def connect(self) -> None:
        _within(self.timeout, super().connect, self.close)  # type: ignore[attr-defined,misc]

    def response_class(self, sock: socket.socket, *args: Any, **options: Any) -> _Response:
        return _Response(_TimedSocket(sock, time.monotonic() + self.timeout), *args, **options)


class _Connection(_Timed, HTTPConnection):  # type: ignore[misc]
    pass


class _TLSConnection(_Timed, HTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection  # type: ignore[assignment]


def _within(seconds: float, connect: Callable[[], None], close: Callable[[], None]) -> None:
    """Connect in a thread of its own, which can be left behind: looking up a name takes no timeout."""
    outcome: Future[None] = Future()

    def work() -> None:
        try:
            connect()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    threading.Thread(target=work, name="workbench-connect", daemon=True).start()
    try:
        outcome.result(seconds)
    except TimeoutError:
        outcome.add_done_callback(lambda _: close())
        raise
