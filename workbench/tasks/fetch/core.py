"""How one URL is fetched, decided without any IO: what to send next, when to try again, when to give up.

`conversation` is a generator. It yields a `Send` and is sent the `Reply`; it yields a `Wait` and is sent None; it
returns the row. Each engine is a thin shell around it, so all engines decide alike.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin

from workbench.errors import FetchError, UsageError
from workbench.masking import masked
from workbench.tasks.fetch.incoming import CODINGS, Incoming, Reply
from workbench.tasks.fetch.rows import FetchRow
from workbench.tasks.fetch.urls import origin, sendable

MAX_REDIRECTS = 10
BACKOFF_S = 0.1
#: Sent with every request; the engines decode nothing themselves, so only what `Incoming` decodes is asked for.
HEADERS = {"User-Agent": "workbench", "Accept": "*/*", "Accept-Encoding": ", ".join(CODINGS)}


@dataclass(frozen=True, slots=True)
class Send:
    """Send a GET and come back with the `Reply` within ``timeout_s``."""

    url: str
    headers: Mapping[str, str]
    timeout_s: float
    max_body_bytes: int

    def incoming(self, status: int, headers: Mapping[str, str]) -> Incoming:
        """Return what takes in the answer that has this head."""
        return Incoming(status, headers, self.max_body_bytes)


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait so long, then come back with None."""

    seconds: float


Conversation = Generator[Send | Wait, Reply | None, FetchRow]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the user wants of every URL; see `fetch_all`.

    ``clock`` (seconds, monotonic) and ``jitter`` (a number in [0, 1)) are there to be replaced by tests.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    deadline_s: float = 30.0
    retries: int = 2
    max_body_bytes: int = 64 * 2**20
    headers: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s < float("inf"):
            raise UsageError(f"deadline_s={self.deadline_s} is no time: pass a number of seconds above 0")
        if self.retries < 0 or self.max_body_bytes < 0:
            raise UsageError("retries and max_body_bytes can't be negative")
        for name, value in self.headers.items():
            if not (_fits(name, r"[!#$%&'*+.^_`|~0-9A-Za-z-]+") and _fits(value, r"[\t -~]*")):
                raise UsageError(f"the header {name!r} is not valid: names and values are plain ASCII on one line")

    def headers_at(self, target: str, start: str) -> Mapping[str, str]:
        """Return the headers for a target: the user's own ones stay where the fetch started, for they may be secret."""
        if not self.headers or origin(target) != origin(start):
            return HEADERS
        own = {name.title(): value for name, value in self.headers.items()}
        return HEADERS | own

    def backoff_s(self, attempts: int) -> float:
        """Return the pause after so many attempts: it doubles, and is spread so that not all come back at once."""
        return BACKOFF_S * float(2 ** (attempts - 1)) * (0.5 + self.jitter() / 2)


def conversation(url: str, policy: Policy) -> Conversation:
    """Fetch one URL: yields what to do next, returns its row.

    Parameters
    ----------
    url
        As the user gave it.
    policy
        Its deadline begins now.

    Examples
    --------
    >>> talk = conversation("http://127.0.0.1/", Policy())
    >>> next(talk).url
    'http://127.0.0.1/'
    >>> try:
    ...     talk.send(Reply(status=200, body=b"hello"))
    ... except StopIteration as done:
    ...     done.value.body
    b'hello'
    """
    started = policy.clock()
    reply, attempts = Reply(), 0
    try:
        start = target = sendable(url)
        left_s, hops = policy.deadline_s, 0
        while True:
            attempts = attempts or 1
            reply = yield from _send(target, policy.headers_at(target, start), left_s, policy)
            left_s = policy.deadline_s - (policy.clock() - started)
            if reply.location:
                target, hops = _redirected(target, reply.location, hops), hops + 1
            elif (pause_s := _pause_s(reply, attempts, left_s, policy)) is None:
                reply = _final(reply, left_s)
                break
            else:
                yield Wait(pause_s)
                left_s, attempts = policy.deadline_s - (policy.clock() - started), attempts + 1
    except FetchError as error:
        reply = Reply(error=str(error))
    return FetchRow(
        url=url,
        status=reply.status,
        body=reply.body,
        elapsed_s=policy.clock() - started,
        error=reply.error,
        attempts=attempts,
    )


def _send(
    target: str, headers: Mapping[str, str], left_s: float, policy: Policy
) -> Generator[Send | Wait, Reply | None, Reply]:
    if left_s > 0:
        reply = yield Send(target, headers, left_s, policy.max_body_bytes)
        assert reply is not None
        if not reply.timed_out:
            return reply
    raise FetchError(f"deadline: not done within deadline_s={policy.deadline_s:g}")


def _redirected(target: str, location: str, hops: int) -> str:
    if hops >= MAX_REDIRECTS:
        raise FetchError(f"more than {MAX_REDIRECTS} redirects")
    try:
        return sendable(urljoin(target, location))
    except (FetchError, ValueError) as error:
        raise FetchError(f"redirected to {masked(repr(location)):.80}: {error}") from None


def _pause_s(reply: Reply, attempts: int, left_s: float, policy: Policy) -> float | None:
    """Return how long to wait before the next attempt; None when there is none to make."""
    if reply.error is None or not reply.transient or attempts > policy.retries:
        return None
    pause_s = max(policy.backoff_s(attempts), reply.retry_after_s or 0.0)
    return pause_s if pause_s < left_s else None


def _final(reply: Reply, left_s: float) -> Reply:
    """Return the reply that the row is made from; it says why no attempt followed where that is not plain."""
    if not reply.transient or reply.retry_after_s is None or reply.retry_after_s < left_s:
        return reply
    return replace(reply, error=f"{reply.error}; its Retry-After of {reply.retry_after_s:g} s is beyond the deadline")


def _fits(text: object, pattern: str) -> bool:
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None
