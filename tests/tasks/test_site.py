import asyncio
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
from waiting import eventually

from workbench import Site, TaskError, UsageError, fetch_all
from workbench.tasks.site import FAULTS
from workbench.tasks.site.behaviour import Behaviour, read_query


def answers(origin: str) -> bool:
    parts = urlsplit(origin)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def exchange(site: Site, *pieces: bytes) -> bytes:
    """Send some bytes, one after the other, and return all that comes back until the site closes."""
    parts = urlsplit(site.origin)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as sock:
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.02)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_answers_when_it_is_entered_and_is_gone_when_it_is_left():
    with Site() as site:
        assert urllib.request.urlopen(site.url(body_bytes=10)).read() == site.body(site.url(body_bytes=10))
    assert not answers(site.origin)
    with pytest.raises(UsageError, match="not running"):
        _ = site.pid


def test_bodies_and_errors_depend_on_the_seed_alone():
    seen = []
    for seed in (3, 3, 4):
        with Site(seed=seed) as site:
            rows = fetch_all(site.urls(300, error_rate=0.1), retries=0)
            seen.append([(row.status, row.body) for row in rows])
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    failed = sum(status == 503 for status, _ in seen[0])
    assert 15 < failed < 45


def test_an_error_rate_goes_on_over_the_requests_of_one_url(site, fresh):
    url = fresh(error_rate=0.5)
    statuses = [fetch_all([url], retries=0)[0].status for _ in range(30)]
    assert 5 < statuses.count(503) < 25


def test_latency_is_waited_for_by_all_requests_together(site):
    fetched = fetch_all(site.urls(100, latency_ms=200))
    assert min(row.elapsed_s for row in fetched) >= 0.199
    assert fetched.wall_s < 100 * 0.2


def test_counts_requests_and_connections(site):
    before = site.stats()
    fetch_all(site.urls(10), engine="sequential")
    after = site.stats()
    assert after.requests - before.requests == 10
    assert after.connections - before.connections == 1


def test_urls_are_distinct(site):
    assert len(set(site.urls(100, latency_ms=5))) == 100


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        ({"latency": 5}, "the site knows no latency; it knows latency_ms"),
        ({"fault": "fire"}, "the site knows no fault 'fire'; it knows reset"),
        ({"encoding": "zip"}, "no encoding 'zip'"),
        ({"framing": "none"}, "no framing 'none'"),
        ({"error_rate": 2}, "error_rate lies between 0 and 1"),
        ({"body_bytes": -1}, "can't be negative"),
    ],
)
def test_an_unknown_behaviour_is_told(site, behaviour, text):
    with pytest.raises(UsageError, match=text):
        site.url(**behaviour)


@pytest.mark.parametrize("query", ["speed=3", "body_bytes=many", "fault=fire"])
def test_a_query_by_hand_that_is_not_understood_gets_a_400(site, query):
    row = fetch_all([f"{site.origin}/?{query}"])[0]
    assert row.status == 400
    assert query.partition("=")[0].encode() in row.body


def test_a_query_is_read_as_it_was_written():
    behaviour = Behaviour(latency_ms=2.5, body_bytes=7, echo=True, fault="drip", redirect_to="http://a/?b=c&d=e")
    assert read_query(behaviour.query()) == behaviour


def test_a_head_may_come_in_pieces_and_requests_at_once(site):
    got = exchange(
        site,
        b"GE",
        b"T /1?body_bytes=3 HTTP/1.1\r\nHost: x\r",
        b"\n\r\nGET /2?body_bytes=4&framing=close HTTP/1.1\r\n\r\n",
    )
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.endswith(site.body("/2?body_bytes=4"))


def test_requests_on_one_connection_are_answered_in_order(site):
    slow, quick = (
        b"GET /1?latency_ms=50&body_bytes=3 HTTP/1.1\r\n\r\n",
        b"GET /2?body_bytes=4&framing=close HTTP/1.1\r\n\r\n",
    )
    got = exchange(site, slow + quick)
    assert got.endswith(site.body("/2?body_bytes=4"))
    assert got.count(b"200 OK") == 2


def test_a_client_that_goes_away_disturbs_no_one(site, fresh):
    urls = [fresh(latency_ms=150), fresh(fault="drip"), fresh(fault="endless"), fresh(fault="no-length-reset")]
    fetch_all(urls, deadline_s=0.1, retries=0)
    assert fetch_all([fresh(latency_ms=200)])[0].ok
    eventually(lambda: site.stats().open_connections == 0)


def test_what_is_no_get_is_refused(site):
    assert exchange(site, b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_every_fault_is_described():
    assert all(FAULTS.values())
    for fault in FAULTS:
        assert Behaviour(fault=fault).query() == f"fault={fault}"


@pytest.mark.slow
def test_ends_with_a_parent_that_is_killed():
    script = (
        "import time\n"
        "from workbench import Site\n"
        "with Site() as site:\n"
        "    print(site.origin, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        origin = parent.stdout.readline().strip()
        assert answers(origin)
        parent.kill()
    eventually(lambda: not answers(origin))


@pytest.mark.slow
def test_runs_by_hand_until_ctrl_c():
    command = [sys.executable, "-m", "workbench.tasks.site"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        origin = process.stdout.readline().strip()
        assert answers(origin)
        port = origin.rpartition(":")[2]
        second = subprocess.run([*command, "--port", port], capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "ddress already in use" in second.stderr
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()
    assert process.returncode == 0
    assert complaints == ""


def test_a_site_that_does_not_start_says_why(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'some trace' >&2; echo 'no memory left' >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(TaskError, match="the local site did not start: no memory left"), Site():
        pass


@pytest.mark.slow
def test_serves_thousands_of_open_connections(site):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(2000, hard - 200)
    parts = urlsplit(site.origin)

    async def hold_all() -> int:
        made = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(count)]
        held = (await asyncio.to_thread(site.stats)).open_connections
        for _, writer in made:
            writer.write(b"GET /?body_bytes=5&latency_ms=100 HTTP/1.1\r\n\r\n")
        heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in made))
        assert all(head.startswith(b"HTTP/1.1 200") for head in heads)
        for _, writer in made:
            writer.close()
            await writer.wait_closed()
        return held

    try:
        assert asyncio.run(hold_all()) >= count
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
