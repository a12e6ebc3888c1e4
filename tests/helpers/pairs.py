"""Pairs of a program with one fault and the same one mended by hand, and programs that are well written.

``NAME_faulty`` and ``NAME_mended`` give equal answers; a comment in the line of the fault names it and its kind. Each
``control_NAME`` has nothing that would save 5 %. None takes arguments. The network is the address in ``PAIRS_URL``,
where ``/?latency_ms=MS`` answers after so long.
"""

import asyncio
import collections
import copy
import csv
import dataclasses
import functools
import gc
import hashlib
import heapq
import itertools
import json
import logging
import os
import queue
import re
import sqlite3
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from math import sqrt
from pathlib import Path

import certifi
import numpy as np
import pandas as pd
import yaml

URL = os.environ.get("PAIRS_URL", "")
SALES = "SELECT cents FROM sales WHERE shop = ?"
BIRTH = "SELECT born FROM authors WHERE id = ?"
log = logging.getLogger("pairs")


def ask(ms: int) -> int:
    return len(urllib.request.urlopen(f"{URL}/?latency_ms={ms}").read())  # fault: requests_in_series overlap-waits


def requests_in_series_faulty() -> int:
    return sum(ask(30) for _ in range(30))


def requests_in_series_mended() -> int:
    with ThreadPoolExecutor(32) as pool:
        return sum(pool.map(ask, [30] * 30))


def nap(item: int) -> int:
    time.sleep(0.025)  # fault: naps_in_series overlap-waits
    return item


def naps_in_series_faulty() -> int:
    total = 0
    for item in range(40):
        total += nap(item)
    return total


def naps_in_series_mended() -> int:
    with ThreadPoolExecutor(32) as pool:
        return sum(pool.map(nap, range(40)))


async def pause(item: int) -> int:
    await asyncio.sleep(0.03)
    return item


async def awaits_in_series_faulty() -> int:
    total = 0
    for item in range(30):
        total += await pause(item)  # fault: awaits_in_series gather-awaits
    return total


async def awaits_in_series_mended() -> int:
    return sum(await asyncio.gather(*(pause(item) for item in range(30))))


async def blocked(item: int) -> int:
    time.sleep(0.04)  # fault: blocks_the_loop await-instead-of-block
    await asyncio.sleep(0)
    return item


async def unblocked(item: int) -> int:
    await asyncio.sleep(0.04)
    return item


async def blocks_the_loop_faulty() -> int:
    return sum(await asyncio.gather(*(blocked(item) for item in range(25))))


async def blocks_the_loop_mended() -> int:
    return sum(await asyncio.gather(*(unblocked(item) for item in range(25))))


def frame():
    return pd.DataFrame({"a": np.arange(25_000), "b": np.arange(25_000) % 7, "c": 1.5})


def rows_faulty() -> float:
    total = 0.0
    for _, row in frame().iterrows():  # fault: rows itertuples
        total += row["a"] * row["b"] + row["c"]
    return total


def rows_mended() -> float:
    return sum(row.a * row.b + row.c for row in frame().itertuples())


def apply_rows_faulty() -> float:
    return float(frame().apply(lambda row: row["a"] * row["b"], axis=1).sum())  # fault: apply_rows vectorise


def apply_rows_mended() -> float:
    data = frame()
    return float((data["a"] * data["b"]).sum())


def cells_faulty() -> float:
    data, total = frame(), 0.0
    for at in range(len(data)):
        total += data.loc[at, "a"]  # fault: cells vectorise
    return float(total)


def cells_mended() -> float:
    return float(sum(frame()["a"].to_numpy().tolist()))


def frames_grow_faulty() -> int:
    data, part = pd.DataFrame({"a": []}), frame()[["a"]][:100]
    for _ in range(700):
        data = pd.concat([data, part])  # fault: frames_grow collect-then-concat
    return len(data)


def frames_grow_mended() -> int:
    parts, part = [], frame()[["a"]][:100]
    for _ in range(700):
        parts.append(part)
    return len(pd.concat(parts))


def words() -> list[str]:
    return [f"word {number % 6000}" for number in range(14_000)]


def unique_words_faulty() -> int:
    seen = []
    for word in words():
        if word not in seen:  # fault: unique_words set-for-membership
            seen.append(word)
    return len(seen)


def unique_words_mended() -> int:
    seen, known = [], set()
    for word in words():
        if word not in known:
            known.add(word)
            seen.append(word)
    return len(seen)


def positions_faulty() -> int:
    names = sorted(set(words()))
    return sum(names.index(word) for word in words()[:9000])  # fault: positions dict-for-position


def positions_mended() -> int:
    at = {name: number for number, name in enumerate(sorted(set(words())))}
    return sum(at[word] for word in words()[:9000])


def front_faulty() -> int:
    waiting, total = list(range(220_000)), 0
    while waiting:
        total += waiting.pop(0)  # fault: front deque
        if total > 1 << 33:
            break
    return total


def front_mended() -> int:
    waiting, total = collections.deque(range(220_000)), 0
    while waiting:
        total += waiting.popleft()
        if total > 1 << 33:
            break
    return total


STATE = {"rules": [{"id": number, "acts": ["a", "b"], "next": {"key": number}} for number in range(300)]}


def copies_faulty() -> int:
    state = STATE
    for step in range(400):
        state = copy.deepcopy(state)  # fault: copies copy-less
        state["rules"][step % 300]["id"] += 1
    return sum(rule["id"] for rule in state["rules"])


def copies_mended() -> int:
    state = STATE
    for step in range(400):
        rules = list(state["rules"])
        rules[step % 300] = {**rules[step % 300], "id": rules[step % 300]["id"] + 1}
        state = {**state, "rules": rules}
    return sum(rule["id"] for rule in state["rules"])


@dataclasses.dataclass
class Point:
    x: int
    y: int
    tags: list[str]


POINTS = [Point(number, -number, ["a", "b"]) for number in range(400)]


def as_dicts_faulty() -> int:
    total = 0
    for _ in range(150):
        for point in POINTS:
            total += dataclasses.asdict(point)["x"]  # fault: as_dicts copy-less
    return total


def as_dicts_mended() -> int:
    total = 0
    for _ in range(150):
        for point in POINTS:
            total += {"x": point.x, "y": point.y, "tags": point.tags}["x"]
    return total


DATES = [f"2026-{1 + number % 12:02}-{1 + number % 28:02} 12:00:00" for number in range(90_000)]


def dates_faulty() -> int:
    return sum(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").day for text in DATES)  # fault: dates parse-dates-quicker


def dates_mended() -> int:
    return sum(datetime.fromisoformat(text).day for text in DATES)


VECTOR = [number / 7 for number in range(60)]


def messages_faulty() -> int:
    total = 0
    for number in range(60_000):
        log.debug(f"state {number}: {VECTOR}")  # fault: messages lazy-log-message
        total += number
    return total


def messages_mended() -> int:
    total = 0
    for number in range(60_000):
        log.debug("state %s: %s", number, VECTOR)
        total += number
    return total


def big_file() -> str:
    path = Path(tempfile.gettempdir()) / "pairs-big-file"
    if not path.exists():
        path.write_bytes(b"line of text\n" * 400_000)
    return str(path)


def bytewise_faulty() -> int:
    count = 0
    with open(big_file(), "rb") as file:
        while byte := file.read(1):  # fault: bytewise larger-reads
            count += byte == b"\n"
    return count


def bytewise_mended() -> int:
    count = 0
    with open(big_file(), "rb") as file:
        while chunk := file.read(65536):
            count += chunk.count(b"\n")
    return count


NESTED = re.compile(r"(\w+\s?)*:$")
FLAT = re.compile(r"[\w\s]*:$")


def pattern_faulty() -> int:
    return sum(bool(NESTED.match("a" * 23 + "!")) for _ in range(4))  # fault: pattern simpler-pattern


def pattern_mended() -> int:
    return sum(bool(FLAT.match("a" * 23 + "!")) for _ in range(4))


def _gated(gate: threading.Semaphore) -> None:
    def work() -> None:
        for _ in range(2):
            with gate:  # fault: permits widen-limit
                time.sleep(0.05)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


gate = threading.Semaphore(2)


def permits_faulty() -> None:
    _gated(gate)


def permits_mended() -> None:
    _gated(threading.Semaphore(16))


def _pooled(count: int) -> None:
    free: queue.Queue[int] = queue.Queue()
    for connection in range(count):
        free.put(connection)

    def view() -> None:
        for _ in range(2):
            connection = free.get()  # fault: pool_of_connections widen-limit
            time.sleep(0.05)
            free.put(connection)

    threads = [threading.Thread(target=view) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pool_of_connections_faulty() -> None:
    _pooled(2)


def pool_of_connections_mended() -> None:
    _pooled(16)


def _locked(lock: threading.Lock, *, outside: bool) -> int:
    total = [0]

    def work() -> None:
        for _ in range(3):
            if outside:
                time.sleep(0.03)
            with lock:  # fault: long_lock hold-lock-shorter
                if not outside:
                    time.sleep(0.03)
                total[0] += 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total[0]


def long_lock_faulty() -> int:
    return _locked(threading.Lock(), outside=False)


def long_lock_mended() -> int:
    return _locked(threading.Lock(), outside=True)


def doze(item: int) -> int:
    time.sleep(0.05)  # fault: two_workers more-workers
    return item


def two_workers_faulty() -> int:
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(doze, range(40)))


def two_workers_mended() -> int:
    with ThreadPoolExecutor(40) as pool:
        return sum(pool.map(doze, range(40)))


def job() -> int:
    time.sleep(0.005)
    return 1


def polls_faulty() -> int:
    total = 0
    with ThreadPoolExecutor(1) as pool:
        for _ in range(10):
            future = pool.submit(job)
            while not future.done():
                time.sleep(0.1)  # fault: polls wait-for-event
            total += future.result()
    return total


def polls_mended() -> int:
    with ThreadPoolExecutor(1) as pool:
        return sum(pool.submit(job).result() for _ in range(10))


def _consumed(*, spins: bool) -> int:
    numbers: queue.Queue[int | None] = queue.Queue()
    got = []

    def spin() -> None:
        while True:
            try:
                number = numbers.get_nowait()  # fault: spins block-instead-of-spin
            except queue.Empty:
                continue
            if number is None:
                return
            got.append(number)

    def block() -> None:
        while (number := numbers.get()) is not None:
            got.append(number)

    thread = threading.Thread(target=spin if spins else block)
    thread.start()
    for _ in range(12):
        numbers.put(sum(number * number for number in range(400_000)))
    numbers.put(None)
    thread.join()
    return len(got)


def spins_faulty() -> int:
    return _consumed(spins=True)


def spins_mended() -> int:
    return _consumed(spins=False)


def primes(most: int) -> int:
    found = 0
    for number in range(2, most):
        found += all(number % factor for factor in range(2, int(number**0.5) + 1))  # fault: turns processes-for-threads
    return found


def turns_faulty() -> int:
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(primes, [45_000] * 4))


def turns_mended() -> int:
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(primes, [45_000] * 4))


def root(number: int) -> float:
    return sqrt(number)


def tiny_tasks_faulty() -> float:
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(root, range(8_000)))  # fault: tiny_tasks larger-chunks


def tiny_tasks_mended() -> float:
    return sum(map(root, range(8_000)))


def program(number: int) -> int:
    return len(subprocess.run(["echo", str(number)], capture_output=True).stdout)  # fault: programs one-program


def programs_faulty() -> int:
    return sum(map(program, range(300)))


def programs_mended() -> int:
    return len(subprocess.run(["printf", "%s\\n", *map(str, range(300))], capture_output=True).stdout)


def syncs_faulty() -> int:
    with tempfile.NamedTemporaryFile("w", dir=".") as file:
        for number in range(250):
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())  # fault: syncs one-transaction
        return file.tell()


def syncs_mended() -> int:
    with tempfile.NamedTemporaryFile("w", dir=".") as file:
        for number in range(250):
            file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _rows_kept(*, each: bool) -> int:
    with tempfile.TemporaryDirectory(dir=".") as folder, closing(sqlite3.connect(Path(folder) / "rows.db")) as base:
        base.execute("create table kept (number integer)")
        for number in range(150):
            base.execute("insert into kept values (?)", (number,))
            if each:
                base.commit()  # fault: commits one-transaction
        base.commit()
        return base.execute("select count(*) from kept").fetchone()[0]


def commits_faulty() -> int:
    return _rows_kept(each=True)


def commits_mended() -> int:
    return _rows_kept(each=False)


def arrays_grow_faulty() -> float:
    values = np.array([])
    for number in range(22_000):
        values = np.append(values, number)  # fault: arrays_grow collect-then-concat
    return float(values.sum())


def arrays_grow_mended() -> float:
    values = []
    for number in range(22_000):
        values.append(number)
    return float(np.array(values, dtype=float).sum())


def means_faulty() -> float:
    return sum(statistics.mean(VECTOR) for _ in range(15_000))  # fault: means quicker-statistics


def means_mended() -> float:
    return sum(statistics.fmean(VECTOR) for _ in range(15_000))


def yaml_faulty() -> int:
    return len(yaml.safe_load(_yaml_text()))  # fault: yaml c-loader


def yaml_mended() -> int:
    return len(yaml.load(_yaml_text(), Loader=yaml.CSafeLoader))


def _yaml_text() -> str:
    return "".join(f"- {{id: {number}, name: item {number}, tags: [a, b]}}\n" for number in range(1_500))


def contexts_faulty() -> int:
    count = 0
    for _ in range(40):
        context = ssl.create_default_context(cafile=_bundle())  # fault: contexts reuse-connection
        count += len(context.get_ca_certs()) > 0
    return count


def contexts_mended() -> int:
    context = ssl.create_default_context(cafile=_bundle())
    return sum(len(context.get_ca_certs()) > 0 for _ in range(40))


def _bundle() -> str:
    return certifi.where()


async def _limited(permits: int) -> None:
    gate = asyncio.Semaphore(permits)

    async def get() -> None:
        async with gate:  # fault: awaited_permits widen-limit
            await asyncio.sleep(0.05)

    await asyncio.gather(*(get() for _ in range(40)))


async def awaited_permits_faulty() -> None:
    await _limited(2)


async def awaited_permits_mended() -> None:
    await _limited(40)


def slow_call(item: int) -> int:
    time.sleep(0.06)  # fault: default_executor more-workers
    return item


async def default_executor_faulty() -> int:
    return sum(await asyncio.gather(*(asyncio.to_thread(slow_call, item) for item in range(60))))


async def default_executor_mended() -> int:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(60))
    return sum(await asyncio.gather(*(asyncio.to_thread(slow_call, item) for item in range(60))))


class Node:
    def __init__(self, number: int) -> None:
        self.number, self.next = number, [number]  # fault: garbage collect-less


def garbage_faulty() -> int:
    kept = [Node(number) for number in range(500_000)]
    return len(kept)


def garbage_mended() -> int:
    gc.disable()
    try:
        return garbage_faulty()
    finally:
        gc.enable()


def fib(number: int) -> int:
    if number < 2:
        return number
    return fib(number - 1) + fib(number - 2)  # fault: recursion remember-answers


def recursion_faulty() -> int:
    return fib(27)


def recursion_mended() -> int:
    known = functools.cache(lambda number: number if number < 2 else known(number - 1) + known(number - 2))
    return known(27)


def rate(name: str) -> int:
    with open("/tmp/pairs-rates.json") as file:  # fault: rates read-once
        return json.load(file)[name]


def _write_rates() -> None:
    Path("/tmp/pairs-rates.json").write_text(json.dumps({f"rate {number}": number for number in range(20_000)}))


def rates_faulty() -> int:
    _write_rates()
    total = 0
    for number in range(80):
        total += rate(f"rate {number}")
    return total


def rates_mended() -> int:
    _write_rates()
    rates = json.loads(Path("/tmp/pairs-rates.json").read_text())
    return sum(rates[f"rate {number}"] for number in range(80))


class Page:
    def __init__(self) -> None:
        self.text = ""


def pages_grow_faulty() -> int:
    page = Page()
    for number in range(22_000):
        page.text += f"line {number} of a page that grows\n"  # fault: pages_grow join-once
    return len(page.text)


def pages_grow_mended() -> int:
    page = Page()
    page.text = "".join([f"line {number} of a page that grows\n" for number in range(22_000)])
    return len(page.text)


def samples() -> "np.ndarray":
    return np.random.default_rng(3).random(1_500_000)


def items_of_array_faulty() -> float:
    values = samples()
    peak = 0.0
    for at in range(1, len(values)):
        peak = max(peak, abs(values[at] - values[at - 1]))  # fault: items_of_array vectorise
    return round(float(peak), 9)


def items_of_array_mended() -> float:
    return round(float(np.abs(np.diff(samples())).max()), 9)


def _sold(connection: sqlite3.Connection, *, indexed: bool) -> None:
    connection.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INTEGER, cents INTEGER)")
    connection.executemany(
        "INSERT INTO sales (shop, cents) VALUES (?, ?)", ((row % 2_000, row % 97) for row in range(60_000))
    )
    if indexed:  # in two pieces, or the text of this file would show an index of the faulty one's as well
        connection.execute("CREATE " + "INDEX sales_shop ON sales (shop)")


def _of_shops(connection: sqlite3.Connection) -> int:
    total = 0
    for shop in range(600):
        rows = connection.execute(SALES, (shop,)).fetchall()  # fault: rows_searched index
        total += sum(cents for (cents,) in rows)
    return total


def rows_searched_faulty() -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        _sold(connection, indexed=False)
        return _of_shops(connection)


def rows_searched_mended() -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        _sold(connection, indexed=True)
        return _of_shops(connection)


def _listed(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    connection.execute("CREATE TABLE authors (id INTEGER PRIMARY KEY, born INTEGER)")
    connection.executemany("INSERT INTO authors VALUES (?, ?)", ((row, 1900 + row % 100) for row in range(5_000)))
    return [(row, row * 7 % 5_000) for row in range(120_000)]


def row_by_row_faulty() -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        total = 0
        for _, author in _listed(connection):
            found = connection.execute(BIRTH, (author,))  # fault: row_by_row one-query
            total += found.fetchone()[0]
        return total


def row_by_row_mended() -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        books = _listed(connection)
        born = dict(connection.execute("SELECT id, born FROM authors"))
        return sum(born[author] for _, author in books)


async def _fetched(limit: int) -> int:
    import aiohttp

    async def size(session: aiohttp.ClientSession) -> int:
        async with session.get(f"{URL}/?latency_ms=40") as answer:  # fault: connections_of_session widen-limit
            return len(await answer.read())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:
        return sum(await asyncio.gather(*(size(session) for _ in range(40))))


async def connections_of_session_faulty() -> int:
    return await _fetched(2)


async def connections_of_session_mended() -> int:
    return await _fetched(40)


class Journal:
    def __init__(self) -> None:
        self.text = ""

    def add(self, number: int) -> None:
        entry = f"entry {number} of a journal, the newest one at the top\n"
        self.text = entry + self.text  # fault: newest_first join-once


def newest_first_faulty() -> int:
    journal = Journal()
    for number in range(16_000):
        journal.add(number)
    return zlib.crc32(journal.text.encode())


def newest_first_mended() -> int:
    entries = [f"entry {number} of a journal, the newest one at the top\n" for number in range(16_000)]
    return zlib.crc32("".join(reversed(entries)).encode())


def _written(*, flush: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.txt"
        with path.open("w") as feed:
            for number in range(400_000):
                feed.write(f"{number};{number * 31 % 8_000}\n")
                if flush:
                    feed.flush()  # fault: flushes flush-less
        return path.stat().st_size


def flushes_faulty() -> int:
    return _written(flush=True)


def flushes_mended() -> int:
    return _written(flush=False)


def totals_faulty() -> int:
    hours = [number * 37 % 9_000 for number in range(16_000)]
    totals = []
    for at in range(len(hours)):
        totals.append(sum(hours[: at + 1]))  # fault: totals running-total
    return sum(totals)


def totals_mended() -> int:
    return sum(itertools.accumulate(number * 37 % 9_000 for number in range(16_000)))


def _due_first(plan: list[tuple[int, int]]) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    ordered = sorted(plan, key=lambda entry: entry[0])  # fault: sorts_anew heap-for-sorting
    return ordered[0], ordered[1:]


def sorts_anew_faulty() -> int:
    plan = [(number * 37 % 2_003, number) for number in range(2_000)]
    day = 0
    for _ in range(4_000):
        (day, machine), plan = _due_first(plan)
        plan.append((day + 50 + machine % 7, machine))
    return day


def sorts_anew_mended() -> int:
    plan = [(number * 37 % 2_003, number) for number in range(2_000)]
    heapq.heapify(plan)
    day = 0
    for _ in range(4_000):
        day, machine = heapq.heappop(plan)
        heapq.heappush(plan, (day + 50 + machine % 7, machine))
    return day


def _quoted() -> list[str]:
    return [f'{number};"name; {number}";{number % 97}' for number in range(60_000)]


def _taken_apart(line: str) -> list[str]:
    fields, field, quoted = [], "", False
    for character in line:  # fault: by_character parse-with-library
        if character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            fields.append(field)
            field = ""
        else:
            field += character
    return [*fields, field]


def by_character_faulty() -> int:
    return sum(int(_taken_apart(line)[2]) for line in _quoted())


def by_character_mended() -> int:
    return sum(int(row[2]) for row in csv.reader(_quoted(), delimiter=";"))


def _sections() -> list[bytes]:
    return [np.random.default_rng(number).integers(0, 20, 2_000_000, dtype=np.uint8).tobytes() for number in range(8)]


def packs_in_turn_faulty() -> int:
    sections = _sections()
    return sum(len(zlib.compress(section)) for section in sections)  # fault: packs_in_turn threads-for-native


def packs_in_turn_mended() -> int:
    with ThreadPoolExecutor(2) as pool:
        return sum(map(len, pool.map(zlib.compress, _sections())))


def loop_for_each_faulty() -> int:
    total = 0
    for item in range(30):
        total += asyncio.run(pause(item))  # fault: loop_for_each gather-awaits
    return total


def loop_for_each_mended() -> int:
    async def together() -> int:
        return sum(await asyncio.gather(*map(pause, range(30))))

    return asyncio.run(together())


def _columns() -> list[str]:
    return ["total" + " " * 2_500 + str(number) for number in range(60)]


def trims_faulty() -> int:
    return sum(len(re.sub(r"\s+$", "", line)) for line in _columns())  # fault: trims simpler-pattern


def trims_mended() -> int:
    return sum(len(line.rstrip()) for line in _columns())


def crawls_faulty() -> int:
    visited = [0]
    for page in range(6_000):
        for target in (page * 2 + 1, page * 7 + 5):
            if target not in visited:  # fault: crawls set-for-membership
                visited.append(target)
    return len(visited)


def crawls_mended() -> int:
    visited = {0}
    for page in range(6_000):
        visited.update((page * 2 + 1, page * 7 + 5))
    return len(visited)


def _tariff(path: Path, country: str) -> int:
    with open(path) as file:  # fault: file_of_parameter read-once
        return json.load(file)[country]


def _tariffs(folder: str) -> Path:
    path = Path(folder) / "tariffs.json"
    path.write_text(json.dumps({f"country {number}": number for number in range(6_000)}))
    return path


def file_of_parameter_faulty() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = _tariffs(folder)
        return sum(_tariff(path, f"country {number}") for number in range(500))


def file_of_parameter_mended() -> int:
    with tempfile.TemporaryDirectory() as folder:
        tariffs = json.loads(_tariffs(folder).read_text())
        return sum(tariffs[f"country {number}"] for number in range(500))


# Well-written programs: nothing in them would save 5 %.


def control_threads_wait() -> int:
    with ThreadPoolExecutor(40) as pool:
        return sum(pool.map(doze, list(range(240))))


async def control_gathered() -> int:
    return sum(await asyncio.gather(*(pause(item) for item in range(400))))


def control_hashes() -> str:
    digest = hashlib.sha256()
    for _ in range(400):
        digest.update(b"x" * 1_000_000)
    return digest.hexdigest()


def control_loop() -> int:
    total = 0
    for number in range(6_000_000):
        total += number * number % 7
    return total


def control_columns() -> float:
    values = np.random.default_rng(1).random(2_000_000)
    return float(sum(np.sort(values).sum() for _ in range(6)))


def control_matrix() -> float:
    values = np.random.default_rng(1).random((700, 700))
    for _ in range(25):
        values = values @ values
        values /= values.max()
    return float(values.sum())


def control_processes() -> int:
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(primes, [60_000] * 2))


def control_one_wait() -> None:
    time.sleep(0.6)


def control_sets() -> int:
    known = set()
    for _ in range(60):
        for word in words():
            known.add(word)
    return len(known)


def control_parses() -> int:
    text = json.dumps({"tags": [number / 7 for number in range(400)]})
    return sum(len(json.loads(text)) for _ in range(3000))


def control_reads() -> int:
    count = 0
    for _ in range(40):
        with open(big_file(), "rb") as file:
            while chunk := file.read(1 << 16):
                count += chunk.count(b"\n")
    return count


def control_transaction() -> int:
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute("create table kept (number integer)")
        with base:
            base.executemany("insert into kept values (?)", ((number,) for number in range(500_000)))
        return base.execute("select count(*) from kept").fetchone()[0]


def control_at_a_pace() -> int:
    count = 0
    for _ in range(12):
        count += sum(range(1000))
        time.sleep(0.05)
    return count


def control_pattern() -> int:
    return sum(bool(FLAT.match("a b c " * 400 + ":")) for _ in range(9_000))


async def control_queue() -> int:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    done = []

    async def worker() -> None:
        while True:
            item = await jobs.get()
            await asyncio.sleep(0.02)
            done.append(item)
            jobs.task_done()

    workers = [asyncio.create_task(worker()) for _ in range(50)]
    for item in range(1500):
        jobs.put_nowait(item)
    await jobs.join()
    for each in workers:
        each.cancel()
    return len(done)


def control_one_request() -> int:
    return ask(600)


def control_sorts() -> int:
    data = words()
    return sum(len(sorted(data, key=len)) for _ in range(220))


def _other_list() -> list[int]:
    seen: list[int] = []
    seen.append(1)
    return seen


def _distinct(items, seen) -> int:
    for item in items:
        if item not in seen:
            seen.add(item)
    return len(seen)


def control_set_of_the_same_name() -> int:
    return sum(_distinct(((number * 7919) % 100_003 for number in range(300_000)), set()) for _ in range(5))


def control_separated_pattern() -> int:
    rows = re.compile(r"(?:[^,\n]*,)*[^,\n]*\n")
    return sum(len(rows.findall("a,b,c,d\n" * 20_000)) for _ in range(12))


def control_deadline() -> int:
    count, end_s = 0, time.monotonic() + 0.8
    while time.monotonic() < end_s:
        count += 1
        time.sleep(0.04)
    return count


def control_polite_crawler() -> int:
    page, found = 0, 0
    while True:
        page, last = page + 1, page > 10
        found += len(words()[:page])
        if last:
            break
        time.sleep(0.06)
    return found


def control_next_page() -> int:
    ms = 30
    for _ in range(25):
        ms = min(ask(ms), 30)
    return ms


def control_front_of_few() -> int:
    jobs, key = [b"a", b"b", b"c", b"d"] * 6, b""
    while jobs:
        key = hashlib.pbkdf2_hmac("sha256", jobs.pop(0) + key, b"salt", 20_000)
    return len(key)


def control_few_threads_again_and_again() -> int:
    with ThreadPoolExecutor(32) as pool:
        return sum(pool.map(doze, range(3)))


def control_masked_columns() -> float:
    data = frame()
    return float(data.loc[data["a"] > 100, ["b", "c"]]["c"].sum())


def control_smooths() -> float:
    values = np.random.default_rng(3).random(4_000_000).tolist()
    level = 0.0
    for value in values:
        level = 0.9 * level + 0.1 * value
    return round(level, 9)


def control_one_join() -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER)")
        connection.executemany("INSERT INTO books VALUES (?, ?)", _listed(connection))
        join = "SELECT sum(born) FROM books JOIN authors ON authors.id = books.author"
        return sum(connection.execute(join).fetchone()[0] for _ in range(12))


def control_streams_into_archive() -> int:
    packer = zlib.compressobj(6)
    return sum(len(packer.compress(section)) for section in _sections()) + len(packer.flush())


def control_sorts_each_group() -> int:
    rows = np.random.default_rng(2).random((600, 2_000)).tolist()
    return sum(len(sorted(row)[100:-100]) for row in rows)
