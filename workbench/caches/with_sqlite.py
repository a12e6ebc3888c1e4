"""A cache in one SQLite file, for the processes of one machine."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.caches.backend import Backend
from workbench.caches.threads import PerThread
from workbench.errors import UsageError

#: Every so many writes, what has ended is removed.
SWEEP = 1_000


class SQLite(Backend):
    """A table in a SQLite file, in write-ahead mode: one writes while others read.

    Parameters
    ----------
    path
        The file; made when it is not there.
    timeout_s
        How long to wait for another process that writes.

    Raises
    ------
    UsageError
        The file can't be opened.

    Examples
    --------
    >>> file = SQLite(tmp / "cache.sqlite")
    >>> file.set("a", b"1", None)
    >>> SQLite(tmp / "cache.sqlite").get("a")
    b'1'
    """

    def __init__(self, path: str | os.PathLike[str], timeout_s: float = 0.25) -> None:
        self._path = Path(path)
        self._timeout_s = timeout_s
        self._connections = PerThread(self._connect, sqlite3.Connection.close)
        self._writes = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connections.get()
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"can't keep a cache in {path}: {error}; pass another file") from error

    def __repr__(self) -> str:
        return f"the cache in {self._path}"

    def get(self, name: str) -> bytes | None:
        query = "SELECT data FROM entries WHERE name = ? AND ends_s > ?"
        row = self._connections.get().execute(query, (name, time.time())).fetchone()
        return row[0] if row is not None else None

    def get_many(self, names: Iterable[str]) -> dict[str, bytes]:
        names, now_s = list(names), time.time()
        marks = ",".join("?" * len(names))
        query = f"SELECT name, data FROM entries WHERE name IN ({marks}) AND ends_s > ?"
        return dict(self._connections.get().execute(query, (*names, now_s)))

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        self.set_many({name: data}, ttl_s)

    def set_many(self, items: Mapping[str, bytes], ttl_s: float | None) -> None:
        ends_s = _ends_s(ttl_s)
        rows = [(name, data, ends_s) for name, data in items.items()]
        connection = self._connections.get()
        with connection:
            connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
        self._writes += len(rows)
        if self._writes >= SWEEP:
            self._writes = 0
            with connection:
                connection.execute("DELETE FROM entries WHERE ends_s <= ?", (time.time(),))

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        insert = (
            "INSERT INTO entries VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE"
            " SET data = ?2, ends_s = ?3 WHERE ends_s <= ?4"
        )
        connection = self._connections.get()
        with connection:
            return connection.execute(insert, (name, data, _ends_s(ttl_s), time.time())).rowcount == 1

    def delete(self, name: str) -> None:
        connection = self._connections.get()
        with connection:
            connection.execute("DELETE FROM entries WHERE name = ?", (name,))

    def clear(self, prefix: str) -> None:
        connection = self._connections.get()
        with connection:
            connection.execute("DELETE FROM entries WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))

    def close(self) -> None:
        self._connections.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout_s, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # an answer lost with the machine is computed again
        connection.execute(
            "CREATE TABLE IF NOT EXISTS entries (name TEXT PRIMARY KEY, data BLOB, ends_s REAL) WITHOUT ROWID"
        )
        return connection


def _ends_s(ttl_s: float | None) -> float:
    return math.inf if ttl_s is None else time.time() + ttl_s
