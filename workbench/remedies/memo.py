"""Remember answers: in this process, and on disk for the next one."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import tempfile
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from workbench.caches import Cache
from workbench.errors import NotApplicableError, UsageError
from workbench.folders import cache_folder
from workbench.remedies.cached_calls import CachedCalls
from workbench.remedies.sequential import sequential
from workbench.remedies.store import Missing, Slow
from workbench.remedies.tiers import MemoInfo, Tiers, call_key
from workbench.remedy import Func, Run, remedy

_Params = ParamSpec("_Params")
_Answer = TypeVar("_Answer")
_AnswerOut = TypeVar("_AnswerOut", covariant=True)


class Memoized(Protocol[_Params, _AnswerOut]):
    """A memoized function: call it as the plain one."""

    def __call__(self, *args: _Params.args, **kwargs: _Params.kwargs) -> _AnswerOut:
        """Return the remembered answer, or compute it."""
        ...

    def info(self) -> MemoInfo:
        """Return the counts of hits and misses since the start, or since `clear`."""
        ...

    def clear(self) -> None:
        """Forget all answers of this function, on disk too."""
        ...


class _Options(TypedDict, total=False):
    folder: str | os.PathLike[str] | None
    ttl_s: float | None
    maxsize: int | None
    cache: Cache | None
    stale_s: float
    jitter: float
    negative: Mapping[type[Exception], float] | None


@overload
def memoize(
    func: None = None, **options: Unpack[_Options]
) -> Callable[[Callable[_Params, _Answer]], Memoized[_Params, _Answer]]: ...


@overload
def memoize(func: Callable[_Params, _Answer], **options: Unpack[_Options]) -> Memoized[_Params, _Answer]: ...


def memoize(
    func: Callable[..., Any] | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    ttl_s: float | None = None,
    maxsize: int | None = 1024,
    cache: Cache | None = None,
    stale_s: float = 0.0,
    jitter: float = 0.1,
    negative: Mapping[type[Exception], float] | None = None,
) -> Any:
    """Remember what a function, plain or ``async``, returned: in this process and, by `joblib.Memory`, on disk.

    Callers that ask for the same missing answer at the same time share one computation. An exception reaches those
    who wait for it and is not remembered. Every caller gets an answer of its own, so that changing it harms nobody. As
    in joblib, ``1``, ``1.0`` and ``True`` are different arguments, and changed source drops the stored answers.

    Parameters
    ----------
    func
        A function whose answer depends on its arguments alone.
    folder
        Where answers are kept; `workbench.folders.cache_folder` when None. Answers are pickles: who can write there
        can run code here.
    ttl_s
        How long an answer may be used, in seconds; for ever when None.
    maxsize
        Answers kept in this process, the latest used ones; all when None, none when 0. An answer of more than a
        megabyte stays on disk only.
    cache
        Where to keep answers instead of a folder: a `workbench.caches.Cache`. Of all processes that look for one answer
        one computes it, the others wait for it. While the cache can't be used, everything is computed. What the
        cache's serializer can't keep is computed at every call.
    stale_s
        With a cache: how long after its time an answer is still served, while one caller computes it anew.
    jitter
        With a cache: each ``ttl_s`` is shortened at random by up to this share, so that answers don't all end at once.
    negative
        With a cache: exceptions that are remembered too, each for its seconds, as in ``{LookupError: 5}``; else none
        is. Their types must match exactly.

    Returns
    -------
    Memoized
        The function, with ``info()`` and ``clear()``. `inspect.iscoroutinefunction` says the same of it as of ``func``.

    Raises
    ------
    UsageError
        ``func`` is no function (a bound method, a partial), a number below its least, an argument that goes with a
        cache alone or with a folder alone; at a call: the folder can't be written, or an argument doesn't pickle.

    Examples
    --------
    >>> from workbench import memoize
    >>> @memoize(folder=tmp)
    ... def square(n):
    ...     return n * n
    >>> square(3), square(3), square(n=4)
    (9, 9, 16)
    >>> square.info()
    MemoInfo(warm_hits=1, stored_hits=0, shared=0, misses=2)

    >>> from workbench.caches import Cache, SQLite
    >>> @memoize(cache=Cache(SQLite(tmp / "answers.sqlite")), ttl_s=60)
    ... def cube(n):
    ...     return n**3
    >>> cube(3), cube(3)
    (27, 27)
    >>> cube.info()
    MemoInfo(warm_hits=0, stored_hits=1, shared=0, misses=1)
    """
    if func is None:
        return functools.partial(
            memoize, folder=folder, ttl_s=ttl_s, maxsize=maxsize,
            cache=cache, stale_s=stale_s, jitter=jitter, negative=negative,
        )  # fmt: skip
    if not inspect.isfunction(func) and not _of_a_module(func):
        raise UsageError(f"memoize takes a function, whose name and source tell its answers from others': got {func!r}")
    if maxsize is not None and maxsize < 0:
        raise UsageError(f"maxsize must be 0 or more, or None: got {maxsize}")
    if ttl_s is not None and not ttl_s > 0:
        raise UsageError(f"ttl_s must be above 0 seconds, or None: got {ttl_s}")
    later = inspect.iscoroutinefunction(func)
    if cache is not None:
        _check_cached(folder, stale_s, jitter, negative)
        calls = CachedCalls(func, cache, ttl_s, stale_s, jitter, negative or {})
        return _memoized(func, calls.async_shell() if later else calls.plain_shell(), calls)
    if stale_s or negative:
        raise UsageError("stale_s and negative go with a cache: pass cache= too")
    tiers = Tiers(func, cache_folder() if folder is None else folder, ttl_s, maxsize)
    return _memoized(func, (_async_shell if later else _plain_shell)(func, tiers), tiers)


@remedy(model="memo", pure=True, price="memory for every distinct answer, which may get stale")
def memo(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Compute every distinct item once: what remembering gains within one run, for the duplicates these items have.

    Raises
    ------
    NotApplicableError
        An item doesn't pickle, so equal ones can't be found.

    Examples
    --------
    >>> memo(abs, [-1, 2, -1])
    [1, 2, 1]
    """
    try:
        keys = [call_key((item,), {}) for item in items]
    except UsageError as error:
        raise NotApplicableError(f"equal items can't be found: {error}") from error
    distinct = dict(zip(keys, items, strict=True))
    answers = dict(zip(distinct, sequential(func, list(distinct.values())), strict=True))
    return [answers[key] for key in keys]


@remedy(model="memo", pure=True, price="files on disk, which may get stale")
def stored(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` through `memoize` and a store of its own: what files gain within one run, for its duplicates.

    Each run starts with nothing and leaves nothing; `recalled` is what the runs after it gain.

    Examples
    --------
    >>> stored(abs, [-1, 2, -1])
    [1, 2, 1]
    """
    with tempfile.TemporaryDirectory(prefix="workbench-stored-") as folder:
        return _through(functools.partial(memoize, folder=folder), func, items)


@remedy(assumes="every answer was computed before", pure=True, price="files on disk, which may get stale")
def recalled(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` through `memoize`, with a store that lasts as long as this process.

    From the second run on nothing is computed: this is what answers cost once they are remembered, with no change
    in what they depend on.

    Examples
    --------
    >>> recalled(abs, [-1, 2])
    [1, 2]
    """
    return sequential(_recalled(func), items)


def cached(cache: Cache) -> Run:
    """Make a remedy that keeps answers in a cache which other processes may share: what it gains for duplicates.

    It is like `memo`, with the cost of that cache. Each run starts with nothing and leaves nothing. So it takes any
    callable: `memoize` needs a function's name and source only to know its answers again.

    Parameters
    ----------
    cache
        Where to keep them.

    Examples
    --------
    >>> from workbench.caches import Cache, Memory
    >>> calls = []
    >>> def note(item):
    ...     calls.append(item)
    ...     return -item
    >>> cached(Cache(Memory()))(note, [1, 2, 1]), calls
    ([-1, -2, -1], [1, 2])
    """

    @remedy(model="memo", price="a cache to run, and answers in it which may get stale")
    def run(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        return _through(functools.partial(memoize, cache=cache), func, items)

    return run


def _through(remember: Callable[[Func], Any], func: Func, items: Sequence[Any]) -> list[Any]:
    """Do items through a function that remembers, and that knows nothing before and after."""
    try:
        memoized = remember(func if inspect.isfunction(func) else _named(func))
        memoized.clear()
        try:
            return sequential(memoized, items)
        finally:
            memoized.clear()
    except UsageError as error:
        raise NotApplicableError(str(error)) from error


def _named(func: Func) -> Func:
    """Return a function for a callable that has no name of its own; nobody else's answers are under the new one."""

    def call(item: Any) -> Any:
        return func(item)

    async def call_later(item: Any) -> Any:
        return await func(item)

    named = call_later if inspect.iscoroutinefunction(func) else call
    named.__qualname__ = f"call-{uuid.uuid4().hex}"
    return named


@functools.lru_cache(maxsize=64)
def _recalled(func: Func) -> Func:
    try:
        return memoize(func, folder=tempfile.mkdtemp(dir=_scratch_folder().name))
    except UsageError as error:
        raise NotApplicableError(str(error)) from error


@functools.cache
def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="workbench-recalled-")


def _memoized(func: Callable[..., Any], shell: Callable[..., Any], answers: Tiers | CachedCalls) -> Any:
    memoized: Any = functools.wraps(func)(shell)
    memoized.info = answers.info
    memoized.clear = answers.clear
    return memoized


def _check_cached(
    folder: str | os.PathLike[str] | None,
    stale_s: float,
    jitter: float,
    negative: Mapping[type[Exception], float] | None,
) -> None:
    if folder is not None:
        raise UsageError("answers are kept in a folder or in a cache: pass folder= or cache=, not both")
    if not stale_s >= 0:
        raise UsageError(f"stale_s must be 0 seconds or more: got {stale_s}")
    if not 0 <= jitter < 1:
        raise UsageError(f"jitter must be at least 0 and below 1: got {jitter}")
    for kind, kept_s in (negative or {}).items():
        if not (isinstance(kind, type) and issubclass(kind, Exception) and kept_s > 0):
            raise UsageError(f"negative must map exceptions to seconds above 0: got {kind!r} for {kept_s} s")


def _of_a_module(func: Callable[..., Any]) -> bool:
    return inspect.isbuiltin(func) and inspect.ismodule(func.__self__)


def _plain_shell(func: Callable[..., Any], tiers: Tiers) -> Callable[..., Any]:
    def shell(*args: Any, **kwargs: Any) -> Any:
        key = call_key(args, kwargs)
        while True:
            if warm := tiers.warm(key):
                return warm.thaw()
            flight = tiers.board(key, threading.get_ident())
            if flight is None:  # a recursion into its own call: as endless as the plain function's
                return func(*args, **kwargs)
            if not flight.leads:
                if shared := tiers.share(flight.landed.result()):
                    return shared.thaw()
                continue
            with tiers.leading(key, flight):
                try:
                    answer = tiers.load(key, args, kwargs)
                except Missing:
                    answer = func(*args, **kwargs)
                    tiers.keep(key, args, kwargs, answer)
                return answer

    return shell


def _async_shell(func: Callable[..., Awaitable[Any]], tiers: Tiers) -> Callable[..., Awaitable[Any]]:
    async def shell(*args: Any, **kwargs: Any) -> Any:
        key = call_key(args, kwargs)
        while True:
            if warm := tiers.warm(key):
                return warm.thaw()
            flight = tiers.board(key, asyncio.current_task())
            if flight is None:
                return await func(*args, **kwargs)
            if not flight.leads:
                if shared := tiers.share(await asyncio.wrap_future(flight.landed)):
                    return shared.thaw()
                continue
            with tiers.leading(key, flight):
                # A small answer is read here, which is quicker than any hand-over; a large one, and all writing, must
                # not stall the event loop.
                try:
                    try:
                        answer = tiers.load(key, args, kwargs, patient=False)
                    except Slow:
                        answer = await asyncio.to_thread(tiers.load, key, args, kwargs)
                except Missing:
                    answer = await func(*args, **kwargs)
                    await asyncio.to_thread(tiers.keep, key, args, kwargs, answer)
                return answer

    return shell
