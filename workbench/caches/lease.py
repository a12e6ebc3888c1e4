"""The right to compute what is missing in a cache: one holder among all processes, for as long as it lives."""

from __future__ import annotations

import os
import secrets
import threading
import time

from workbench.caches.cache import Cache
from workbench.caches.threads import DaemonThreads

#: How long others wait for a holder that was killed. Holders that live renew theirs three times as often.
HOLD_S = 3.0


class Lease:
    """A value in the cache that only one can add, which says who computes; it ends by itself.

    Parameters
    ----------
    cache, key
        Where it is kept, and under which key.

    Examples
    --------
    >>> from workbench.caches import Cache, Memory
    >>> cache = Cache(Memory())
    >>> mine, yours = Lease(cache, "k"), Lease(cache, "k")
    >>> mine.take(), yours.take()
    (True, False)
    >>> mine.give_back()
    >>> yours.take()
    True
    >>> yours.give_back()
    """

    def __init__(self, cache: Cache, key: str) -> None:
        self._cache = cache
        self._key = key
        self._token = secrets.token_hex(8)

    def take(self) -> bool | None:
        """Say whether it is held from now on; None: there is no telling, as the cache fails."""
        taken = self._cache.add(self._key, self._token, HOLD_S)
        if taken:
            _renew(self)
        return taken

    def give_back(self) -> None:
        """Let others have it."""
        _held.discard(self)
        # Should it end just between these two, another's is removed: that costs one computation more, no wrong answer.
        if self._is_mine():
            self._cache.delete(self._key)

    def renew(self) -> None:
        """Make it last another while."""
        if self._is_mine() and self in _held:
            self._cache.set(self._key, self._token, HOLD_S)

    def _is_mine(self) -> bool:
        found = self._cache.peek(self._key)
        return found is not None and found.value == self._token


_held: set[Lease] = set()
_lock = threading.Lock()
_thread = DaemonThreads(1)
_renewing = False


def _renew(lease: Lease) -> None:
    global _renewing
    with _lock:
        _held.add(lease)
        start, _renewing = not _renewing, True
    if start:
        _thread.submit(_renew_all)


def _renew_all() -> None:
    global _renewing
    while True:
        time.sleep(HOLD_S / 3)
        with _lock:
            if not _held:
                _renewing = False
                return
            held = list(_held)
        for lease in held:
            lease.renew()


def _forget() -> None:
    """In a forked child: what is held, the parent holds."""
    global _lock, _renewing
    _lock, _renewing = threading.Lock(), False
    _held.clear()


os.register_at_fork(after_in_child=_forget)
