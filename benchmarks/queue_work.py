"""What the workers do in the benchmark of the queues; they import this module."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from contextlib import closing


def nothing(item: int) -> int:
    return item


async def nothing_later(item: int) -> int:
    await asyncio.sleep(0)
    return item


def python(n: int) -> int:
    return sum(i * i for i in range(150_000 + n))


def native(n: int) -> str:
    return hashlib.sha256(bytes(12_000_000 + n)).hexdigest()


def sleep(n: int) -> None:
    time.sleep(0.01)


def half_and_half(n: int) -> int:
    time.sleep(0.005)
    return sum(i * i for i in range(75_000 + n))


def short(n: int) -> int:
    return sum(i * i for i in range(15_000 + n))


def short_sleep(n: int) -> None:
    time.sleep(0.002)


def note(item: tuple[str, int]) -> int:
    """Take two milliseconds, then note the effect by its number (once) and the run (every time)."""
    path, number = item
    time.sleep(0.002)
    with closing(sqlite3.connect(path, timeout=60)) as db:
        db.execute("PRAGMA synchronous=OFF")
        with db:
            db.execute("INSERT OR IGNORE INTO effects VALUES (?)", (number,))
            db.execute("INSERT INTO runs VALUES (?)", (number,))
    return number
