"""Tasks as people have them, of all kinds, a twentieth of a second to a minute long, that know no workbench.

`TASKS` names each function's items. What waits, waits for real: for a clock, a lock, a program, a disk, a server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import lzma
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from collections.abc import Awaitable, Callable
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pandas as pd
import requests

DOCUMENT = json.dumps([{"number": n, "text": str(n) * 5, "values": [1.5 * n] * 8} for n in range(3000)])
TEXT = " ".join(str(n * 7919) for n in range(60_000))
NOISE = random.Random(0).randbytes(600_000)
NUMBERS = np.random.default_rng(0).random(400_000)
MATRIX = np.random.default_rng(0).random((500, 500))
TABLE = pd.DataFrame({"key": np.arange(200_000) % 997, "value": np.random.default_rng(0).random(200_000)})
SEATS, DOOR = threading.Semaphore(4), threading.Lock()
SESSION = requests.Session()


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_in_turn(seconds: float) -> float:
    with DOOR:
        time.sleep(seconds)
    return seconds


def wait_for_a_seat(n: int) -> int:
    with SEATS:
        time.sleep(0.05)
    return n


async def await_it(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def count(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += i * i % 7
    return total


def count_and_wait(n: int) -> int:
    time.sleep(0.01)
    return count(150_000) + n


def mostly_wait(n: int) -> int:
    time.sleep(0.03)
    return count(40_000) + n


def squares_of_words(n: int) -> int:
    return sum(len(word) ** 2 for word in TEXT.split()) + n


def digest(n: int) -> str:
    return hashlib.sha256(NOISE * 20 + bytes([n])).hexdigest()


def digest_and_wait(n: int) -> str:
    time.sleep(0.01)
    return hashlib.sha256(NOISE * 10 + bytes([n])).hexdigest()


def deflate(n: int) -> int:
    return len(zlib.compress(NOISE[n:], 6))


def pack(n: int) -> int:
    return len(lzma.compress(NOISE[n : n + 200_000]))


def sort_numbers(n: int) -> float:
    return float(np.sort(NUMBERS + n)[n])


def multiply(n: int) -> float:
    return round(float((MATRIX @ (MATRIX + n)).trace()), 3)


def copy_numbers(n: int) -> float:
    return float(np.concatenate([NUMBERS] * 20)[n] + n)


def group(n: int) -> float:
    return float(TABLE.assign(value=TABLE.value + n).groupby("key").value.std().sum())


def parse(n: int) -> int:
    return len(json.dumps(json.loads(DOCUMENT))) + n


def search(n: int) -> int:
    return len(re.findall(r"\b\d*7\d*9\b", TEXT)) + n


def sort_texts(n: int) -> str:
    return sorted(TEXT.split(), key=lambda word: (word[::-1], n))[n]


def root(n: int) -> str:
    getcontext().prec = 3000
    return str(Decimal(n + 2).sqrt())[-8:]


def run_sleep(n: int) -> int:
    return subprocess.run(["sleep", "0.05"], check=True).returncode + n


def run_python(n: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", f"print(sum(range(4_000_000 + {n})))"], capture_output=True, check=True
    )
    return int(done.stdout)


def query(n: int) -> Any:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table pairs(a, b)")
        database.executemany("insert into pairs values (?, ?)", ((i, i % 97) for i in range(10_000)))
        return database.execute("select b, sum(a) from pairs group by b").fetchone(), n


def sync(n: int) -> int:
    with tempfile.TemporaryFile() as file:
        for _ in range(5):
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
    return n


def read_files(n: int) -> int:
    read = 0
    for path in [os.__file__, json.__file__] * 5:
        with open(path, "rb") as file:
            read += len(file.read(4096))
    return read + n


def get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return len(answer.read())


def get_by_session(url: str) -> int:
    return len(SESSION.get(url, timeout=10).content)


def get_and_count(url: str) -> int:
    return get(url) + count(60_000)


def apart(seconds: float, count: int) -> list[float]:
    """Return so many waits, no two the same."""
    return [seconds + n * 1e-7 for n in range(count)]


Task = Callable[[Any], Any] | Callable[[Any], Awaitable[Any]]
_ANY = random.Random(1)
#: What a row is called, its function, its items; "url" stands for those of a site, with a latency of so many ms.
TASKS: dict[str, tuple[Task, list[Any] | tuple[str, int, int]]] = {
    "10 waits of 5 ms": (wait, apart(0.005, 10)),
    "40 waits of 20 ms": (wait, apart(0.02, 40)),
    "12 waits of 1 s": (wait, apart(1.0, 12)),
    "60 waits of 250 ms": (wait, apart(0.25, 60)),
    "200 waits of 100 ms": (wait, apart(0.1, 200)),
    "600 waits of 100 ms": (wait, apart(0.1, 600)),
    "waits of 5 to 100 ms": (wait, [_ANY.uniform(0.005, 0.1) for _ in range(60)]),
    "one wait of 1 s, 40 of 20 ms": (wait, [1.0, *apart(0.02, 40)]),
    "waits, five of each": (wait, [0.02, 0.025, 0.03, 0.035, 0.04, 0.045] * 5),
    "waits under one lock": (wait_in_turn, apart(0.03, 40)),
    "waits for one of four seats": (wait_for_a_seat, list(range(40))),
    "coroutines, 40 × 50 ms": (await_it, apart(0.05, 40)),
    "coroutines, 300 × 100 ms": (await_it, apart(0.1, 300)),
    "5,000 × 10 µs of Python": (count, list(range(200, 200 + 5000))),
    "40 × 2 ms of Python": (count, list(range(40_000, 40_000 + 40))),
    "20 × 50 ms of Python": (count, list(range(1_000_000, 1_000_000 + 20))),
    "200 × 50 ms of Python": (count, list(range(1_000_000, 1_000_000 + 200))),
    "8 × 1 s of Python": (count, list(range(20_000_000, 20_000_000 + 8))),
    "Python, ten of each": (count, [n * 100_000 for n in range(1, 7)] * 10),
    "Python and waiting": (count_and_wait, list(range(60))),
    "mostly waiting": (mostly_wait, list(range(60))),
    "words": (squares_of_words, list(range(40))),
    "SHA-256": (digest, list(range(40))),
    "SHA-256 and waiting": (digest_and_wait, list(range(60))),
    "zlib": (deflate, list(range(60))),
    "LZMA": (pack, list(range(20))),
    "numpy sort": (sort_numbers, list(range(40))),
    "numpy product": (multiply, list(range(60))),
    "numpy copies": (copy_numbers, list(range(60))),
    "pandas": (group, list(range(40))),
    "JSON": (parse, list(range(40))),
    "regular expression": (search, list(range(40))),
    "sorted": (sort_texts, list(range(40))),
    "decimals": (root, list(range(60))),
    "40 programs of 50 ms": (run_sleep, list(range(40))),
    "20 Python programs": (run_python, list(range(20))),
    "SQLite in memory": (query, list(range(40))),
    "fsync": (sync, list(range(40))),
    "small files": (read_files, list(range(400))),
    "GET, 40 × 30 ms": (get, ("url", 40, 30)),
    "GET by a session": (get_by_session, ("url", 100, 20)),
    "GET and Python": (get_and_count, ("url", 60, 20)),
}
