"""Small programs of which it is known what bounds them. Each takes about a second on an idle core."""

from __future__ import annotations

import asyncio
import fcntl
import json
import multiprocessing
import os
import queue
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from corpus_labels import LABELS, Label, known
from corpus_work import DATA, ask, native, python, site

__all__ = ["LABELS", "Label"]

# CPU, one thread


@known("CPU-bound", "python")
def loop() -> None:
    python(0.8)


@known("CPU-bound", "python")
def recursion() -> int:
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    return fib(28)


@known("CPU-bound", "python|native")
def objects() -> int:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    return sum(point.x for point in [Point(n) for n in range(900_000)])


@known("CPU-bound", "python")
def empty_loop() -> None:
    for _ in range(25_000_000):
        pass


@known("CPU-bound", "python|native")
def watch_the_clock() -> None:
    end = time.perf_counter() + 0.8
    while time.perf_counter() < end:
        pass


@known("CPU-bound", "python")
def small_calls() -> int:
    words = ["one", "two", "three"]
    return sum(len(words[number % 3].upper()) for number in range(5_000_000))


@known("CPU-bound", "native")
def sha256() -> None:
    native(0.8)


@known("CPU-bound", "native")
def compress() -> None:
    zlib.compress(os.urandom(20_000_000), 9)


@known("CPU-bound", "native")
def regular_expression() -> None:
    re.findall(r"(\w+)\s\1", "lorem ipsum dolor sit amet " * 120_000)


@known("CPU-bound", "native")
def sort() -> None:
    for _ in range(3):
        sorted(range(700_000), key=str)


@known("CPU-bound", "native")
def big_integers() -> int:
    number = 3**200_000
    for _ in range(12):
        number * number // (number + 1)
    return number.bit_length()


@known("CPU-bound", "native")
def parse_json() -> None:
    text = json.dumps([{"id": n, "name": f"name {n}", "value": n / 7} for n in range(60_000)])
    for _ in range(12):
        json.loads(text)


@known("CPU-bound", "native")
def numpy_product() -> None:
    import numpy as np

    a = np.ones((900, 900))
    for _ in range(12):
        b = a @ a
    assert b[0, 0] == 900


# Waiting, one thread


@known("idle", "sleep", wait=("sleep", "", "sleep"))
def sleep() -> None:
    time.sleep(0.8)


@known("idle", "sleep", wait=("sleep", "", "short_sleeps"))
def short_sleeps() -> None:
    for _ in range(150):
        time.sleep(0.005)


@known("idle", "sleep", wait=("sleep", "", "select_timeout"))
def select_timeout() -> None:
    select.select([], [], [], 0.8)


@known("IO-bound", "network", wait=("network", "SITE", "ask"))
def one_answer() -> None:
    with socket.create_connection(site()) as connection:
        ask(connection, 800)


@known("IO-bound", "network", wait=("network", "SITE", "many_answers"))
def many_answers() -> None:
    with socket.create_connection(site()) as connection:
        connection.settimeout(5)
        for _ in range(80):
            connection.sendall(b"10\n")
            connection.recv(10)


@known("IO-bound", "network", wait=("network", "SITE", "requests_sequential"))
def requests_sequential() -> None:
    import requests

    with requests.Session() as session:
        for _ in range(8):
            session.get("http://{}:{}/100".format(*site()), timeout=9)


@known("IO-bound", "network", wait=("network", "SITE", "urllib_sequential"))
def urllib_sequential() -> None:
    import urllib.request

    for _ in range(8):
        urllib.request.urlopen("http://{}:{}/100".format(*site())).read()


@known("IO-bound", "network", wait=("network", "SITE", "nonblocking"))
def nonblocking() -> None:
    with socket.create_connection(site()) as connection:
        connection.sendall(b"800\n")
        connection.setblocking(False)
        poller = select.epoll()
        poller.register(connection, select.EPOLLIN)
        poller.poll(5)


@known("IO-bound", "disk", wait=("disk", "corpus-fsync", "fsync"))
def fsync() -> None:
    until = time.perf_counter() + 0.8
    with tempfile.NamedTemporaryFile(prefix="corpus-fsync", dir=".") as file:
        while time.perf_counter() < until:
            file.write(DATA[:50_000])
            file.flush()
            os.fsync(file.fileno())


@known("IO-bound", "disk", wait=("disk", "corpus-sqlite", "sqlite_commits"))
def sqlite_commits() -> None:
    import sqlite3

    until = time.perf_counter() + 0.8
    with tempfile.TemporaryDirectory(prefix="corpus-sqlite", dir=".") as folder:
        connection = sqlite3.connect(Path(folder) / "db")
        connection.execute("create table t (x)")
        while time.perf_counter() < until:
            with connection:
                connection.execute("insert into t values (1)")
        connection.close()


# Threads


def in_threads(function, count: int, *args) -> None:  # type: ignore[no-untyped-def]
    threads = [threading.Thread(target=function, args=args) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@known("contended", "gil", gil=0.5)
def two_python_threads() -> None:
    in_threads(python, 2, 0.4)


@known("contended", "gil", gil=0.75)
def four_python_threads() -> None:
    in_threads(python, 4, 0.2)


@known("CPU-bound", "native")
def two_native_threads() -> None:
    in_threads(native, 2, 0.5)


@known("CPU-bound", "python")
def one_thread_in_a_pool() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(python, 0.8).result()


@known("contended", "lock", wait=("lock", "guard", "hold"))
def lock_around_sleep() -> None:
    guard = threading.Lock()

    def hold() -> None:
        for _ in range(20):
            with guard:
                time.sleep(0.01)

    in_threads(hold, 4)


@known("contended", "lock", wait=("lock", "guard", "hold"))
def lock_around_network() -> None:
    guard = threading.Lock()

    def hold() -> None:
        with socket.create_connection(site()) as connection:
            for _ in range(10):
                guard.acquire()
                ask(connection, 20)
                guard.release()

    in_threads(hold, 4)


@known("contended", "lock", wait=("lock", "table", "held_by_another"))
def held_by_another() -> None:
    table = threading.RLock()

    def hold() -> None:
        with table:
            time.sleep(0.8)

    thread = threading.Thread(target=hold)
    thread.start()
    time.sleep(0.02)
    with table:
        pass
    thread.join()


@known("IO-bound", "network", wait=("network", "SITE", "ask"))
def threads_fetch() -> None:
    def fetch(_: int) -> None:
        with socket.create_connection(site()) as connection:
            ask(connection, 200)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fetch, range(32)))


@known("idle", "sleep")
def event_with_timeout() -> None:
    threading.Event().wait(0.8)


@known("idle", "sleep")
def threads_sleep() -> None:
    in_threads(time.sleep, 3, 0.8)


@known("contended|mixed", "gil|mixed", python=0.33, gil=0.33, sleep=0.33)
def computes_beside_a_worker() -> None:
    """Its own sleeps are short, and yet no way of waiting for the worker."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            python(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(14):
        python(0.02)
        time.sleep(0.02)
    done.set()
    thread.join()


@known("CPU-bound", "python")
def producer_consumer() -> None:
    channel: queue.Queue[int] = queue.Queue()

    def consume() -> None:
        while channel.get():
            pass

    thread = threading.Thread(target=consume)
    thread.start()
    python(0.8)
    channel.put(0)
    thread.join()


@known("CPU-bound", "python")
def waits_for_a_consumer() -> None:
    channel: queue.Queue[int] = queue.Queue()

    def produce() -> None:
        for number in range(8, -1, -1):
            python(0.1)
            channel.put(number)

    threading.Thread(target=produce).start()
    while channel.get():
        pass


@known("contended", "lock", wait=("lock", "free", "view"))
def a_queue_of_too_few_connections() -> None:
    free: queue.Queue[int] = queue.Queue()
    for connection in range(2):
        free.put(connection)

    def view() -> None:
        for _ in range(2):
            connection = free.get()
            time.sleep(0.06)
            free.put(connection)

    threads = [threading.Thread(target=view) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Lender:
    """Lends two connections that it keeps in a queue, as the pools of drivers do."""

    def __init__(self) -> None:
        self._free: queue.Queue[int] = queue.Queue()
        for connection in range(2):
            self._free.put(connection)

    def get_connection(self) -> int:
        return self._free.get()

    def give_back(self, connection: int) -> None:
        self._free.put(connection)


@known("contended", "lock", wait=("lock", "get_connection", "get_connection"))
def a_pool_of_too_few_connections() -> None:
    lender = Lender()

    def view(_: int) -> None:
        connection = lender.get_connection()
        time.sleep(0.06)
        lender.give_back(connection)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(view, range(24)))


@known("idle", "sleep")
def workers_that_wait_for_work() -> None:
    jobs: queue.Queue[int | None] = queue.Queue()

    def work() -> None:
        while jobs.get() is not None:
            time.sleep(0.01)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(12):
        time.sleep(0.06)
        jobs.put(number)
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()


# asyncio


@known("idle", "sleep")
def asyncio_in_a_thread() -> None:
    """As in a notebook, whose own loop runs in the main thread; the child has nothing to do with it."""
    idler = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    thread = threading.Thread(target=lambda: asyncio.run(asyncio_sleep()))
    thread.start()
    thread.join()
    idler.communicate()


@known("idle", "sleep", wait=("sleep", "", "nap"))
async def asyncio_sleep() -> None:
    async def nap() -> None:
        await asyncio.sleep(0.8)

    await asyncio.gather(*(nap() for _ in range(5)))


@known("IO-bound", "network", wait=("network", "SITE", "fetch"))
async def asyncio_streams() -> None:
    async def fetch() -> None:
        reader, writer = await asyncio.open_connection(*site())
        for _ in range(4):
            writer.write(b"200\n")
            await reader.readline()
        writer.close()

    await asyncio.gather(*(fetch() for _ in range(10)))


@known("IO-bound", "network", wait=("network", "SITE", "fetch"))
async def aiohttp_gather() -> None:
    import aiohttp

    async def fetch(session: aiohttp.ClientSession) -> None:
        async with session.get("http://{}:{}/400".format(*site())) as response:
            await response.read()

    async with aiohttp.ClientSession() as session:
        for _ in range(4):  # importing aiohttp takes some tenths of a second, and is no waiting
            await asyncio.gather(*(fetch(session) for _ in range(20)))


@known("CPU-bound", "python")
async def asyncio_blocked() -> None:
    async def beat() -> None:
        while True:
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    python(0.8)
    beating.cancel()


@known("CPU-bound", "native")
async def asyncio_to_thread() -> None:
    await asyncio.to_thread(native, 0.8)


@known("IO-bound", "network", wait=("network", "SITE", "fetch"))
async def asyncio_events() -> None:
    """As anyio and httpx do: tasks wait for events that the arrival of data sets."""

    class Client(asyncio.Protocol):
        def __init__(self) -> None:
            self.arrived = asyncio.Event()

        def data_received(self, data: bytes) -> None:
            self.arrived.set()

    async def fetch() -> None:
        transport, client = await asyncio.get_running_loop().create_connection(Client, *site())
        transport.write(b"800\n")
        await client.arrived.wait()
        transport.close()

    await asyncio.gather(*(fetch() for _ in range(5)))


@known("contended", "lock", wait=("lock", "guard", "hold"))
async def asyncio_lock() -> None:
    guard = asyncio.Lock()

    async def hold() -> None:
        async with guard:
            await asyncio.sleep(0.1)

    await asyncio.gather(*(hold() for _ in range(8)))


@known("contended", "lock", wait=("lock", "few", "fetch"))
async def asyncio_semaphore() -> None:
    few = asyncio.Semaphore(4)

    async def fetch() -> None:
        async with few:
            reader, writer = await asyncio.open_connection(*site())
            writer.write(b"100\n")
            await reader.readline()
            writer.close()

    await asyncio.gather(*(fetch() for _ in range(32)))


@known("CPU-bound", "native", wait=("child", "sum(range", "asyncio_child"))
async def asyncio_child() -> None:
    code = "for _ in range(40): sum(range(1_000_000))"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await child.wait()


@known("CPU-bound", "native")
async def asyncio_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, native, 0.8)


@known("idle", "sleep")
async def sleeps_with_open_connection() -> None:
    _, writer = await asyncio.open_connection(*site())
    await asyncio.sleep(0.8)
    writer.close()


# Children


@known("CPU-bound", "python|native|child", wait=("child", "sum(range", "child_burns"))
def child_burns() -> None:
    subprocess.run([sys.executable, "-c", "for _ in range(40): sum(range(1_000_000))"], check=True)


@known("idle|IO-bound", "sleep|child", wait=("child", "sleep 0.8", "child_sleeps"))
def child_sleeps() -> None:
    subprocess.run(["sleep", "0.8"], check=True)


@known("contended", "lock", wait=("lock", "corpus-lock", "file_lock"))
def file_lock() -> None:
    """Wait for the lock on a file, which another process holds."""
    with tempfile.NamedTemporaryFile(prefix="corpus-lock", dir=".") as file:
        code = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); time.sleep(0.8)"
        with subprocess.Popen([sys.executable, "-S", "-c", code, file.name], stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            holder.stdout.readline()
            fcntl.flock(file, fcntl.LOCK_EX)


@known("IO-bound", "network|child", wait=("child", "urlopen", "child_fetches"))
def child_fetches() -> None:
    code = "import urllib.request; urllib.request.urlopen('http://{}:{}/900').read()".format(*site())
    subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True)


@known("CPU-bound", "native|python")
def short_children() -> None:
    """Each ends sooner than it is looked at."""
    for _ in range(60):
        subprocess.run([sys.executable, "-S", "-E", "-c", "pass"], check=True)


@known("CPU-bound", "python")
def spawn_pool() -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(python, [0.4] * 4))


@known("CPU-bound", "python")
def fork_pool() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(python, [0.2] * 8)


@known("CPU-bound", "python")
def fork_process() -> None:
    process = multiprocessing.get_context("fork").Process(target=python, args=(0.8,))
    process.start()
    process.join()


@known("CPU-bound", "python")
def loky_pool() -> None:
    from joblib import Parallel, delayed

    Parallel(2)(delayed(python)(0.8) for _ in range(4))


@known("idle", "sleep")
def fork_pool_sleeps() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(time.sleep, [0.4] * 4)


# Mixes with a known duty cycle


def mix_network(cpu_ms: int, wait_ms: int) -> None:
    with socket.create_connection(site()) as connection:
        for _ in range(800 // (cpu_ms + wait_ms)):
            python(cpu_ms / 1000)
            ask(connection, wait_ms)


@known("IO-bound|mixed", "network|mixed", python=0.2, network=0.8)
def mix_20_80() -> None:
    mix_network(10, 40)


@known("mixed", "mixed", python=0.4, network=0.6)
def mix_40_60() -> None:
    mix_network(20, 30)


@known("mixed", "mixed", python=0.5, network=0.5)
def mix_50_50() -> None:
    mix_network(5, 5)


@known("mixed", "mixed", python=0.6, network=0.4)
def mix_60_40() -> None:
    mix_network(30, 20)


@known("CPU-bound|mixed", "python|mixed", python=0.8, network=0.2)
def mix_80_20() -> None:
    mix_network(40, 10)


@known("mixed", "mixed", native=0.5, sleep=0.5)
def mix_native_sleep() -> None:
    for _ in range(16):
        native(0.025)
        time.sleep(0.025)


@known("mixed", "mixed", python=0.5, sleep=0.5)
def half_then_half() -> None:
    python(0.4)
    time.sleep(0.4)


@known("CPU-bound", "python|native", python=0.5, native=0.5)
def mix_python_native() -> None:
    for _ in range(20):
        python(0.02)
        native(0.02)


if __name__ == "__main__":  # corpus.py [RUNS] NAME, as any profiler can run it
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 2 else 1):
        answer = globals()[sys.argv[-1]]()
        if asyncio.iscoroutine(answer):
            asyncio.run(answer)
