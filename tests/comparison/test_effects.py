"""What a task does besides answering: real functions, of each kind that people write, and real servers."""
# ruff: noqa: SIM115, T201

import asyncio
import collections
import contextlib
import csv
import ctypes
import functools
import http.client
import io
import itertools
import json
import logging
import mmap
import os
import queue
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import types
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import requests
from waiting import eventually

from workbench import remedies
from workbench.comparison.effects import Change, Seen, agreed, comparable, notes, watched

ITEMS = [1, 2, 3, 1, 2, 3]
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        if self.command != "HEAD": self.wfile.write(b"ok")
    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass
class World:
    """What functions of the tables work on."""

    folder: str
    port: int
    udp: tuple[str, int]
    keep: Callable[[Any], Any]  # something until the end of the test

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)


@pytest.fixture(scope="module")
def _server() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def world(_server: int, tmp_path) -> Iterator[World]:
    here, variables = os.getcwd(), dict(os.environ)
    with contextlib.ExitStack() as kept, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield World(
            str(tmp_path), _server, listener.getsockname(), lambda it: kept.enter_context(contextlib.closing(it))
        )
    os.chdir(here)
    os.environ.clear()
    os.environ.update(variables)


def seen_of(func: Callable, items: list = ITEMS) -> Seen:
    """Run the task twice, as `compare` does, and return what it does each time."""
    found = []
    for _ in range(2):
        with watched(func) as seen:
            remedies.sequential(func, items)
        found.append(seen)
    return agreed(*found)


# The functions of the tables: each takes the world and returns a task, with what was there before it.

PLANTED: list[Callable[[World], Callable]] = []
PURE: list[Callable[[World], Callable]] = []


def planted(make):
    PLANTED.append(make)
    return make


def pure(make):
    PURE.append(make)
    return make


@planted
def prints(world):
    return lambda n: print("sent", n)


@planted
def writes_to_stdout(world):
    return lambda n: sys.stdout.write(f"{n}\n")


@planted
def prints_to_stderr(world):
    return lambda n: print(n, file=sys.stderr)


@planted
def writes_to_descriptor_1(world):
    return lambda n: os.write(1, b"x\n")


@planted
def writes_to_the_buffer_of_stdout(world):
    return lambda n: sys.__stdout__.buffer.write(b"x\n")


@planted
def logs_to_stderr(world):
    logger = logging.getLogger("effects.of.a.task")
    logger.propagate = False
    logger.handlers = [logging.StreamHandler()]
    return lambda n: logger.warning("item %s", n)


@planted
def logs_to_a_file(world):
    logger = logging.getLogger("effects.of.a.task.in.a.file")
    logger.propagate = False
    logger.handlers = [world.keep(logging.FileHandler(world.path("log")))]
    return lambda n: logger.warning("item %s", n)


@planted
def writes_to_an_open_file(world):
    log = world.keep(open(world.path("open"), "a"))
    return lambda n: log.write(f"{n}\n")


@planted
def writes_to_an_open_device(world):
    log = world.keep(open("/dev/null", "a"))
    return lambda n: log.write(f"{n}\n")


@planted
def writes_rows(world):
    rows = csv.writer(world.keep(open(world.path("rows.csv"), "w")))
    return lambda n: rows.writerow([n, n])


@planted
def writes_through_an_open_descriptor(world):
    number = os.open(world.path("raw"), os.O_WRONLY | os.O_CREAT)
    return lambda n: os.write(number, b"x")


@planted
def writes_to_a_pipe(world):
    _, end = os.pipe()
    return lambda n: os.write(end, b"x")


@planted
def overwrites_in_place(world):
    number = os.open(world.path("place"), os.O_RDWR | os.O_CREAT)
    return lambda n: (os.pwrite(number, os.urandom(8), 0), time.sleep(0.005))


@planted
def writes_a_mapped_file(world):
    with open(world.path("mapped"), "wb") as file:
        file.truncate(100)
    mapped = mmap.mmap(os.open(world.path("mapped"), os.O_RDWR), 100)

    def task(n):
        mapped[n] = (mapped[n] + 1) % 256

    return task


@planted
def writes_files(world):
    def task(n):
        with open(world.path(f"{n}.txt"), "w") as file:
            file.write("x")

    return task


@planted
def appends_to_a_file(world):
    def task(n):
        with open(world.path("all.txt"), "a") as file:
            file.write("x")

    return task


@planted
def replaces_a_file(world):
    def task(n):
        with open(world.path("new"), "w") as file:
            file.write("x")
        os.replace(world.path("new"), world.path("current"))

    return task


@planted
def removes_a_file(world):
    names = iter(range(100))
    for number in range(100):
        open(world.path(f"old{number}"), "w").close()
    return lambda n: os.remove(world.path(f"old{next(names)}"))


@planted
def makes_folders(world):
    return lambda n: tempfile.mkdtemp(dir=world.folder)


@planted
def posts_by_urllib(world):
    def task(n):
        with urllib.request.urlopen(f"{world.url}/{n}", data=b"x") as answer:
            return answer.read()

    return task


def by_http_client(world, method, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", world.port)
    connection.request(method, "/things/1", body=body)
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


@planted
def puts_by_http_client(world):
    return lambda n: by_http_client(world, "PUT", b"x")


@planted
def posts_by_requests(world):
    return lambda n: requests.post(f"{world.url}/{n}", json={"n": n}).text


@planted
def deletes_by_a_session(world):
    session = world.keep(requests.Session())
    return lambda n: session.delete(f"{world.url}/{n}").text


def by_aiohttp(world, method):
    async def task(n):
        import aiohttp

        async with aiohttp.ClientSession() as session, session.request(method, f"{world.url}/{n}") as answer:
            return await answer.text()

    return task


@planted
def posts_by_aiohttp(world):
    return by_aiohttp(world, "POST")


@planted
def gets_what_says_that_it_does(world):
    return lambda n: urllib.request.urlopen(f"{world.url}/post").read() and n


@planted
def sends_a_datagram(world):
    sender = world.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    return lambda n: sender.sendto(b"count:1|c", world.udp)


@planted
def talks_by_a_protocol_of_its_own(world):
    there = world.keep(socket.create_server(("127.0.0.1", 0)))

    def task(n):
        with socket.create_connection(there.getsockname()) as connection:
            connection.sendall(b"\x00\x01hello")

    return task


@planted
def inserts_by_a_connection_each(world):
    with contextlib.closing(sqlite3.connect(world.path("a.db"))) as db:
        db.execute("CREATE TABLE t (n)")

    def task(n):
        with contextlib.closing(sqlite3.connect(world.path("a.db"))) as db, db:
            db.execute("INSERT INTO t VALUES (?)", (n,))

    return task


@planted
def inserts_ahead_of_a_checkpoint(world):
    """The database itself stays as it is: the row stands in its write-ahead log, which another connection keeps."""
    db = world.keep(sqlite3.connect(world.path("wal.db")))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (n)")

    def task(n):
        with contextlib.closing(sqlite3.connect(f"file:{world.path('wal.db')}?mode=rw", uri=True)) as mine, mine:
            mine.execute("INSERT INTO t VALUES (?)", (n,))

    return task


@planted
def inserts_by_an_open_connection(world):
    db = world.keep(sqlite3.connect(world.path("b.db")))
    db.execute("CREATE TABLE t (n)")

    def task(n):
        with db:
            db.execute("INSERT INTO t VALUES (?)", (n,))

    return task


@planted
def inserts_into_memory(world):
    db = world.keep(sqlite3.connect(":memory:"))
    db.execute("CREATE TABLE t (n)")
    return lambda n: db.execute("INSERT INTO t VALUES (?)", (n,)).rowcount


@planted
def starts_a_program(world):
    return lambda n: subprocess.run(["true"], check=True).returncode


@planted
def starts_a_shell(world):
    return lambda n: os.system("true")


@planted
def sends_a_signal(world):
    signal.signal(signal.SIGUSR2, lambda *_: None)
    return lambda n: os.kill(os.getpid(), signal.SIGUSR2)


LIST, COUNTS, SETTINGS, MEMBERS = [], collections.Counter(), {"level": 1}, set()
COUNT, LAST, MODEL, SPENT = 0, None, None, 0.0
ARRAY = np.zeros(8)
QUEUE: queue.Queue = queue.Queue()
LOCAL = threading.local()
NUMBERS = itertools.count()
VALUE = ctypes.c_long(0)
TEXT = io.StringIO()
MANY = list(range(20_000))
MODULE = types.ModuleType("a_module_of_the_users")
MODULE.total = 0
exec("def add(n):\n    global total\n    total += n\n", vars(MODULE))
sys.modules[MODULE.__name__] = MODULE


@planted
def a_global_list(world):
    return lambda n: LIST.append(n)


@planted
def a_global_number(world):
    def task(n):
        global COUNT
        COUNT += 1

    return task


@planted
def a_global_counter(world):
    def task(n):
        COUNTS[n] += 1

    return task


@planted
def a_global_set_that_is_never_read(world):
    return lambda n: MEMBERS.add(n)


@planted
def a_global_dict_of_results(world):
    def task(n):
        results[n] = n * n

    return task


results: dict = {}


@planted
def a_global_that_is_set(world):
    def task(n):
        global LAST
        LAST = n

    return task


@planted
def a_setting(world):
    def task(n):
        SETTINGS["level"] += 1

    return task


def helper(n):
    LIST.append(n)


def outer_helper(n):
    return helper(n)


@planted
def a_global_of_a_helper(world):
    return lambda n: outer_helper(n)


@planted
def a_global_of_a_helper_in_a_table(world):
    table = {"note": helper}
    return lambda n: table["note"](n)


@planted
def an_element_of_an_array(world):
    def task(n):
        ARRAY[n] += 1

    return task


@planted
def an_element_of_a_list(world):
    histogram = [0] * 8

    def task(n):
        histogram[n] += 1

    return task


@planted
def one_of_many_elements(world):
    return lambda n: MANY.append(n)


@planted
def a_closure(world):
    total = 0

    def task(n):
        nonlocal total
        total += n

    return task


@planted
def a_default_argument(world):
    def task(n, noted=[]):  # noqa: B006
        noted.append(n)

    return task


@planted
def an_attribute_of_the_function(world):
    def task(n):
        task.calls += 1

    task.calls = 0
    return task


class Total:
    value = 0
    noted: list = []  # noqa: RUF012


@planted
def a_class_attribute(world):
    def task(n):
        Total.value += 1

    return task


class Account:
    interest = 0

    def __init__(self):
        self.balance, self.rows, self.answers = 0, [], {}

    @property
    def worth(self):
        raise AssertionError("a property of the user's was asked")

    def __getattr__(self, name):
        raise AttributeError(f"{name} was asked") if name.startswith("__") else AssertionError(name)

    def deposit(self, n):
        self.balance += n

    def note(self, n):
        self.rows.append(n)

    @classmethod
    def raise_interest(cls, n):
        cls.interest += n

    def __call__(self, n):
        self.deposit(n)

    def remembered(self, n):
        if n not in self.answers:
            self.answers[n] = n * n
        return self.answers[n]


class Slots:
    __slots__ = ("count",)

    def __init__(self):
        self.count = 0

    def add(self, n):
        self.count += n


@planted
def self_of_a_method(world):
    return Account().deposit


@planted
def a_list_of_self(world):
    return Account().note


@planted
def a_method_of_the_class(world):
    return Account.raise_interest


@planted
def an_object_that_is_called(world):
    return Account()


@planted
def an_object_with_slots(world):
    return Slots().add


@planted
def an_object_in_a_list(world):
    accounts = [Account(), Account()]
    return lambda n: accounts[n % 2].deposit(n)


@planted
def an_attribute_of_an_argument(world):
    def task(account, n):
        account.balance += n

    return functools.partial(task, Account())


@planted
def a_decorated_function(world):
    def noting(func):
        @functools.wraps(func)
        def inner(n):
            return func(n)

        return inner

    @noting
    def task(n):
        LIST.append(n)

    return task


@planted
def an_attribute_of_a_module(world):
    return lambda n: MODULE.add(n)


@planted
def a_module_imported_inside(world):
    def task(n):
        import a_module_of_the_users

        a_module_of_the_users.total += n

    return task


@planted
def a_queue(world):
    return lambda n: QUEUE.put(n)


@planted
def an_iterator(world):
    return lambda n: next(NUMBERS) and None


@planted
def a_value_in_c(world):
    def task(n):
        VALUE.value += n

    return task


@planted
def a_file_in_memory(world):
    return lambda n: TEXT.write("x")


@planted
def an_attribute_of_a_thread(world):
    LOCAL.count = 0

    def task(n):
        LOCAL.count += 1

    return task


@planted
def a_variable_of_the_environment(world):
    def task(n):
        os.environ["ITEM"] = str(n)

    return task


@planted
def the_working_directory(world):
    return lambda n: os.chdir(world.folder)


@pure
def nothing(world):
    return abs


@pure
def computing(world):
    return lambda n: sum(i * n for i in range(1000))


@pure
def numpy(world):
    return lambda n: float(np.linalg.svd(np.ones((20, 20)) * n)[1][0])


@pure
def waiting(world):
    return lambda n: time.sleep(0.001)


@pure
def reading_globals(world):
    return lambda n: SETTINGS["level"] + len(LIST) + Total.value


@pure
def lru_cache(world):
    return functools.lru_cache(lambda n: n * n)


@pure
def a_cache_in_a_dict(world):
    cache = {}

    def task(n):
        if n not in cache:
            cache[n] = n * n
        return cache[n]

    return task


@pure
def a_cache_in_self(world):
    return Account().remembered


@pure
def made_when_first_asked_for(world):
    def task(n):
        global MODEL
        if MODEL is None:
            MODEL = {"weights": [1, 2, 3]}
        return MODEL["weights"][0] * n

    return task


@pure
def random_numbers(world):
    own = random.Random(1)
    return lambda n: random.random() + own.random()


@pure
def numpys_random_numbers(world):
    own = np.random.default_rng(1)
    return lambda n: float(own.random() + np.random.random())


@pure
def logging_below_the_level(world):
    logger = logging.getLogger("effects.quiet")
    return lambda n: logger.debug("item %s", n)


@pure
def printing_into_a_string(world):
    def task(n):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            print(n)
        return text.getvalue()

    return task


@pure
def printing_nowhere(world):
    def task(n):
        with open(os.devnull, "w") as nowhere:
            print(n, file=nowhere)

    return task


@pure
def reading_a_file(world):
    with open(world.path("read"), "w") as file:
        file.write("x" * 1000)

    def task(n):
        with open(world.path("read")) as file:
            return len(file.read())

    return task


@pure
def reading_an_open_file(world):
    with open(world.path("read"), "w") as written:
        written.write("x" * 1000)
    file = world.keep(open(world.path("read"), "r+b", buffering=0))
    return lambda n: (file.seek(n), file.read(10))[1]


@pure
def listing_a_folder(world):
    return lambda n: (os.listdir(world.folder), os.path.exists(world.path("none")), os.stat(world.folder).st_size)[1]


@pure
def a_temporary_file(world):
    def task(n):
        with tempfile.NamedTemporaryFile("w", dir=world.folder) as file:
            file.write("x")
            file.flush()
            return os.path.getsize(file.name)

    return task


@pure
def a_temporary_folder(world):
    def task(n):
        with tempfile.TemporaryDirectory(dir=world.folder) as folder:
            with open(os.path.join(folder, "x"), "w") as file:
                file.write("x")
            os.rename(os.path.join(folder, "x"), os.path.join(folder, "y"))
            return len(os.listdir(folder))

    return task


@pure
def a_file_without_a_name(world):
    def task(n):
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
            return file.tell()

    return task


@pure
def getting_by_urllib(world):
    def task(n):
        with urllib.request.urlopen(f"{world.url}/posts/{n}") as answer:
            return answer.read()

    return task


@pure
def heads_by_http_client(world):
    return lambda n: by_http_client(world, "HEAD")


@pure
def getting_by_requests(world):
    return lambda n: requests.get(f"{world.url}/{n}").text


@pure
def getting_by_a_session(world):
    session = world.keep(requests.Session())
    return lambda n: session.get(f"{world.url}/{n}").text


@pure
def getting_by_aiohttp(world):
    return by_aiohttp(world, "GET")


@pure
def selecting(world):
    with contextlib.closing(sqlite3.connect(world.path("s.db"))) as db:
        db.execute("CREATE TABLE t (n)")

    def task(n):
        with contextlib.closing(sqlite3.connect(world.path("s.db"))) as db:
            return db.execute("SELECT count(*) FROM t").fetchone()[0]

    return task


@pure
def selecting_by_an_open_connection(world):
    db = world.keep(sqlite3.connect(world.path("s.db")))
    db.execute("CREATE TABLE IF NOT EXISTS t (n)")
    return lambda n: db.execute("SELECT count(*) FROM t").fetchone()[0]


@pure
def a_database_in_memory(world):
    def task(n):
        with contextlib.closing(sqlite3.connect(":memory:")) as db:
            db.execute("CREATE TABLE t (n)")
            db.execute("INSERT INTO t VALUES (?)", (n,))
            return db.execute("SELECT n FROM t").fetchone()[0]

    return task


@pure
def importing(world):
    def task(n):
        import colorsys

        return colorsys.rgb_to_hsv(n, n, n)

    return task


@pure
def a_warning_once(world):
    def task(n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        return n

    return task


@pure
def compiled_patterns(world):
    return lambda n: re.sub(f"{n}+", "x", json.dumps({"a": n}))


@pure
def threads_of_its_own(world):
    from concurrent.futures import ThreadPoolExecutor

    def task(n):
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(abs, [n, -n]))

    return task


@pure
def a_loop_of_its_own(world):
    return lambda n: asyncio.run(asyncio.sleep(0.001, n))


@pure
def a_lock_and_a_semaphore(world):
    lock, seats = threading.Lock(), threading.Semaphore(4)

    def task(n):
        with lock, seats:
            return n

    return task


@pure
def a_folder_for_a_while(world):
    def task(n):
        with contextlib.chdir(world.folder):
            return len(os.getcwd())

    return task


@pure
def an_object_of_its_own(world):
    def task(n):
        account = Account()
        account.deposit(n)
        return account.balance

    return task


@pure
def a_log_that_another_writes(world):
    """As a test's or a service's output is: shared by descriptor with the processes that write it."""
    log = world.keep(open(world.path("shared"), "a"))
    writer = subprocess.Popen(["sh", "-c", "while echo line; do sleep 0.01; done"], stdout=log)
    world.keep(types.SimpleNamespace(close=lambda: (writer.kill(), writer.wait())))

    def task(n):
        size = os.path.getsize(log.name)
        eventually(lambda: os.path.getsize(log.name) > size)
        return n

    return task


@pure
def a_connection_that_another_thread_keeps_alive(world):
    """As that of a cluster's client is, which says now and then that it is there."""
    there = world.keep(socket.create_server(("127.0.0.1", 0)))
    here = world.keep(socket.create_connection(there.getsockname()))
    ended = threading.Event()

    def keep_alive():
        while not ended.wait(0.002):
            here.send(b"here")

    thread = threading.Thread(target=keep_alive, daemon=True)
    thread.start()

    def end():
        ended.set()
        thread.join()

    world.keep(types.SimpleNamespace(close=end))
    return lambda n: time.sleep(0.01) or n


@pytest.mark.parametrize("make", PLANTED, ids=lambda make: make.__name__)
def test_an_effect_is_found(make, world):
    found = seen_of(make(world))
    assert found.impure
    assert notes(found)


@pytest.mark.parametrize("make", PURE, ids=lambda make: make.__name__)
def test_what_only_reads_or_remembers_has_none(make, world):
    found = seen_of(make(world))
    assert (found.impure, notes(found)) == ("", ())


def test_the_rates_are_those_of_long_tables():
    assert len(PLANTED) >= 30
    assert len(PURE) >= 20


# What two runs have to have in common.


def kept(func, remedy=remedies.sequential, **options):
    """Two plain runs, and one of a remedy: what is wrong with it, and what comes in another order."""
    found = []
    for run in (remedies.sequential, remedies.sequential, remedy):
        with watched(func) as seen:
            run(func, list(range(40)), workers=8)
        found.append(seen)
    return comparable(agreed(*found[:2]), found[2], **options)


def adds(n):
    before = Total.value
    time.sleep(0.002)
    Total.value = before + 1


def test_a_race_on_an_attribute_is_wrong():
    wrong, _ = kept(adds, remedies.threads)
    assert re.fullmatch(r"changes 'Total.value' by \d+, not by 40: a side effect is lost", wrong)


def test_a_race_on_a_list_is_wrong():
    rows = {"all": []}

    def task(n):
        before = rows["all"]
        time.sleep(0.002)
        rows["all"] = [*before, (n, time.time())]

    wrong, _ = kept(task, remedies.threads)
    assert "a side effect is lost" in wrong


def test_what_is_lost_in_children_is_wrong():
    wrong, _ = kept(lambda n: LIST.append(n), lambda func, items, workers: [None] * len(items))
    assert wrong == "does not do to 'LIST' what the task does: a side effect is lost"


def test_another_order_is_told():
    def backwards(func, items, *, workers):
        return [func(item) for item in reversed(items)]

    assert kept(lambda n: LIST.append(n), backwards) == ("", "what it does to 'LIST' comes in another order")


def stamps(n):
    global SPENT
    start_s = time.perf_counter()
    time.sleep(0.001)
    SPENT += time.perf_counter() - start_s


class Bucket:
    def __init__(self):
        self.level, self.filled_s = 5.0, time.monotonic()

    def take(self, n):
        now_s = time.monotonic()
        self.level = min(5.0, self.level + 1000 * (now_s - self.filled_s)) - 1
        self.filled_s = now_s


@pytest.mark.parametrize(
    "task",
    [
        stamps,
        Bucket().take,
        lambda n: setattr(Total, "stamp", time.time()),
        lambda n: LIST.append((n, time.time(), random.random())),
        lambda n: SETTINGS.update(at=time.time(), name=f"{n} at {time.time()}"),
    ],
    ids=["spent", "a bucket", "a stamp", "records with a stamp", "a setting with a stamp"],
)
def test_what_two_plain_runs_do_unlike_is_no_fault(task):
    assert kept(task, remedies.threads) == ("", "")


def test_a_lost_record_with_a_stamp_is_a_fault():
    def lossy(func, items, *, workers):
        return [func(item) for item in items[1:]]

    wrong, _ = kept(lambda n: LIST.append((n, time.time())), lossy)
    assert wrong == "changes 'LIST' 39 appended, not 40 appended: a side effect is lost"


def test_output_is_counted_where_that_is_asked_for(capsys):
    def memo(func, items, *, workers):
        return [func(item) for item in items[:4]] * 10

    assert kept(print, memo) == ("", "")
    wrong, _ = kept(print, memo, outward=True)
    assert wrong == "prints 8 times, not 80"


def test_what_is_replaced_while_a_task_is_watched_is_put_back():
    names = [(sys.stdout, "write"), (socket.socket, "send"), (socket.socket, "sendall")]
    before = [vars(owner).get(name) for owner, name in names]
    with pytest.raises(ValueError, match="of the task"), watched(print):
        raise ValueError("of the task")
    assert [vars(owner).get(name) for owner, name in names] == before


def test_threads_that_were_there_before_are_strangers(capsys):
    ended = threading.Event()

    def talk():
        while not ended.wait(0.001):
            print("of a server")
            threading.Thread(target=print, args=("of its child",)).start()

    stranger = threading.Thread(target=talk)
    stranger.start()
    try:
        assert seen_of(lambda n: time.sleep(0.01)).impure == ""
    finally:
        ended.set()
        stranger.join()


def test_a_change_and_a_peer_are_lines_for_the_reader():
    seen = Seen(shared={"Total.value": Change("by", 40), "bucket['level']": Change("by", -1.5)}, talks_to=("db:5432",))
    assert notes(seen) == (
        "changes 'Total.value', 'bucket' outside",
        "talks to db:5432: memo is shown, not advised",
    )


# Real databases, by their drivers: one in Python, one in C.


@pytest.mark.service
def test_commands_of_redis_are_told_apart(shared_service):
    import redis

    with contextlib.closing(redis.Redis.from_url(shared_service("redis").url)) as client:
        assert seen_of(lambda n: client.get("effects")).impure == ""
        assert re.match(r"it sends SET to 127.0.0.1:\d+", seen_of(lambda n: client.set("effects", n)).impure)


@pytest.mark.service
def test_statements_of_postgresql_are_told_apart(shared_service):
    import psycopg

    url = shared_service("postgresql").url
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as db:
        db.execute("CREATE TEMP TABLE effects (n int)")
        assert seen_of(lambda n: db.execute("SELECT count(*) FROM effects").fetchone()).impure == ""
        written = seen_of(lambda n: db.execute("INSERT INTO effects VALUES (%s)", (n,)).rowcount)
        assert "sends INSERT to" in written.impure
        unknown = seen_of(lambda n: db.pgconn.exec_(b"SELECT 1").ntuples)
        assert re.match(r"it talks to \S+, which may be writing", unknown.impure)


def test_what_was_seen_in_one_plain_run_alone_is_asked_of_others_by_name():
    """As of a task of long items, none of which is done again: a time that is kept is another one each time."""
    plain, other = (Seen(shared={"last": Change("set", stamp)}) for stamp in ("12:00", "12:01"))
    assert comparable(plain, other) == ("", "")
    assert comparable(plain, Seen())[0] == "does not do to 'last' what the task does: a side effect is lost"


def test_what_a_thread_of_others_writes_without_end_is_not_the_tasks():
    ended = threading.Event()

    def write_on(sink):
        while not ended.is_set():
            os.write(sink, b"x")

    with open(os.devnull, "w") as sink:
        writer = threading.Thread(target=write_on, args=[sink.fileno()])
        writer.start()
        try:
            assert seen_of(lambda n: time.sleep(0.005) or n).impure == ""
        finally:
            ended.set()
            writer.join()
