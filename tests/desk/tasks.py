"""Small tasks of the kinds people bring; `cases.toml` says what a right answer about each is."""
# ruff: noqa: T201

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

DOOR = threading.Lock()
NOISE = bytes(4_000_000)
TOKENS = [str(number) for number in range(1000)]
STAMP = ""


def wait(item):
    time.sleep(0.03)
    return item


def wait_long(item):
    time.sleep(2)
    return item


def wait_in_turn(item):
    with DOOR:
        time.sleep(0.02)
    return item


async def await_it(item):
    await asyncio.sleep(0.05)
    return item


def count(item):
    total = 0
    for number in range(1_000_000):
        total += number * item % 7
    return total


def quick(item):
    return sum(number * item for number in range(200))


def digest(item):
    return hashlib.sha256(NOISE * 5 + str(item).encode()).hexdigest()


def prints(item):
    time.sleep(0.001)
    print("line", item)
    return item


def inserts(item):
    with sqlite3.connect("rows.sqlite") as database:
        database.execute("create table if not exists rows (n)")
        database.execute("insert into rows values (?)", (item,))
    database.close()
    return item


def spends_a_token(item):
    time.sleep(0.005)
    return TOKENS.remove(item) or item


def stamps(item):
    global STAMP
    time.sleep(0.4)
    STAMP = f"{time.time():.6f}"
    return item


def never_beside_others(item):
    """Return alone, and never while another call runs, as a client that isn't safe to share."""
    if not DOOR.acquire(blocking=False):
        threading.Event().wait()
    time.sleep(0.02)
    DOOR.release()
    return item


def leaves_a_child(item):
    time.sleep(0.02)
    if item == 3:
        subprocess.Popen(["sleep", "300"])
    return item


def fails_on_some(item):
    time.sleep(0.02)
    return 1 / (item % 5)


def fails(item):
    raise FileNotFoundError(f"no file {item}")


def reads(item):
    return len(Path(os.__file__).read_bytes()) + item


def exits(item):
    sys.exit("gone")


def counts_itself(item):
    before = getattr(counts_itself, "calls", 0)
    time.sleep(0.002)
    counts_itself.calls = before + 1
    return item


def appends(item):
    with open("rows.csv", "a") as file:
        file.write(f"{item}\n")
    return item


def hangs(item):
    time.sleep(100)


def computes():
    return count(3)


def asks_in_turn():
    return [wait(item) for item in range(20)]


def unique():
    seen = []
    for item in range(9000):
        if item not in seen:
            seen.append(item)
    return len(seen)


def app(environ, start_response):
    wait(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
