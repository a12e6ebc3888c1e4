"""A cache that Django's settings name: in process, in files, in a database, in Redis or in Memcached."""

from __future__ import annotations

import contextlib
import fcntl
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from workbench.caches.backend import Backend
from workbench.caches.threads import DaemonThreads, PerThread
from workbench.errors import MissingExtraError, UsageError

_Answer = TypeVar("_Answer")


class Django(Backend):
    """One of the caches in Django's setting ``CACHES``.

    Redis and Memcached wait as long as their settings say, and Django pickles what it keeps there: `django_options`
    returns settings that wait a short while, and that run nothing. Django's files and database are pickles in any
    case: who can write there can run code here. In SQLite its writes may fail unheard when there are several at once,
    unless the database's options say ``"transaction_mode": "IMMEDIATE"``.

    Parameters
    ----------
    alias
        Its name there.
    timeout_s
        How long to wait for a database on a server, whose clients know no such limit.

    Raises
    ------
    MissingExtraError
        Django is not installed.
    UsageError
        Django has no settings, or no such cache.
    """

    def __init__(self, alias: str = "default", timeout_s: float = 0.25) -> None:
        try:
            from django.core.cache import caches
            from django.core.cache.backends.base import InvalidCacheBackendError
            from django.core.exceptions import ImproperlyConfigured
        except ModuleNotFoundError:
            raise MissingExtraError("django", "caches") from None
        self._alias = alias
        self._timeout_s = timeout_s

        def connect() -> Any:
            cache = caches.create_connection(alias)
            if _kind(cache) == "locmem":
                cache.validate_key = _accept  # it warns of what names never hold, at a tenth of the price of a hit
            return cache

        self._caches: PerThread[Any] = PerThread(connect, lambda cache: cache.close())
        try:
            cache = self._caches.get()
        except (InvalidCacheBackendError, ImproperlyConfigured) as error:
            raise UsageError(f"Django's settings have no cache {alias!r}: {error}") from error
        kind = _kind(cache)
        self.in_process = kind == "locmem"
        self.repeats = kind in ("locmem", "filebased")  # a file that was read a moment ago comes out of memory
        #: Where only one process at a time may add.
        self._lock = Path(cache._dir, "lock") if kind == "filebased" else None
        self._threads = DaemonThreads(4, _close_connections) if kind == "db" and _is_served(cache) else None
        self._in_database = kind == "db"

    def __repr__(self) -> str:
        return f"Django's cache {self._alias!r}"

    def get(self, name: str) -> bytes | None:
        data: bytes | None
        data = self._in_time(lambda cache: cache.get(name)) if self._in_database else self._caches.get().get(name)
        return data

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        return self._in_time(lambda cache: cache.get_many(names))

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self._in_time(lambda cache: cache.set(name, data, _whole(ttl_s)))

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        self._in_time(lambda cache: cache.set_many(items, _whole(ttl_s)))

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        with contextlib.ExitStack() as stack:
            if self._lock is not None:  # Django looks, then writes
                self._lock.parent.mkdir(parents=True, exist_ok=True)
                fcntl.flock(stack.enter_context(self._lock.open("ab")), fcntl.LOCK_EX)
            return bool(self._in_time(lambda cache: cache.add(name, data, _whole(ttl_s))))

    def delete(self, name: str) -> None:
        self._in_time(lambda cache: cache.delete(name))

    def clear(self, prefix: str) -> None:
        """Remove all that is in this cache: Django can't list names."""
        self._in_time(lambda cache: cache.clear())

    def close(self) -> None:
        self._caches.close()
        if self._threads is not None:
            self._threads.close()

    def _in_time(self, use: Callable[[Any], _Answer]) -> _Answer:
        if self._threads is None:
            return self._use(use)
        future = self._threads.submit(lambda: self._use(use))
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            future.cancel()
            raise TimeoutError(f"no answer in {self._timeout_s:g} s") from None

    def _use(self, use: Callable[[Any], _Answer]) -> _Answer:
        try:
            return use(self._caches.get())
        except Exception:
            if self._in_database:
                from django.db import close_old_connections

                close_old_connections()  # as between two requests: Django goes on with a broken one otherwise
            raise


class Bytes:
    """Lets Django's Redis and Memcached keep bytes as they are: a serializer for the one, a serde for the other."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, data: bytes) -> bytes:
        return data

    def serialize(self, key: str, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, key: str, value: bytes, flags: int) -> bytes:
        return value


def django_options(url: str, timeout_s: float = 0.25) -> dict[str, Any]:
    """Return what to write into Django's ``CACHES`` for a server: no long waits, no pickles.

    Parameters
    ----------
    url
        ``redis://…`` or ``memcached://…``.
    timeout_s
        How long to wait for a connection, and for an answer.

    Returns
    -------
    dict

    Raises
    ------
    UsageError
        Another URL.

    Examples
    --------
    >>> django_options("memcached://127.0.0.1:11211")["LOCATION"]
    '127.0.0.1:11211'
    >>> django_options("memcached:///run/memcached.sock")["LOCATION"]
    'unix:/run/memcached.sock'
    """
    scheme, _, rest = url.partition("://")
    if scheme == "redis":
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        waits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "retry": Retry(NoBackoff(), 0)}
        backend = "django.core.cache.backends.redis.RedisCache"
        return {"BACKEND": backend, "LOCATION": url, "OPTIONS": {**waits, "serializer": Bytes()}}
    if scheme == "memcached":
        options = {
            "timeout": timeout_s, "connect_timeout": timeout_s, "no_delay": True, "serde": Bytes(),
            "retry_attempts": 0, "dead_timeout": timeout_s,
        }  # fmt: skip
        where = f"unix:{rest}" if rest.startswith("/") else rest
        backend = "django.core.cache.backends.memcached.PyMemcacheCache"
        return {"BACKEND": backend, "LOCATION": where, "OPTIONS": options}
    shown = url.rpartition("@")[2]
    raise UsageError(f"{shown!r} is no cache server of Django's: pass redis://… or memcached://…")


def _kind(cache: Any) -> str:
    return type(cache).__module__.rpartition(".")[2]


def _accept(key: str) -> None:
    """Stand in for a check that is not needed."""


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()


def _is_served(cache: Any) -> bool:
    from django.db import connections, router

    return bool(connections[router.db_for_read(cache.cache_model_class)].vendor != "sqlite")


def _whole(ttl_s: float | None) -> int | None:
    """Return whole seconds: Django cuts off the rest for Redis and Memcached, and takes 0 for "ended"."""
    return None if ttl_s is None else math.ceil(ttl_s)
