"""The book of a queue: every task with its state, answer and failures, in one SQLite file that all its workers share.

A broker moves messages; it doesn't say what became of a task, and it may lose one or deliver it twice. So a task is
written down before its message is published (a transactional outbox), a worker claims it here before it runs it, and
its answer is kept here once. A message that was delivered twice then finds nothing to claim, and a task whose message
was lost is still in the book, to be published again.

A message is a task's number and nothing else: what is called, and with what, stands here only, in a file that is closed
to other users. So who writes to the broker can have nothing run but what was submitted.

Write-ahead logging without a sync at every commit (``synchronous=NORMAL``) survives any number of killed processes; a
power cut may take the last moments.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from workbench.queues.contract import Progress, pause_s

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    func TEXT NOT NULL,
    item BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',   -- queued, running, done, dead
    worker TEXT,                            -- who runs it, or ran it last
    failures INTEGER NOT NULL DEFAULT 0,    -- since it was submitted, or resubmitted
    crashes INTEGER NOT NULL DEFAULT 0,
    runs INTEGER NOT NULL DEFAULT 0,
    repeats INTEGER NOT NULL DEFAULT 0,
    queued_s REAL NOT NULL,                 -- when it was published last
    due_s REAL,                             -- when it is to be published again, if it is
    started_s REAL,
    ended_s REAL,
    answer BLOB,
    error BLOB
);
CREATE INDEX IF NOT EXISTS due ON tasks (due_s) WHERE due_s IS NOT NULL;
CREATE INDEX IF NOT EXISTS running ON tasks (worker) WHERE state = 'running';
CREATE INDEX IF NOT EXISTS queued ON tasks (queued_s) WHERE state = 'queued';
CREATE INDEX IF NOT EXISTS started ON tasks (started_s);
CREATE TABLE IF NOT EXISTS ready (worker TEXT PRIMARY KEY);
"""
#: A writer waits so long for the others; each takes some microseconds.
BUSY_S = 30.0


class Work(NamedTuple):
    """What a worker is to do: the function's name, and its packed item."""

    func: str
    item: bytes


class Store:
    """The tasks of one queue; every thread has its own connection.

    Examples
    --------
    >>> store = Store(tmp / "tasks.sqlite")
    >>> store.add("math:isqrt", b"10", key="root of ten")
    (1, True)
    >>> store.add("math:isqrt", b"10", key="root of ten")
    (1, False)
    >>> store.claim(1, "worker 1")
    Work(func='math:isqrt', item=b'10')
    >>> store.claim(1, "worker 2")
    >>> store.finish(1, "worker 1", b"3")
    >>> store.outcome(1), store.progress().repeats
    (('done', b'3', None), 1)
    >>> store.close()
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        path.touch(mode=0o600)  # SQLite's other files take after it
        path.chmod(0o600)
        self._db.executescript(SCHEMA)

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            self._local.db = db
            self._open.append(db)
        return db

    def close(self) -> None:
        """Close all connections; nobody may use the store any more."""
        for db in self._open:
            db.close()

    # What the one who submits does.

    def add(self, func: str, item: bytes, key: str | None) -> tuple[int, bool]:
        """Write a task down; return its id, and whether it is new: a task with the key of another one is that one."""
        added = self._rows(
            "INSERT INTO tasks (key, func, item, queued_s) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
            " RETURNING id",
            (key, func, item, time.time()),
        )
        if added:
            return added[0][0], True
        return self._rows("SELECT id FROM tasks WHERE key = ?", (key,))[0][0], False

    def outcome(self, task: int) -> tuple[str, bytes | None, bytes | None] | None:
        """Return a task's state, answer and error; None if there is no such task."""
        rows = self._rows("SELECT state, answer, error FROM tasks WHERE id = ?", (task,))
        return rows[0] if rows else None

    def progress(self) -> Progress:
        """Count the tasks."""
        counts = dict(self._rows("SELECT state, count(*) FROM tasks GROUP BY state"))
        runs, repeats = self._rows("SELECT total(runs), total(repeats) FROM tasks")[0]
        return Progress(**counts, runs=int(runs), repeats=int(repeats))

    def dead(self) -> list[tuple[int, str | None, str, bytes, int, bytes]]:
        """Return id, key, function, item, runs and error of every dead task."""
        return self._rows("SELECT id, key, func, item, runs, error FROM tasks WHERE state = 'dead' ORDER BY id")

    def revive(self, task: int) -> bool:
        """Put a dead task back; False if it is not dead."""
        return bool(
            self._rows(
                "UPDATE tasks SET state = 'queued', failures = 0, crashes = 0, error = NULL, due_s = ?"
                " WHERE id = ? AND state = 'dead' RETURNING id",
                (time.time(), task),
            )
        )

    # What a worker does.

    def claim(self, task: int, worker: str) -> Work | None:
        """Take a task to run it; None if it is done, dead, another worker's, or was never submitted."""
        claimed = self._rows(
            "UPDATE tasks SET state = 'running', worker = ?, started_s = ?, runs = runs + 1, due_s = NULL"
            " WHERE id = ? AND state = 'queued' RETURNING func, item",
            (worker, time.time(), task),
        )
        if not claimed:
            self._db.execute("UPDATE tasks SET repeats = repeats + 1 WHERE id = ?", (task,))
        return Work(*claimed[0]) if claimed else None

    def finish(self, task: int, worker: str, answer: bytes) -> None:
        """Keep a task's answer, unless it was taken from this worker."""
        self._db.execute(
            "UPDATE tasks SET state = 'done', ended_s = ?, answer = ?, error = NULL"
            " WHERE id = ? AND worker = ? AND state = 'running'",
            (time.time(), answer, task, worker),
        )

    def fail(self, task: int, worker: str, error: bytes, *, retries: int, backoff_s: float) -> None:
        """Keep a task's failure: it is due again, or dead after so many retries."""
        rows = self._rows("SELECT failures FROM tasks WHERE id = ?", (task,))
        failures = rows[0][0] + 1
        state, due_s = ("dead", None) if failures > retries else ("queued", time.time() + pause_s(backoff_s, failures))
        self._db.execute(
            "UPDATE tasks SET state = ?, due_s = ?, failures = ?, ended_s = ?, error = ?"
            " WHERE id = ? AND worker = ? AND state = 'running'",
            (state, due_s, failures, time.time(), error, task, worker),
        )

    def say_ready(self, worker: str) -> None:
        """Tell that a worker takes tasks."""
        self._db.execute("INSERT OR IGNORE INTO ready VALUES (?)", (worker,))

    # What the one who minds the workers does.

    def ready(self) -> set[str]:
        """Return the workers that have been ready."""
        return {name for (name,) in self._rows("SELECT worker FROM ready")}

    def release(self, worker: str, *, crashes: int, error: bytes) -> int:
        """Put back what a worker ran that is gone, or bury what has now cost so many; return how many tasks."""
        released = self._rows(
            "UPDATE tasks SET crashes = crashes + 1, error = ?, ended_s = ?,"
            " state = iif(crashes + 1 >= ?, 'dead', 'queued'), due_s = iif(crashes + 1 >= ?, NULL, ?)"
            " WHERE worker = ? AND state = 'running' RETURNING id",
            (error, time.time(), crashes, crashes, time.time(), worker),
        )
        return len(released)

    def resume(self) -> None:
        """Make everything due that is not done: when a queue starts, nobody runs anything."""
        self._db.execute(
            "UPDATE tasks SET state = 'queued', due_s = ? WHERE state IN ('queued', 'running')", (time.time(),)
        )

    def due(self, most: int) -> list[int]:
        """Return the tasks that are to be published again now, and take them for published.

        Before, not after: a task that was published may be run, fail and be due again within that moment.
        """
        now_s = time.time()
        rows = self._rows(
            "UPDATE tasks SET due_s = NULL, queued_s = ? WHERE id IN (SELECT id FROM tasks WHERE due_s <= ?"
            " AND state = 'queued' ORDER BY due_s LIMIT ?) RETURNING id",
            (now_s, now_s, most),
        )
        return [task for (task,) in rows]

    def postpone(self, task: int, wait_s: float) -> None:
        """Note that a task could not be published: it is due after ``wait_s`` seconds."""
        self._db.execute("UPDATE tasks SET due_s = ? WHERE id = ? AND state = 'queued'", (time.time() + wait_s, task))

    def activity(self) -> tuple[float, int]:
        """Return when a task was last started, and how many run."""
        started_s = self._rows("SELECT max(started_s) FROM tasks")[0][0]
        return started_s or 0.0, self._rows("SELECT count(*) FROM tasks WHERE state = 'running'")[0][0]

    def miss(self, patience_s: float, *, silent: bool) -> int:
        """Make due what must have been lost on the way; return how many tasks.

        Brokers deliver in the order of publishing, give or take. So a task is missing when one that was published
        after it was started ``patience_s`` ago; and when workers are free but all is ``silent``.
        """
        before_s = time.time() - patience_s
        if not silent:
            # One that was started, and published again since, tells nothing.
            overtook = "SELECT max(queued_s) FROM tasks WHERE started_s < ? AND started_s >= queued_s"
            before_s = min(before_s, self._rows(overtook, (before_s,))[0][0] or 0.0)
        missed = self._rows(
            "UPDATE tasks SET due_s = ? WHERE state = 'queued' AND due_s IS NULL AND queued_s < ? RETURNING id",
            (time.time(), before_s),
        )
        return len(missed)

    def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        return self._db.execute(statement, values).fetchall()
