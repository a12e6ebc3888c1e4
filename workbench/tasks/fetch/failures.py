"""Exceptions of the HTTP libraries, told in one line that is the same whichever library raised it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from workbench.errors import FetchError, line_of
from workbench.tasks.fetch.incoming import Reply


def failure(error: Exception, url: str, *, inside_body: bool) -> Reply:
    """Return the reply that tells of an exception.

    Parameters
    ----------
    error
        What a library raised; what caused it is looked at as well.
    url
        Where the request went.
    inside_body
        Whether the head of the answer was there.

    Examples
    --------
    >>> failure(ConnectionRefusedError(111, "Connection refused"), "http://127.0.0.1:9/", inside_body=False).error
    'connection refused by 127.0.0.1:9'
    """
    place = urlsplit(url).netloc
    chain = list(_chain(error))
    for cause in reversed(chain):
        if isinstance(cause, FetchError):
            return Reply(error=str(cause), transient=cause.transient)
        if isinstance(cause, TimeoutError):
            return Reply(timed_out=True)
        if isinstance(cause, socket.gaierror):
            return Reply(error=f"unknown host {urlsplit(url).hostname!r}", transient=cause.errno == socket.EAI_AGAIN)
        if isinstance(cause, ssl.SSLError):
            return Reply(error=f"TLS with {place} failed: {_line(cause)}")
        if isinstance(cause, ConnectionRefusedError):
            return Reply(error=f"connection refused by {place}", transient=True)
    if inside_body:
        return Reply(error=f"truncated: {place} broke off inside the body", transient=True)
    if any(isinstance(cause, ConnectionError) or "Disconnected" in type(cause).__name__ for cause in chain):
        return Reply(error=f"no answer: {place} closed the connection", transient=True)
    return Reply(error=f"no answer from {place}: {_line(chain[-1])}", transient=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, the root last."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _line(error: BaseException) -> str:
    """Return an exception as one line, with all lines of its text: libraries break sentences."""
    return f"{line_of(type(error).__name__, ' '.join(str(error).split())):.220}"
