"""Fetching with requests: one URL after the other, or in many threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from workbench.coroutines import drive_plainly
from workbench.tasks.fetch.collect import Ready
from workbench.tasks.fetch.core import Policy, Send, Wait, conversation
from workbench.tasks.fetch.failures import failure
from workbench.tasks.fetch.incoming import Reply
from workbench.tasks.fetch.rows import INTERRUPTED, FetchRow

if TYPE_CHECKING:
    import requests

_PIECE_BYTES = 65536


def one_by_one(urls: Sequence[str], policy: Policy, concurrency: int) -> Generator[FetchRow]:
    """Yield the rows of the URLs, fetched one after the other in this thread."""
    with _session() as session:
        for url in urls:
            yield _fetch(url, policy, lambda send: _exchange(session, send), time.sleep)


def by_threads(urls: Sequence[str], policy: Policy, concurrency: int) -> Generator[FetchRow]:
    """Yield the rows of the URLs as they get ready, fetched in threads with a session each."""
    ready = Ready()
    stop = threading.Event()
    todo = iter(urls)  # next() of a list's iterator is atomic, so that the threads can share it

    def work() -> None:
        try:
            with _session() as session:
                for url in todo:
                    ready.add([_fetch(url, policy, exchange_with(session), stop.wait)])
                    if stop.is_set():
                        return
        except BaseException as error:
            ready.fail(error)

    def exchange_with(session: requests.Session) -> Callable[[Send], Reply]:
        return lambda send: Reply(error=INTERRUPTED) if stop.is_set() else _exchange(session, send)

    # Daemons: a thread that waits for a silent server must not keep the program from ending.
    workers = [
        threading.Thread(target=work, name=f"workbench-fetch-{number}", daemon=True) for number in range(concurrency)
    ]
    try:
        for worker in workers:
            worker.start()
        yield from ready.collect(len(urls), stop.set)
    finally:
        stop.set()
    for worker in workers:
        worker.join()


def _fetch(url: str, policy: Policy, exchange: Callable[[Send], Reply], wait: Callable[[float], object]) -> FetchRow:
    """Do what the conversation says until it returns the row."""

    def get(step: Send | Wait) -> Reply | None:
        if isinstance(step, Send):
            return exchange(step)
        wait(step.seconds)
        return None

    return drive_plainly(conversation(url, policy), get)


def _exchange(session: requests.Session, send: Send) -> Reply:
    """Send one request and take in its answer."""
    from requests import Timeout as RequestsTimeout
    from urllib3 import Timeout
    from urllib3.exceptions import TimeoutError as Urllib3Timeout

    incoming = None
    try:
        adapter = session.get_adapter(send.url)
        timeout: Any = Timeout(total=send.timeout_s)
        with closing(adapter.send(_request(send), stream=True, timeout=timeout)) as response:
            incoming = send.incoming(response.status_code, response.headers)
            if incoming.wants_body:
                for piece in response.raw.stream(_PIECE_BYTES, decode_content=False):
                    incoming.feed(piece)
            return incoming.reply()
    except (RequestsTimeout, Urllib3Timeout):
        return Reply(timed_out=True)
    except Exception as error:
        return failure(error, send.url, inside_body=incoming is not None)


def _request(send: Send) -> requests.PreparedRequest:
    """Return the request as it stands: preparing it would change its URL, and read the environment every time."""
    import requests

    request = requests.PreparedRequest()
    request.method, request.url = "GET", send.url
    request.headers = requests.structures.CaseInsensitiveDict(send.headers)
    return request


def _session() -> requests.Session:
    import requests

    from workbench.tasks.fetch.timed import TimedAdapter

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, TimedAdapter(pool_connections=1, pool_maxsize=1))
    return session
