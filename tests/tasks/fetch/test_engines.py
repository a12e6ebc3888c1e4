"""What only one engine has to take care of."""

import socket
import threading
import time

import pytest

from workbench import FetchInterrupted, FetchRow, fetch_all
from workbench.tasks.fetch import fetching
from workbench.tasks.fetch.cache import RowCache
from workbench.tasks.fetch.collect import Ready
from workbench.tasks.fetch.core import Policy
from workbench.tasks.fetch.failures import failure
from workbench.tasks.fetch.with_aiohttp import by_asyncio
from workbench.tasks.fetch.with_requests import by_threads

ROWS = [FetchRow(url=str(number)) for number in range(4)]
BACKGROUND = {"threads": by_threads, "aiohttp": by_asyncio}


def test_an_interrupt_brings_out_the_rows_that_are_ready():
    ready, stops = Ready(), []
    ready.add(ROWS[:2])
    arriving = ready.collect(10, lambda: (stops.append(True), ready.add(ROWS[2:])))
    assert next(arriving) == ROWS[0]
    assert arriving.throw(KeyboardInterrupt()) == ROWS[0]  # for it may have come before that row was kept
    assert [next(arriving) for _ in ROWS[1:]] == ROWS[1:]
    with pytest.raises(KeyboardInterrupt):
        next(arriving)
    assert stops == [True]


def test_what_breaks_a_fetching_thread_is_raised_where_it_was_started():
    ready, stops = Ready(), []
    ready.fail(MemoryError("full"))
    with pytest.raises(MemoryError):
        list(ready.collect(1, lambda: stops.append(True)))
    assert stops == [True]


@pytest.mark.parametrize("engine", BACKGROUND)
def test_a_thread_that_breaks_is_told_at_once(engine, fresh):
    def broken_clock():
        raise MemoryError("full")

    with pytest.raises(BaseException, match=r"full|unhandled errors"):
        list(BACKGROUND[engine]([fresh(), fresh()], Policy(clock=broken_clock), 2))


@pytest.mark.parametrize("engine", BACKGROUND)
def test_what_is_not_wanted_any_more_is_not_fetched(engine, site, requests_made):
    arriving = BACKGROUND[engine](site.urls(200, latency_ms=20), Policy(), 2)
    next(arriving)
    arriving.close()
    made = requests_made()
    assert made < 50
    for thread in threading.enumerate():
        if thread.name.startswith("workbench-fetch"):
            thread.join()
    assert requests_made() <= made + 2


def test_connections_stay_below_the_allowed_open_files(site, monkeypatch):
    monkeypatch.setattr(fetching.resource, "getrlimit", lambda what: (fetching._FILES_LEFT + 3, 1000))
    before = site.stats().connections
    assert all(row.ok for row in fetch_all(site.urls(50, latency_ms=5)))
    assert site.stats().connections <= before + 3


def test_looking_up_a_name_is_part_of_the_deadline(monkeypatch):
    looked_up = threading.Event()

    def slow_getaddrinfo(*arguments, **options):
        looked_up.wait()
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", slow_getaddrinfo)
    (row,) = fetch_all(["http://slow.example/"], engine="threads", deadline_s=0.3)
    looked_up.set()
    assert row.error == "deadline: not done within deadline_s=0.3"


@pytest.mark.parametrize(
    ("error", "inside_body", "text", "transient"),
    [
        (ConnectionResetError(), False, "no answer: a.example closed the connection", True),
        (ConnectionResetError(), True, "truncated: a.example broke off inside the body", True),
        (socket.gaierror(socket.EAI_AGAIN, "later"), False, "unknown host 'a.example'", True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False, "unknown host 'a.example'", False),
        (
            OSError(113, "No route\nto host"),
            False,
            "no answer from a.example: OSError: [Errno 113] No route to host",
            True,
        ),
        (ValueError(), False, "no answer from a.example: ValueError", True),
    ],
)
def test_exceptions_are_told_in_one_line(error, inside_body, text, transient):
    reply = failure(error, "http://a.example/", inside_body=inside_body)
    assert (reply.error, reply.transient) == (text, transient)


def test_the_cause_tells_more_than_the_library():
    error = RuntimeError("Max retries exceeded")
    error.__cause__ = ConnectionRefusedError(111, "refused")
    assert failure(error, "http://a.example/", inside_body=False).error == "connection refused by a.example"


@pytest.mark.parametrize("engine", BACKGROUND)
def test_an_interrupt_while_a_row_is_stored_keeps_the_rows_that_wait(
    engine, site, tmp_path, monkeypatch, requests_made
):
    def interrupted(cache, row):
        while requests_made() < 100:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(RowCache, "put", interrupted)
    with pytest.raises(FetchInterrupted) as caught:
        fetch_all(site.urls(5000), engine=engine, concurrency=4, cache=tmp_path)
    assert sum(row.ok for row in caught.value.result) >= 100 - 4
    assert caught.value.result[-1].error == "interrupted"
