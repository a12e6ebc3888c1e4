"""What a cache must be able to do with bytes; everything else is the same for all, in `workbench.caches.cache`."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping


class Backend(abc.ABC):
    """Bytes under names. Any exception means that it can't be used now; none may wait longer than its timeout.

    Names are at most 250 printable ASCII characters without a space. ``ttl_s`` None means for ever; a backend may keep
    bytes longer than it was told, since what is in them says when they end.
    """

    #: Whether it lives in this process: then asking it needs no thread of its own.
    in_process = False
    #: Whether it may hand out the same bytes again at next to no cost: then what was in them is kept beside.
    repeats = False

    @abc.abstractmethod
    def get(self, name: str) -> bytes | None:
        """Return what is there, or None."""

    @abc.abstractmethod
    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        """Put bytes there."""

    @abc.abstractmethod
    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        """Put bytes there if nothing is; of all who try at once, in whatever process, one is told True."""

    @abc.abstractmethod
    def delete(self, name: str) -> None:
        """Remove what is there, if anything."""

    @abc.abstractmethod
    def clear(self, prefix: str) -> None:
        """Remove all whose names start so."""

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return those that are there."""
        found = {name: self.get(name) for name in names}
        return {name: data for name, data in found.items() if data is not None}

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        """Put several there."""
        for name, data in items.items():
            self.set(name, data, ttl_s)

    def close(self) -> None:  # noqa: B027 - some have nothing to let go of
        """Let go of connections and files; a backend that is used again opens them anew."""
