"""What every engine promises; a new engine is covered by being in ENGINES."""

import asyncio
import math
import socket
import threading

import pytest

from workbench import FetchRow, UsageError, fetch_all, send_requests
from workbench.tasks.fetch.fetching import ENGINES

pytestmark = pytest.mark.parametrize("engine", sorted(ENGINES))

# fault -> how the error of the row begins, or None where the row has to be good
FAULTS = {
    "reset": "no answer",
    "close-in-headers": "no answer",
    "truncated": "truncated",
    "gzip-cut": "truncated",
    "chunked-cut": "truncated",
    "no-length-reset": "truncated",
    "early-hints": None,
    "drip": "deadline",
    "silent": "deadline",
    "endless": "too large",
    "gzip-bomb": "too large",
    "stale": None,
}


def fetch_one(url, **options) -> FetchRow:
    (row,) = fetch_all([url], **options)
    return row


@pytest.fixture
def closed_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_rows_are_whole_and_in_the_order_of_the_urls(engine, site):
    urls = [site.url(str(n), latency_ms=(7 * n) % 20, body_bytes=n * 100) for n in range(30)]
    fetched = fetch_all(urls, engine=engine)
    assert [row.url for row in fetched] == urls
    assert [row.body for row in fetched] == [site.body(url) for url in urls]
    assert all(row.ok and row.status == 200 and row.attempts == 1 and not row.from_cache for row in fetched)
    assert all(row.elapsed_s > 0 for row in fetched)


def test_what_goes_wrong_with_one_url_stays_in_its_row(engine, fresh, closed_port):
    bad = {
        "http://unknown.invalid/": "unknown host 'unknown.invalid'",
        f"http://127.0.0.1:{closed_port}/": f"connection refused by 127.0.0.1:{closed_port}",
        "http://a.invalid/\nb": "not a URL: it holds",
        "gopher://a.invalid/": "not a URL: it does not begin with http",
        "": "not a URL",
        None: "not a URL: None is of type NoneType",
        math.nan: "not a URL: nan is of type float",
        b"http://a.invalid/": "not a URL: b'http://a.invalid/' is of type bytes",
    }
    good = fresh()
    fetched = fetch_all([*bad, good], engine=engine, retries=0)
    assert [row.url for row in fetched] == [*(str(url) for url in bad), good]
    for row, begin in zip(fetched[:-1], bad.values(), strict=True):
        assert row.error.startswith(begin)
        assert "\n" not in row.error
        assert not row.ok
    assert fetched[-1].ok


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(engine, fresh, fault):
    row = fetch_one(fresh(fault=fault), engine=engine, retries=0, deadline_s=0.8, max_body_bytes=10**6)
    begin = FAULTS[fault]
    if begin is None:
        assert row.ok
        assert row.body_bytes == 1000
    else:
        assert row.error.startswith(begin)
        assert row.body == b""
        assert row.status is None


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_every_framing_and_coding_is_understood(engine, site, encoding, framing):
    urls = site.urls(5, encoding=encoding, framing=framing, body_bytes=100_000)
    assert [row.body for row in fetch_all(urls, engine=engine)] == [site.body(url) for url in urls]


def test_a_coding_that_was_not_asked_for_is_an_error(engine, fresh):
    assert "'br'" in fetch_one(fresh(encoding="br"), engine=engine).error


@pytest.mark.parametrize("status", [204, 404, 410, 501])
def test_a_status_is_kept_and_one_of_400_or_more_is_an_error(engine, fresh, status):
    row = fetch_one(fresh(status=status, body_bytes=0 if status == 204 else 9), engine=engine)
    assert row.status == status
    assert row.ok == (status < 400)
    assert row.attempts == 1
    if status == 404:
        assert row.error == "404 Not Found"
        assert row.body_bytes == 9


def test_duplicates_are_fetched_once(engine, fresh, requests_made):
    url, other = fresh(), fresh()
    fetched = fetch_all([url, other, url, url], engine=engine)
    assert requests_made() == 2
    assert fetched[0] == fetched[2] == fetched[3]
    assert fetched[1].url == other


def test_what_may_pass_is_tried_again(engine, fresh):
    row = fetch_one(fresh(failures=2), engine=engine, retries=2)
    assert row.ok
    assert row.attempts == 3


def test_attempts_end(engine, fresh, requests_made):
    row = fetch_one(fresh(status=503), engine=engine, retries=1)
    assert row.error == "503 Service Unavailable"
    assert row.attempts == requests_made() == 2


def test_a_retry_after_beyond_the_deadline_ends_the_attempts_at_once(engine, fresh, requests_made):
    row = fetch_one(fresh(status=503, retry_after_s=3600), engine=engine, deadline_s=20)
    assert row.attempts == requests_made() == 1
    assert "Retry-After" in row.error


def test_a_connection_that_closed_while_it_was_idle_costs_no_row(engine, site):
    assert all(row.ok for row in fetch_all(site.urls(6, fault="stale"), engine=engine))


def test_redirects_are_followed(engine, site, fresh):
    url = fresh(redirects=3, body_bytes=50)
    row = fetch_one(url, engine=engine)
    assert row.url == url
    assert row.body == site.body(url)
    assert row.attempts == 1


def test_redirects_end(engine, fresh, requests_made):
    row = fetch_one(fresh(redirects=-1), engine=engine)
    assert row.error == "more than 10 redirects"
    assert requests_made() == 11


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://2130706433/", "http://[broken"])
def test_a_redirect_to_what_is_no_url_is_an_error(engine, fresh, place):
    assert fetch_one(fresh(redirects=1, redirect_to=place), engine=engine).error.startswith("redirected to")


def test_a_redirect_that_leads_nowhere_is_an_error(engine, fresh):
    assert fetch_one(fresh(status=302), engine=engine).error == "302 Found without a Location"


def test_own_headers_go_to_the_own_origin_only(engine, fresh):
    from workbench import Site

    headers = {"x-secret": "word", "accept": "text/plain"}
    own = fetch_one(fresh(echo=True, redirects=1), engine=engine, headers=headers).body.decode().lower()
    assert "x-secret: word" in own
    assert own.count("accept: ") == 1
    assert "accept: text/plain" in own
    with Site() as elsewhere:
        url = fresh(redirects=1, redirect_to=elsewhere.url(echo=True))
        other = fetch_one(url, engine=engine, headers=headers).body.decode().lower()
    assert "x-secret" not in other
    assert "accept: */*" in other


def test_no_cookies_are_kept(engine, fresh):
    fetched = fetch_all([fresh(cookie="a=b", echo=True) for _ in range(5)], engine=engine)
    assert not any(b"\r\nCookie" in row.body for row in fetched)


def test_a_url_is_sent_in_one_form_by_all_engines(engine, site):
    row = fetch_one(f"{site.origin}/ü/a%2fb/{{x}}/%zz/../y?echo=True#part", engine=engine)
    assert row.body.startswith(b"GET /%C3%BC/a%2Fb/%7Bx%7D/%25zz/../y?echo=True HTTP/1.1\r\n")


@pytest.mark.parametrize("deadline_s", [1e-9, 1e-4, 0.01])
def test_a_deadline_may_be_over_at_any_point(engine, fresh, deadline_s):
    row = fetch_one(fresh(latency_ms=200), engine=engine, deadline_s=deadline_s)
    assert row.error == f"deadline: not done within deadline_s={deadline_s:g}"


@pytest.mark.slow
def test_time_in_the_queue_does_not_count(engine, site):
    concurrency = None if engine == "sequential" else 1
    fetched = fetch_all(site.urls(5, latency_ms=300), engine=engine, concurrency=concurrency, deadline_s=1.2, retries=0)
    assert all(row.ok for row in fetched)


@pytest.mark.parametrize("behaviour", [{"redirects": -1}, {"failures": 1000}])
def test_the_deadline_covers_redirects_and_retries(engine, fresh, behaviour):
    row = fetch_one(fresh(latency_ms=120, **behaviour), engine=engine, deadline_s=0.5, retries=1000)
    assert row.error.startswith(("deadline", "503"))


def test_a_body_may_be_as_large_as_allowed_and_no_larger(engine, fresh):
    assert fetch_one(fresh(body_bytes=5000, encoding="gzip"), engine=engine, max_body_bytes=5000).ok
    row = fetch_one(fresh(body_bytes=5001, encoding="gzip"), engine=engine, max_body_bytes=5000)
    assert row.error == "too large: the body has more than max_body_bytes=5,000"
    assert row.attempts == 1


def test_tls_with_a_server_that_has_none_is_an_error(engine, site):
    row = fetch_one(site.url().replace("http:", "https:"), engine=engine, retries=0)
    assert row.error.startswith("TLS with 127.0.0.1")


def test_an_empty_list_gives_an_empty_result(engine):
    fetched = fetch_all([], engine=engine)
    assert len(fetched) == 0
    assert "body_bytes" in fetched.table()


def test_works_while_an_event_loop_runs(engine, fresh):
    async def cell():
        return fetch_all([fresh()], engine=engine)

    assert asyncio.run(cell())[0].ok


def test_leaves_no_thread_behind(engine, site):
    before = set(threading.enumerate())  # those that an earlier test left may end meanwhile
    fetch_all(site.urls(40, latency_ms=5), engine=engine)
    assert set(threading.enumerate()) <= before


def test_urls_can_come_from_a_file(engine, fresh, tmp_path):
    url = fresh()
    file = tmp_path / "urls.txt"
    file.write_text(f"\ufeff# pages\n\n  {url}  \n", encoding="utf-8")
    assert [row.url for row in fetch_all(file, engine=engine)] == [url]
    assert [row.url for row in fetch_all(str(file), engine=engine)] == [url]


def test_the_environment_is_not_looked_at(engine, fresh, monkeypatch, closed_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    assert fetch_one(fresh(), engine=engine).ok


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"concurrency": 0}, "concurrency=0"),
        ({"deadline_s": 0}, "deadline_s=0"),
        ({"deadline_s": math.inf}, "deadline_s=inf"),
        ({"retries": -1}, "retries"),
        ({"headers": {"a\nb": "c"}}, "header 'a\\nb'"),
        ({"headers": {"a": "c\r\nd: e"}}, "header 'a'"),
        ({"headers": {"a": 1}}, "header 'a'"),
        ({"ttl_s": 0, "cache": True}, "ttl_s=0"),
        ({"ttl_s": 60}, "pass cache=True"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_fetched(engine, fresh, requests_made, options, text):
    with pytest.raises(UsageError, match=text.replace("\\", "\\\\")):
        fetch_all([fresh()], engine=engine, **options)
    assert requests_made() == 0


def test_send_requests_is_the_sequential_form(engine, fresh):
    url = fresh()
    assert send_requests([url])[0].body == fetch_one(url, engine=engine).body
