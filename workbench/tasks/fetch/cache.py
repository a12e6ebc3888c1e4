"""What was fetched, kept in a joblib store, from which it is served the next time: in other processes too."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.folders import cache_folder
from workbench.masking import get_logger
from workbench.tasks.fetch.rows import FetchRow

if TYPE_CHECKING:
    from joblib import Memory

log = get_logger(__name__)


class RowCache:
    """Good rows in a joblib store.

    The store is as private as its folder: joblib unpickles what lies in there.

    Parameters
    ----------
    where
        True for the user's cache folder, a folder, or a `joblib.Memory`.
    ttl_s
        Seconds for which a stored row is served; None: for ever.
    headers
        The user's own headers: with others, an answer may be another one.

    Raises
    ------
    UsageError
        The folder can't be written, or the time is none.

    Examples
    --------
    >>> cache = RowCache(tmp)
    >>> cache.get("http://127.0.0.1/") is None
    True
    >>> cache.put(FetchRow(url="http://127.0.0.1/", status=200, body=b"hello"))
    >>> cache.get("http://127.0.0.1/").from_cache
    True
    """

    def __init__(
        self,
        where: bool | str | os.PathLike[str] | Memory,
        ttl_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if ttl_s is not None and not ttl_s > 0:
            raise UsageError(f"ttl_s={ttl_s} keeps nothing: pass a number of seconds above 0, or None for ever")
        # A digest, because joblib writes arguments as plain text and headers may be secret.
        self._sent = _digest(repr(sorted(headers.items()))) if headers else ""
        self._remember = _remember_in(_memory(where), ttl_s)
        # joblib notes the function's code with the first look-up, and takes what it finds before for another's.
        self._remember.check_call_in_cache("", "")
        # joblib catches everything while it reads and writes its notes, KeyboardInterrupt too. That is only ever raised
        # in the main thread: in another one joblib can't make it disappear.
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="workbench-store")

    def get(self, url: str) -> FetchRow | None:
        """Return the stored row of a URL; None when there is none, it is too old, or it is damaged."""
        return self._aside.submit(self._get, url).result()

    def put(self, row: FetchRow) -> None:
        """Store a row; a store that can't be written is told in the log, and loses no row."""
        self._aside.submit(self._put, row).result()

    def _get(self, url: str) -> FetchRow | None:
        started = time.monotonic()
        # joblib tells of an entry that it can't load with a traceback, and goes on: one line is enough.
        self._remember.warn = lambda _: _tell_damage(url)
        try:
            status, body, digest = self._remember(url, self._sent)
            whole = digest == _digest(repr(status), body)
        except _NotStored:
            return None
        except Exception:  # whatever a flipped bit makes of an entry
            whole = False
        if not whole:
            _tell_damage(url)
            return None
        elapsed_s = time.monotonic() - started
        return FetchRow(url=url, status=status, body=body, elapsed_s=elapsed_s, from_cache=True)

    def _put(self, row: FetchRow) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # how joblib tells that it could not write
                self._remember.call(row.url, self._sent, row)
        except (OSError, Warning) as error:
            log.warning("can't store the answer for %s: %s", row.url, error)


class _NotStored(Exception):  # noqa: N818 - no error, but a miss
    """There is no row for a URL in the store."""


def _remember_in(memory: Memory, ttl_s: float | None) -> Any:
    """Return the memoized function that stores a row when it is given one, and else only looks it up.

    The function is made anew for each store: joblib notes once for each function object that its code is in the store.
    """
    from joblib import expires_after

    def remember(url: str, sent: str, row: FetchRow | None = None) -> tuple[int | None, bytes, str]:
        if row is None:
            raise _NotStored  # joblib stores what is returned, and never what is raised
        return row.status, row.body, _digest(repr(row.status), row.body)

    fresh = None if ttl_s is None else expires_after(seconds=ttl_s)
    return memory.cache(remember, ignore=["row"], verbose=0, cache_validation_callback=fresh)


def _memory(where: bool | str | os.PathLike[str] | Memory) -> Memory:
    from joblib import Memory

    if isinstance(where, Memory):
        return where
    folder = cache_folder() / "fetch" if isinstance(where, bool) else Path(where)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(None, "Permission denied")
        return Memory(folder, verbose=0)
    except OSError as error:
        raise UsageError(f"can't write the cache folder {folder}: {error.strerror or error}") from error


def _digest(text: str, body: bytes = b"") -> str:
    seal = hashlib.blake2b(text.encode(), digest_size=16)
    seal.update(body)
    return seal.hexdigest()


def _tell_damage(url: str) -> None:
    log.warning("the stored answer for %s is damaged or unreadable: it is fetched again", url)
