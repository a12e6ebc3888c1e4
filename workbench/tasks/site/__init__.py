"""A local site with latency and faults: what notebooks and tests fetch from, so that they need no internet."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from workbench.errors import TaskError, UsageError
from workbench.tasks.site.behaviour import FAULTS, Behaviour, body, read_query

__all__ = ["FAULTS", "Behaviour", "Site", "SiteStats"]


@dataclass(frozen=True, kw_only=True)
class SiteStats:
    """What a site has seen: requests and connections since it started, and connections open now.

    Examples
    --------
    >>> from workbench import Site
    >>> with Site() as site:
    ...     site.stats().requests
    0
    """

    requests: int
    connections: int
    open_connections: int


class Site:
    """A real HTTP/1.1 server in a child process, on a free port of this machine only.

    What it does for a request stands in the URL: see `url`. It ends with the ``with`` block, and also when this process
    is killed. Any user of the machine may ask it, as it holds nothing of anybody's: an answer is made from its URL and
    the seed. Their requests are counted with yours.

    Parameters
    ----------
    seed
        Bodies and errors depend on it, and on nothing else.

    Attributes
    ----------
    origin : str
        ``http://127.0.0.1:PORT`` once it runs.

    Raises
    ------
    TaskError
        The server did not start.

    Examples
    --------
    >>> from workbench import Site, fetch_all
    >>> with Site() as site:
    ...     rows = fetch_all(site.urls(3, latency_ms=5, body_bytes=100))
    ...     site.stats().requests
    3
    >>> [row.body_bytes for row in rows]
    [100, 100, 100]
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.origin = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server; it answers when this returns."""
        command = [sys.executable, "-m", "workbench.tasks.site", "--seed", str(self.seed), "--until-stdin-closes"]
        # A session of its own: Ctrl-C in the terminal is for the task that is studied, not for the site.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        self.origin = self._process.stdout.readline().decode().strip()
        if not self.origin:
            _, complaint = self._process.communicate()
            raise TaskError(f"the local site did not start: {_last_line(complaint)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        if self._process is not None:
            self._process.communicate()  # closes its stdin, which ends it
            self._process = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise UsageError("the site is not running: use it as `with Site() as site:`")
        return self._process.pid

    def url(self, path: str = "/", **behaviour: Any) -> str:
        """Return a URL of the site that behaves as told.

        Parameters
        ----------
        path
            What the body is made from, besides the seed.
        **behaviour
            What `Behaviour` takes: ``latency_ms``, ``body_bytes``, ``error_rate``, ``failures``, ``status``,
            ``encoding``, ``framing``, ``redirects``, ``redirect_to``, ``retry_after_s``, ``cookie``, ``echo`` and
            ``fault`` (one of `FAULTS`).

        Raises
        ------
        UsageError
            For a behaviour that the site doesn't know.

        Examples
        --------
        >>> with Site() as site:
        ...     site.url(latency_ms=50).removeprefix(site.origin)
        '/?latency_ms=50'
        """
        try:
            query = Behaviour(**behaviour).query()
        except TypeError:
            unknown = sorted(set(behaviour) - set(Behaviour.__dataclass_fields__))
            known = ", ".join(Behaviour.__dataclass_fields__)
            raise UsageError(f"the site knows no {', '.join(unknown)}; it knows {known}") from None
        return f"{self.origin}/{path.removeprefix('/')}" + (f"?{query}" if query else "")

    def urls(self, count: int, **behaviour: Any) -> list[str]:
        """Return distinct URLs of the site that all behave as told: see `url`."""
        return [self.url(str(number), **behaviour) for number in range(count)]

    def body(self, url: str) -> bytes:
        """Return the body, shape (body_bytes,), that a whole answer to this URL has."""
        parts = urlsplit(url)
        return body(parts.path, read_query(parts.query).body_bytes, self.seed)

    def stats(self) -> SiteStats:
        """Return what the site has seen so far; asking doesn't count."""
        from http.client import HTTPConnection

        from workbench.tasks.site.server import STATS_PATH

        connection = HTTPConnection(urlsplit(self.origin).netloc, timeout=10)
        try:
            connection.request("GET", STATS_PATH)
            return SiteStats(**json.loads(connection.getresponse().read()))
        finally:
            connection.close()


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
