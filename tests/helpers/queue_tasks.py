"""Functions for the tests of the queues: workers import this module."""

import asyncio
import os
import signal
import sqlite3
import time
from pathlib import Path


def increment(n):
    return n + 1


async def increment_later(n):
    await asyncio.sleep(0)
    return n + 1


def as_it_came(item):
    return item


async def as_it_came_later(item):
    return item


def refuse_two(n):
    if n == 2:
        raise ValueError("not two")
    return n + 1


async def refuse_two_later(n):
    return refuse_two(n)


def nap(sleep_s):
    time.sleep(sleep_s)
    return sleep_s


async def nap_later(sleep_s):
    await asyncio.sleep(sleep_s)
    return sleep_s


def wait_for(path):
    """Return when there is such a file: a task that runs for as long as a test wants it to."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return path


async def wait_for_later(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.005)
    return path


def note(path):
    """Append a byte to a file, and return how many there were before."""
    with open(path, "ab") as file:
        file.write(b"x")
        return file.tell() - 1


async def note_later(path):
    return note(path)


def nap_and_note(path):
    time.sleep(0.5)
    return note(path)


async def nap_and_note_later(path):
    await asyncio.sleep(0.5)
    return note(path)


def fail_twice(path):
    if note(path) < 2:
        raise OSError("not yet")
    return "at last"


async def fail_twice_later(path):
    return fail_twice(path)


def fail_until_there(path):
    return Path(path).read_text()


async def fail_until_there_later(path):
    return fail_until_there(path)


def end_the_worker(n):
    os.kill(os.getpid(), signal.SIGKILL)


def unsendable(n):
    return object()


def raise_unsendable(n):
    raise OddError(object())


class OddError(Exception):
    """An exception whose arguments can't be sent."""

    def __str__(self):
        return "odd"


def count(item):
    """Take a moment, and note this run in a database: once by its number, and once more for every run."""
    path, number, sleep_s = item
    time.sleep(sleep_s)
    with sqlite3.connect(path, timeout=30) as db:
        db.execute("INSERT OR IGNORE INTO effects VALUES (?)", (number,))
        db.execute("INSERT INTO runs VALUES (?)", (number,))
    db.close()
    return number


def nest(depth):
    """Return a list in a list in a list."""
    value = None
    for _ in range(depth):
        value = [value]
    return value


def raise_nested(depth):
    raise ValueError(nest(depth))
