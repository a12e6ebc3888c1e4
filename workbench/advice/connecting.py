"""Connections that are made again and again, look-ups of names, addresses where nobody answers, packets held back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.saving import NEARLY_ALL, Share, of_repeated, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called, own_nodes, text_of
from workbench.views import number

#: Functions that make a connection, or what it is made with, by the ends of their files.
_CONNECTS = (
    ("urllib3/connection.py", "_new_conn", "connect"),
    ("urllib3/util/connection.py", "create_connection"),
    ("urllib3/util/ssl_.py", "create_urllib3_context", "ssl_wrap_socket", "load_verify_locations"),
    ("requests/adapters.py", "cert_verify", "init_poolmanager", "__init__", "_preloaded_ssl_context"),
    ("http/client.py", "connect"),
    ("smtplib.py", "__init__", "connect", "ehlo", "helo", "starttls", "login"),
    ("ftplib.py", "__init__", "connect", "login"),
    ("imaplib.py", "__init__", "open", "login", "starttls"),
    ("paramiko/client.py", "connect"),
    ("socket.py", "create_connection", "getaddrinfo"),
    ("ssl.py", "do_handshake", "create_default_context", "load_default_certs", "_create", "_load_windows_store_certs"),
    ("httpx/_config.py", "create_ssl_context", "load_ssl_context"),
    ("httpcore/_sync/connection.py", "_connect"),
    ("aiohttp/connector.py", "_create_connection", "_create_direct_connection", "_wrap_create_connection"),
    ("psycopg/connection.py", "connect"),
    ("psycopg2/__init__.py", "connect"),
    ("pymysql/connections.py", "connect", "__init__"),
    ("redis/connection.py", "connect", "_connect"),
    ("botocore/session.py", "create_client"),
)
#: What to write, by a word in the user's line.
_REUSE = (
    ("create_default_context", "context = ssl.create_default_context()  # once, outside the loop"),
    ("httpx", "client = httpx.Client()  # once\nclient.get(url)         # keeps its connection"),
    ("aiohttp", "async with aiohttp.ClientSession() as session:  # once, around the loop"),
    ("boto", 'client = session.client("s3")  # once, outside the loop'),
    ("smtplib", "with smtplib.SMTP(host) as relay:  # once, around the loop\n    relay.send_message(message)"),
    ("connect", "connection = connect(...)  # once, or from a pool"),
    (
        "",
        "session = requests.Session()  # once, outside the loop\nsession.get(url)              # keeps its connection",
    ),
)
#: Delayed acknowledgements hold a packet back for 40 ms.
_HELD_BACK_S = (0.034, 0.05)
_LONG_S = 0.1
#: How often a line in a loop connects, at least, where it can't be counted.
_OFTEN = 30


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find lines that connect anew each time, and what makes connecting or sending slow."""
    yield from _reuse(seen)
    yield from _names(seen)
    yield from _held_back(seen)


def _reuse(seen: Evidence) -> Iterator[Opportunity]:
    for place, samples in seen.places(_connects):
        seconds, count = seconds_of(samples), max(seen.waits(place, "network").times, _OFTEN)
        if not seen.is_large(seconds) or (seen.repeats(samples[0]) is None and not samples[0].in_worker):
            continue
        keeps = _keeps_connections(seen, place)
        yield opportunity(
            seen, "larger-connection-pool" if keeps else "reuse-connection", place, seconds, of_repeated(count),
            what="keep as many connections as there are threads" if keeps else "connect once and reuse the connection",
            why=f"{number(seconds)} s go to connecting{_including(samples)}, again and again",
            how='session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=60))' if keeps else
                next(how for word, how in _REUSE if word in seen.source.text(place)),
        )  # fmt: skip


def _connects(sample: Sample) -> bool:
    return any(inner.is_of(end, *names) for inner in sample.beyond for end, *names in _CONNECTS) or (
        bool(sample.beyond) and sample.beyond[0].is_of("ssl.py", "create_default_context")
    )


def _keeps_connections(seen: Evidence, place: Frame) -> bool:
    text = seen.source.text(place)
    owners = (text.partition(f".{method}(")[0] for method in ("get", "post", "request", "put") if f".{method}(" in text)
    names = [owner.rpartition(" ")[2].rpartition("(")[2] for owner in owners]
    return any("Session(" in text_of(value) for name in names for value in seen.source.bound(place, name))


def _including(samples: list[Sample]) -> str:
    """Say what of connecting takes most."""
    by_name: dict[str, float] = {}
    for sample in samples:
        by_name[sample.frames[-1].name] = by_name.get(sample.frames[-1].name, 0.0) + sample.seconds
    return f", most of it in {max(by_name, key=by_name.__getitem__)}"


def _names(seen: Evidence) -> Iterator[Opportunity]:
    for wait in seen.diagnosis.waits:
        if wait.kind != "network" or not seen.is_large(wait.seconds):
            continue
        place = Frame.of(wait)
        if wait.target.endswith(":53"):
            yield opportunity(
                seen, "slow-names", place, wait.seconds, NEARLY_ALL,
                what="have names looked up at once, or once",
                why=f"the resolver {wait.target} takes {number(max(wait.median_s, wait.longest_s))} s for a name",
                how="# mend the resolver in /etc/resolv.conf, or keep its answers:\n"
                    "socket.getaddrinfo = functools.lru_cache(socket.getaddrinfo)",
                hazard="a name that moves is found late",
            )  # fmt: skip
        elif wait.target.startswith("[::1]:") and wait.longest_s >= _LONG_S:
            yield opportunity(
                seen, "dead-address", place, wait.seconds, NEARLY_ALL,
                what="connect to the address that answers",
                why=f"{wait.target} is tried first and does not answer for {number(wait.longest_s)} s",
                how='"127.0.0.1" instead of "localhost"',
            )  # fmt: skip


def _held_back(seen: Evidence) -> Iterator[Opportunity]:
    low, high = _HELD_BACK_S
    for wait in seen.diagnosis.waits:
        if wait.kind != "network" or wait.count < 5 or not low <= wait.median_s <= high or wait.longest_s > 2 * high:
            continue
        place = Frame.of(wait)
        if seen.is_large(wait.seconds) and _sends_in_pieces(seen, place):
            yield opportunity(
                seen, "send-at-once", place, wait.seconds, Share(0.8, 0.95, 1.0),
                what="send a message in one piece",
                why=f"{wait.count} waits of {number(1e3 * wait.median_s)} ms each: a second small packet is held back "
                    "until the first one is acknowledged",
                how="connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\nconnection.sendall(head + body)",
            )  # fmt: skip


def _sends_in_pieces(seen: Evidence, place: Frame) -> bool:
    names = [called(node)[1] for node in own_nodes(seen.source.function(place)) if isinstance(node, ast.Call)]
    return sum(name in ("send", "sendall", "write") for name in names) >= 2
