"""A cache in this process: the latest used values, within a number and a size."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict

from workbench.caches.backend import Backend
from workbench.errors import UsageError


class Memory(Backend):
    """The latest used values, in this process.

    Parameters
    ----------
    maxsize
        Values kept.
    max_bytes
        Their bytes, names and what Python needs for them aside.

    Examples
    --------
    >>> memory = Memory(maxsize=2)
    >>> for name in "abc":
    ...     memory.set(name, b"1", None)
    >>> memory.get("a"), memory.get("b")
    (None, b'1')
    """

    in_process = True
    repeats = True

    def __init__(self, maxsize: int = 10_000, max_bytes: int = 100_000_000) -> None:
        if maxsize < 1 or max_bytes < 1:
            raise UsageError(f"a cache of {maxsize} values or {max_bytes} bytes keeps nothing: pass 1 or more")
        self._maxsize = maxsize
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "the cache in this process"

    def get(self, name: str) -> bytes | None:
        found = self._values.get(name)  # without the lock, which would take a third of the time
        if found is None:
            return None
        data, ends_s = found
        if ends_s <= time.time():
            with self._lock:
                if self._values.get(name) is found:
                    self._remove(name)
            return None
        try:  # noqa: SIM105 - suppress would take longer than all the rest
            self._values.move_to_end(name)
        except KeyError:  # removed since
            pass
        return data

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        with self._lock:
            self._put(name, data, ttl_s)

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        with self._lock:
            found = self._values.get(name)
            if found is not None and found[1] > time.time():
                return False
            self._put(name, data, ttl_s)
            return True

    def delete(self, name: str) -> None:
        with self._lock:
            self._remove(name)

    def clear(self, prefix: str) -> None:
        with self._lock:
            for name in [name for name in self._values if name.startswith(prefix)]:
                self._remove(name)

    def _put(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self._remove(name)
        self._values[name] = data, math.inf if ttl_s is None else time.time() + ttl_s
        self._bytes += len(data)
        while len(self._values) > self._maxsize or self._bytes > self._max_bytes:
            self._remove(next(iter(self._values)))

    def _remove(self, name: str) -> None:
        if found := self._values.pop(name, None):
            self._bytes -= len(found[0])
