"""The same cache for coroutines."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from workbench.caches.cache import Cache, CacheCounts, Hit
from workbench.caches.threads import DaemonThreads

_Answer = TypeVar("_Answer")

#: These wait for servers on behalf of event loops.
_threads = DaemonThreads(8)


class AsyncCache:
    """A `Cache` whose methods are awaited.

    One in this process is asked at once; all others by a few threads, so that no event loop waits. A second,
    asynchronous client of each server would need a second copy of every rule, and an exchange by it takes no less
    time than one handed to a thread.

    Parameters
    ----------
    cache
        What to ask; its counts, limits and failures are shared.

    Examples
    --------
    >>> from workbench.caches import Memory
    >>> async def main():
    ...     cache = AsyncCache(Cache(Memory()))
    ...     await cache.set("a", 1)
    ...     return await cache.get("a")
    >>> asyncio.run(main())
    1
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    async def get(self, key: str, default: Any = None) -> Any:
        """Return a fresh value, or ``default``."""
        return await self._ask(self.cache.get, key, default)

    async def look(self, key: str) -> Hit | None:
        """Return a value, fresh or stale, or None."""
        return await self._ask(self.cache.look, key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the fresh values among those asked for."""
        return await self._ask(self.cache.get_many, keys)

    async def set(self, key: str, value: Any, ttl_s: float | None = None, *, stale_s: float = 0.0) -> bool:
        """Keep a value; return whether it is kept."""
        return await self._ask(self.cache.set, key, value, ttl_s, stale_s=stale_s)

    async def set_many(self, items: Mapping[str, Any], ttl_s: float | None = None, *, stale_s: float = 0.0) -> bool:
        """Keep several values; return whether all are kept."""
        return await self._ask(self.cache.set_many, items, ttl_s, stale_s=stale_s)

    async def add(self, key: str, value: Any, ttl_s: float) -> bool | None:
        """Keep a value if there is none, and say so; None: can't be told."""
        return await self._ask(self.cache.add, key, value, ttl_s)

    async def delete(self, key: str) -> None:
        """Remove a value."""
        await self._ask(self.cache.delete, key)

    async def clear(self, prefix: str = "") -> None:
        """Remove all values, or those whose keys start with a prefix."""
        await self._ask(self.cache.clear, prefix)

    def counts(self) -> CacheCounts:
        """Return the counts of the cache."""
        return self.cache.counts()

    async def ask(self, use: Callable[[], _Answer]) -> _Answer:
        """Let something use the cache, in a thread where it may wait."""
        if self.cache.backend.in_process:
            return use()
        return await asyncio.wrap_future(_threads.submit(use))

    async def _ask(self, use: Callable[..., _Answer], *args: Any, **kwargs: Any) -> _Answer:
        return await self.ask(functools.partial(use, *args, **kwargs))
