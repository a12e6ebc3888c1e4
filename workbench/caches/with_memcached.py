"""A cache in Memcached."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from workbench.caches.backend import Backend
from workbench.caches.threads import PerThread
from workbench.errors import MissingExtraError, UsageError

_Answer = TypeVar("_Answer")

#: Memcached takes a longer time for a date.
LONGEST_TTL_S = 30 * 24 * 3600


class Memcached(Backend):
    """Memcached, by pymemcache (chosen over pylibmc, which must be compiled), one connection for each thread.

    Parameters
    ----------
    url
        As in ``memcached://127.0.0.1:11211``, or ``memcached:///run/memcached.sock`` for a Unix socket.
    timeout_s
        How long to wait for a connection, and for an answer.

    Raises
    ------
    MissingExtraError
        pymemcache is not installed.
    UsageError
        The URL names no Memcached.

    Examples
    --------
    >>> Memcached("redis://127.0.0.1")
    Traceback (most recent call last):
    workbench.errors.UsageError: 'redis://127.0.0.1' names no Memcached: pass memcached://HOST:PORT or memcached:///SOCKET
    """

    def __init__(self, url: str, timeout_s: float = 0.25) -> None:
        try:
            from pymemcache.client.base import Client
        except ModuleNotFoundError:
            raise MissingExtraError("pymemcache", "caches") from None
        parts = urlsplit(url)
        if parts.scheme != "memcached" or not (parts.hostname or parts.path):
            shown = url.rpartition("@")[2]
            raise UsageError(f"{shown!r} names no Memcached: pass memcached://HOST:PORT or memcached:///SOCKET")
        self._address = (parts.hostname, parts.port or 11211) if parts.hostname else parts.path
        self._timeout_s = timeout_s
        options = {"timeout": timeout_s, "connect_timeout": timeout_s, "no_delay": True, "default_noreply": False}
        self._clients: PerThread[Any] = PerThread(lambda: Client(self._address, **options), Client.close)

    def __repr__(self) -> str:
        return f"Memcached at {self._address if isinstance(self._address, str) else '{}:{}'.format(*self._address)}"

    def get(self, name: str) -> bytes | None:
        client = self._clients.get()
        try:
            data: bytes | None = client.get(name)
            return data
        except BaseException:  # an interrupt too leaves half an answer in the connection
            client.close()
            raise

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        names = list(names)
        return self._call(lambda client: client.get_many(names)) if names else {}

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self._call(lambda client: client.set(name, data, expire=_expire(ttl_s)))

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        self._call(lambda client: client.set_many(items, expire=_expire(ttl_s)))

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        return bool(self._call(lambda client: client.add(name, data, expire=_expire(ttl_s))))

    def delete(self, name: str) -> None:
        self._call(lambda client: client.delete(name))

    def clear(self, prefix: str) -> None:
        """Remove all whose names start so; Memcached lists them, and nobody else's are touched."""
        # By hand: pymemcache 4.0 loses all but the end of a long answer to a raw command.
        with self._connect() as connection, connection.makefile("rwb") as lines:
            lines.write(b"lru_crawler metadump all\r\n")
            lines.flush()
            names = []
            while (line := lines.readline()) != b"END\r\n":
                if not line.startswith(b"key="):
                    raise ConnectionError(
                        f"Memcached doesn't list its names: {line.decode(errors='replace').strip()!r}"
                    )
                names.append(unquote(line.split(b" ", 1)[0][4:].decode()))
        for name in names:
            if name.startswith(prefix):
                self.delete(name)

    def close(self) -> None:
        self._clients.close()

    def _connect(self) -> socket.socket:
        if not isinstance(self._address, str):
            return socket.create_connection(self._address, self._timeout_s)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self._timeout_s)
        connection.connect(self._address)
        return connection

    def _call(self, use: Callable[[Any], _Answer]) -> _Answer:
        client = self._clients.get()
        try:
            return use(client)
        except BaseException:
            client.close()
            raise


def _expire(ttl_s: float | None) -> int:
    """Return whole seconds, never fewer; 0 is for ever."""
    if ttl_s is None:
        return 0
    return math.ceil(ttl_s) if ttl_s < LONGEST_TTL_S else math.ceil(time.time() + ttl_s)
