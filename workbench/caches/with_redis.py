"""A cache in Redis, or in what speaks its protocol."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.caches.backend import Backend
from workbench.errors import MissingExtraError, UsageError
from workbench.masking import masked


class Redis(Backend):
    """Redis, by redis-py.

    Parameters
    ----------
    url
        As in ``redis://127.0.0.1:6379/0``.
    timeout_s
        How long to wait for a connection, and for an answer. Nothing is tried twice: who waits for a cache could have
        computed.

    Raises
    ------
    MissingExtraError
        redis-py is not installed.
    UsageError
        The URL names no Redis.

    Examples
    --------
    >>> from workbench import services
    >>> cache = Redis(services.running("redis").url)
    >>> cache.set("a", b"1", None)
    >>> cache.get("a")
    b'1'
    """

    def __init__(self, url: str, timeout_s: float = 0.25) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError:
            raise MissingExtraError("redis", "caches") from None
        self._where = masked(url.rpartition("@")[2].removeprefix("redis://"))
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
            )
        except ValueError as error:
            shown = url.rpartition("@")[2]
            raise UsageError(f"{shown!r} names no Redis: {error}") from None  # it may quote a piece of the password

    def __repr__(self) -> str:
        return f"Redis at {self._where}"

    def get(self, name: str) -> bytes | None:
        data: bytes | None = self._client.get(name)
        return data

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        names = list(names)
        found = zip(names, self._client.mget(names), strict=True) if names else ()
        return {name: data for name, data in found if data is not None}

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self._client.set(name, data, px=_ms(ttl_s))

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for name, data in items.items():
                pipe.set(name, data, px=_ms(ttl_s))
            pipe.execute()

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        return self._client.set(name, data, px=_ms(ttl_s), nx=True) is not None

    def delete(self, name: str) -> None:
        self._client.delete(name)

    def clear(self, prefix: str) -> None:
        pattern = re.sub(r"([\[\]*?\\])", r"\\\1", prefix) + "*"
        names = list(self._client.scan_iter(match=pattern, count=1_000))
        for start in range(0, len(names), 1_000):
            self._client.unlink(*names[start : start + 1_000])

    def close(self) -> None:
        self._client.close()


def _ms(ttl_s: float | None) -> int | None:
    return None if ttl_s is None else max(1, math.ceil(1_000 * ttl_s))
