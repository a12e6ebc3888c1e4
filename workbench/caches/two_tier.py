"""Memory in front of a cache that processes share, kept right by announced writes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from workbench.caches.announcer import Announcer
from workbench.caches.backend import Backend
from workbench.caches.memory import Memory


class TwoTier(Backend):
    """Reads what was read a moment ago from this process, all else from another backend.

    Every write is announced, and whoever hears of it forgets what it had. While announcements can't be heard the memory
    is not used. One that was lost on its way can't be noticed: so nothing is kept longer than ``near_s``.

    Parameters
    ----------
    far
        The cache that processes share.
    announcer
        Tells and hears of writes; it is listened to from now on.
    near_s
        The longest time for which a lost announcement can do harm.
    near
        The memory.

    Examples
    --------
    >>> from workbench import services
    >>> from workbench.caches import Cache, Redis
    >>> url = services.running("redis").url
    >>> with Cache(TwoTier(Redis(url), Announcer(url))) as cache:
    ...     cache.set("a", 1)
    ...     cache.get("a")
    True
    1
    """

    repeats = True

    def __init__(self, far: Backend, announcer: Announcer, near_s: float = 1.0, near: Memory | None = None) -> None:
        self._far = far
        self._announcer = announcer
        self._near = Memory() if near is None else near
        self._near_s = near_s
        self._lock = threading.Lock()
        #: Who reads a name from afar right now; struck out when it is written meanwhile.
        self._reading: dict[str, object] = {}
        announcer.listen(self._forget, self._forget_all)

    def __repr__(self) -> str:
        return f"memory in front of {self._far!r}"

    def get(self, name: str) -> bytes | None:
        if not self._announcer.hears:
            return self._far.get(name)
        data = self._near.get(name)
        if data is not None:
            return data
        return self._fetch([name]).get(name)

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        names = list(names)
        if not self._announcer.hears:
            return self._far.get_many(names)
        near = self._near.get_many(names)
        missing = [name for name in names if name not in near]
        return near | self._fetch(missing) if missing else near

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self._far.set(name, data, ttl_s)
        self._tell([name])

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        self._far.set_many(items, ttl_s)
        self._tell(items)

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        added = self._far.add(name, data, ttl_s)
        if added:
            self._tell([name])
        return added

    def delete(self, name: str) -> None:
        self._far.delete(name)
        self._tell([name])

    def clear(self, prefix: str) -> None:
        self._far.clear(prefix)
        self._forget_all()
        self._announcer.announce(None)

    def close(self) -> None:
        self._announcer.close()
        self._far.close()

    def _fetch(self, names: list[str]) -> dict[str, bytes]:
        """Read from afar, and keep what nobody wrote in the meantime."""
        mine = object()
        far: dict[str, bytes] = {}
        with self._lock:
            self._reading.update(dict.fromkeys(names, mine))
        try:
            if len(names) > 1:
                far = self._far.get_many(names)
            elif (data := self._far.get(names[0])) is not None:
                far = {names[0]: data}
            return far
        finally:
            with self._lock:
                for name in names:
                    if self._reading.get(name) is mine:
                        del self._reading[name]
                        if name in far:
                            self._near.set(name, far[name], self._near_s)

    def _tell(self, names: Iterable[str]) -> None:
        self._forget(names)
        self._announcer.announce(names)

    def _forget(self, names: Iterable[str]) -> None:
        with self._lock:
            for name in names:
                self._reading.pop(name, None)
                self._near.delete(name)

    def _forget_all(self) -> None:
        with self._lock:
            self._reading.clear()
            self._near.clear("")
