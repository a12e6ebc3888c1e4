"""What `memoize` does between a caller and a cache that processes share: one computes, the others wait or go on.

What to do is written once, as generators that say what they need; it is got for them in plain code or in an event loop.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from typing import Any

from workbench.caches import AsyncCache, Cache, Hit
from workbench.caches.lease import Lease
from workbench.caches.threads import DaemonThreads
from workbench.coroutines import drive, drive_plainly
from workbench.masking import get_logger
from workbench.names import module_and_name
from workbench.remedies.flights import Flights
from workbench.remedies.tiers import Frozen, MemoInfo, call_key, freeze

logger = get_logger(__name__)

#: A generator that needs the cache asked (a callable), a flight's landing (a future), a pause (seconds) or the answer
#: computed (`CALL`), is sent what came of it, and returns the answer.
Need = Callable[[], Any] | Future[Any] | float | None
Steps = Generator[Need, Any, Any]
CALL = None

#: How long to wait for another process between two looks.
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.05
#: An answer that can't be kept: whoever finds this computes for itself, instead of waiting in line.
UNKEPT: list[Any] = []

_refreshers = DaemonThreads(4)


class CachedCalls:
    """The answers of one function in a cache.

    Parameters
    ----------
    func, cache, ttl_s, stale_s, jitter, negative
        As for `workbench.memoize`.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        cache: Cache,
        ttl_s: float | None,
        stale_s: float,
        jitter: float,
        negative: Mapping[type[Exception], float],
    ) -> None:
        self._func = func
        self._cache = cache
        self._ttl_s = cache.ttl_s if ttl_s is None else ttl_s
        self._stale_s = stale_s
        self._jitter = jitter
        self._negative = {_dotted(kind): (kind, kept_s) for kind, kept_s in negative.items()}
        self._flights: Flights[Frozen] = Flights()
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(MemoInfo._fields, 0)
        # Short enough to be kept as it is, so that `clear` finds the function's keys by it.
        self._name = f"{_dotted(func)[-60:]}:"
        self._tasks: set[asyncio.Task[Any]] = set()

    @functools.cached_property
    def _versioned(self) -> str:
        return f"{self._name}{_source_digest(self._func)}:"

    def info(self) -> MemoInfo:
        """Return the counts; those of the cache itself know of stale values and errors too."""
        with self._lock:
            return MemoInfo(**self._counts)

    def clear(self) -> None:
        """Forget all answers and counts, those of the function's other versions too."""
        self._cache.clear(self._name)
        with self._lock:
            self._counts = dict.fromkeys(MemoInfo._fields, 0)

    def plain_shell(self) -> Callable[..., Any]:
        """Return the function that callers of a plain one see."""

        def shell(*args: Any, **kwargs: Any) -> Any:
            key, call = self._key(args, kwargs), functools.partial(self._func, *args, **kwargs)

            get = functools.partial(_get, call)

            def refresh() -> None:
                _refreshers.submit(lambda: drive_plainly(self._refresh(key), get))

            return drive_plainly(self._answer(key, threading.get_ident(), refresh), get)

        return shell

    def async_shell(self) -> Callable[..., Awaitable[Any]]:
        """Return the function that callers of a coroutine function see."""
        ask = AsyncCache(self._cache).ask

        async def shell(*args: Any, **kwargs: Any) -> Any:
            key, call = self._key(args, kwargs), functools.partial(self._func, *args, **kwargs)

            get = functools.partial(_get_later, call, ask)

            def refresh() -> None:
                task = asyncio.create_task(drive(self._refresh(key), get))
                self._tasks.add(task)  # the loop alone would forget it
                task.add_done_callback(self._refreshed)

            return await drive(self._answer(key, asyncio.current_task(), refresh), get)

        return shell

    def _answer(self, key: str, owner: object, refresh: Callable[[], None]) -> Steps:
        while True:
            found = yield functools.partial(self._cache.look, key)
            if self._holds_answer(found):
                self._count("stored_hits")
                if found.stale:
                    refresh()
                return self._open(found.value)
            unkept = found is not None and found.value == UNKEPT
            flight = None if unkept else self._flights.board(key, owner)
            if flight is None:  # nothing to wait for; or a recursion into its own call, as endless as the plain one's
                self._count("misses")
                return (yield CALL)
            if not flight.leads:
                frozen = yield flight.landed
                if frozen is not None:
                    self._count("shared")
                    return frozen.thaw()
                continue
            with self._flights.leading(key, flight):
                answer = yield from self._compute_once(key)
                flight.brings = _frozen(answer)
                return answer

    def _refresh(self, key: str) -> Steps:
        """Compute an answer anew while the stale one is served; only where nobody else does."""
        lease = Lease(self._cache, f"{key}:lease")
        if (yield lease.take):
            try:
                found = yield functools.partial(self._cache.peek, key)
                if found is None or found.stale:
                    yield from self._compute(key)
            except Exception as error:
                logger.warning("%s can't be computed anew (%r): the stale answer is served on", self._name[:-1], error)
            finally:
                yield lease.give_back

    def _compute_once(self, key: str) -> Steps:
        """Compute an answer, or wait for the process that does."""
        lease = Lease(self._cache, f"{key}:lease")
        pause_s = SHORTEST_PAUSE_S
        while (taken := (yield lease.take)) is False:
            yield pause_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) * random.uniform(0.9, 1)
            found = yield functools.partial(self._cache.peek, key)
            if self._holds_answer(found):
                self._count("shared")
                return self._open(found.value)
            if found is not None and found.value == UNKEPT:
                break
        try:
            if taken:  # somebody may have computed it since we looked
                found = yield functools.partial(self._cache.peek, key)
                if self._holds_answer(found) and not found.stale:
                    self._count("shared")
                    return self._open(found.value)
            return (yield from self._compute(key))
        finally:
            if taken:
                yield lease.give_back

    def _compute(self, key: str) -> Steps:
        self._count("misses")
        try:
            answer = yield CALL
        except Exception as error:
            yield functools.partial(self._keep_error, key, error)
            raise
        yield functools.partial(self._keep, key, answer)
        return answer

    def _keep(self, key: str, answer: Any) -> None:
        ttl_s = None if self._ttl_s is None else self._ttl_s * random.uniform(1 - self._jitter, 1)
        if not self._cache.set(key, [answer], ttl_s, stale_s=self._stale_s) and not self._cache.fails:
            self._cache.set(key, UNKEPT, ttl_s)

    def _keep_error(self, key: str, error: Exception) -> None:
        kind = _dotted(type(error))
        if kind in self._negative:
            self._cache.set(key, [None, kind, list(error.args)], self._negative[kind][1])

    def _holds_answer(self, found: Hit | None) -> bool:
        if found is None or type(found.value) is not list:
            return False
        return len(found.value) == 1 or (len(found.value) == 3 and found.value[1] in self._negative)

    def _open(self, kept: list[Any]) -> Any:
        if len(kept) == 3:
            raise self._negative[kept[1]][0](*kept[2])
        return kept[0]

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        told = repr(call_key(args, kwargs)).encode(errors="surrogatepass")
        return self._versioned + hashlib.blake2b(told, digest_size=16).hexdigest()

    def _refreshed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("%s can't be computed anew (%r)", self._name[:-1], error)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def _get(call: Callable[[], Any], need: Need) -> Any:
    if need is CALL:
        return call()
    if isinstance(need, float):
        time.sleep(need)
        return None
    return need.result() if isinstance(need, Future) else need()


async def _get_later(
    call: Callable[[], Awaitable[Any]], ask: Callable[[Callable[[], Any]], Awaitable[Any]], need: Need
) -> Any:
    if need is CALL:
        return await call()
    if isinstance(need, float):
        await asyncio.sleep(need)
        return None
    return await (asyncio.wrap_future(need) if isinstance(need, Future) else ask(need))


def _frozen(answer: Any) -> Frozen | None:
    try:
        return freeze(answer, math.inf)
    except Exception as error:  # whatever its __reduce__ raises
        logger.debug("an answer doesn't pickle, so those who wait for it look for themselves: %s", error)
        return None


def _dotted(func: Callable[..., Any]) -> str:
    return ".".join(module_and_name(func))


def _source_digest(func: Callable[..., Any]) -> str:
    """Return what tells a function from its other versions, the same in every process."""
    try:
        text = inspect.getsource(func)
    except (OSError, TypeError):
        code = getattr(func, "__code__", None)
        text = repr((code.co_code, code.co_names, code.co_consts)) if code else ""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
