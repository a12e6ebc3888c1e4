"""`fetch_all` and `send_requests`: what people call."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from workbench.errors import FetchError, UsageError
from workbench.progress import progress_bar
from workbench.tasks.fetch.cache import RowCache
from workbench.tasks.fetch.core import Policy
from workbench.tasks.fetch.rows import INTERRUPTED, Fetched, FetchInterrupted, FetchRow
from workbench.tasks.fetch.urls import read_urls, sendable
from workbench.tasks.fetch.with_aiohttp import by_asyncio
from workbench.tasks.fetch.with_requests import by_threads, one_by_one

if TYPE_CHECKING:
    from joblib import Memory
    from tqdm import tqdm

Engine = Callable[[Sequence[str], Policy, int], Generator[FetchRow]]

ENGINES: dict[str, Engine] = {"sequential": one_by_one, "threads": by_threads, "aiohttp": by_asyncio}
#: No concurrency is right for all sites. Of 32, 64, … 512 this one has the best worst case over sites that answer in 0,
#: 10 and 50 ms, with threads as with aiohttp: see ``data/results/fetch_concurrency.csv``.
CONCURRENCY = 128
#: Open files that are left to the rest of the program.
_FILES_LEFT = 64


def fetch_all(
    urls: Iterable[object] | str | os.PathLike[str],
    *,
    engine: str = "aiohttp",
    concurrency: int | None = None,
    deadline_s: float = 30.0,
    retries: int = 2,
    max_body_bytes: int = 64 * 2**20,
    headers: Mapping[str, str] | None = None,
    cache: bool | str | os.PathLike[str] | Memory = False,
    ttl_s: float | None = None,
    progress: bool = True,
) -> Fetched:
    """Fetch many URLs; whatever goes wrong with one of them is told in its row.

    Works in scripts and in notebooks. A URL that stands in the list twice is fetched once.

    Parameters
    ----------
    urls
        URLs, or the path of a file with one URL a line (blank lines and lines that begin with ``#`` are left out). An
        empty list gives an empty result.
    engine
        ``aiohttp`` (asyncio), ``threads`` (requests, a session a thread) or ``sequential`` (requests, one session). The
        rows don't depend on it, only the time does.
    concurrency
        URLs fetched at a time; None: 128, or 1 for ``sequential``. Never more than open files are allowed.
    deadline_s
        Seconds for one URL, from the moment its turn comes: connecting, redirects, the whole body, retries and the
        pauses between them.
    retries
        Attempts after the first one, for what may pass: broken connections, cut bodies, statuses 408, 425, 429 and 5xx.
        The pause doubles from 0.1 s; a Retry-After beyond the deadline ends the attempts at once.
    max_body_bytes
        The largest body that is taken, after decompression.
    headers
        Sent with every request, except to another host, port or scheme after a redirect.
    cache
        True, a folder or a `joblib.Memory`: serve what was fetched before from a joblib store, and keep there what is
        fetched now. True stands for the folder that WORKBENCH_CACHE_DIR or XDG_CACHE_HOME names. Failures aren't kept.
        What joblib loads can run code: use only folders that others can't write.
    ttl_s
        Seconds for which a stored body is served; None: for ever.
    progress
        Whether to show a progress bar, in a notebook or at a terminal.

    Returns
    -------
    Fetched
        A `FetchRow` for each URL, in the order of the URLs.

    Raises
    ------
    UsageError
        An argument that makes no sense, or a file that can't be read. Nothing has been fetched then.
    FetchInterrupted
        On Ctrl-C or the notebook's stop button; its ``result`` has the rows so far.

    Examples
    --------
    >>> from workbench import Site, fetch_all
    >>> with Site() as site:
    ...     fetched = fetch_all([site.url("1"), site.url("2", status=404), "http://unknown.invalid/"])
    >>> fetched.table()[["status", "body_bytes", "error"]]
       status  body_bytes                           error
    0     200        1000                             NaN
    1     404        1000                   404 Not Found
    2    <NA>           0  unknown host 'unknown.invalid'
    """
    asked = read_urls(urls)
    run, workers = _engine(engine, concurrency)
    policy = Policy(deadline_s=deadline_s, retries=retries, max_body_bytes=max_body_bytes, headers=dict(headers or {}))
    store = RowCache(cache, ttl_s, policy.headers) if cache is not False and cache is not None else None
    if store is None and ttl_s is not None:
        raise UsageError("ttl_s is the age of what is stored: pass cache=True or a folder with it")
    call = _Call(asked, policy, store)
    with progress_bar(call.total, wanted=progress, unit="URL") as call.bar:
        return call.run(run, workers)


def send_requests(urls: Iterable[object] | str | os.PathLike[str]) -> Fetched:
    """Fetch URLs one after the other with requests: the plain form that the others are measured against.

    Parameters
    ----------
    urls
        URLs, or the path of a file with one URL a line.

    Returns
    -------
    Fetched
        A `FetchRow` for each URL, in the order of the URLs.

    Raises
    ------
    UsageError
        A file that can't be read.
    FetchInterrupted
        On Ctrl-C or the notebook's stop button; its ``result`` has the rows so far.

    Examples
    --------
    >>> from workbench import Site, send_requests
    >>> with Site() as site:
    ...     send_requests(site.urls(2))[1].body_bytes
    1000
    """
    return fetch_all(urls, engine="sequential")


def _engine(name: str, concurrency: int | None) -> tuple[Engine, int]:
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}; choose one of {', '.join(ENGINES)}")
    if concurrency is None:
        concurrency = 1 if name == "sequential" else CONCURRENCY
    if concurrency < 1:
        raise UsageError(f"concurrency={concurrency} fetches nothing: pass 1 or more")
    if name == "sequential" and concurrency > 1:
        raise UsageError("the sequential engine fetches one URL at a time: leave concurrency out, or use 'threads'")
    return ENGINES[name], min(concurrency, _files_allowed())


def _files_allowed() -> int:
    """Return how many connections can be open before the system refuses them."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, soft - _FILES_LEFT)


class _Call:
    """One call of `fetch_all`: what was asked for, and the rows so far."""

    bar: tqdm[Any]

    def __init__(self, asked: list[object], policy: Policy, store: RowCache | None) -> None:
        self._started = time.perf_counter()
        self._asked = [str(url) if isinstance(url, str) else url for url in asked]
        self._policy = policy
        self._store = store
        self._times = Counter(url for url in self._asked if isinstance(url, str))
        self._rows: dict[str, FetchRow] = {}

    @property
    def total(self) -> int:
        """How many URLs the progress bar counts."""
        return self._times.total()

    def run(self, engine: Engine, concurrency: int) -> Fetched:
        """Take what is stored, fetch the rest, and return all of it."""
        try:
            self._take_stored()
            if missing := [url for url in self._times if url not in self._rows]:
                with closing(engine(missing, self._policy, min(concurrency, len(missing)))) as arriving:
                    self._take_fetched(arriving)
        except KeyboardInterrupt:
            raise FetchInterrupted(self._fetched()) from None
        return self._fetched()

    def _take_stored(self) -> None:
        """Look all URLs up before any is fetched: a large body that is loaded would hold up an event loop."""
        if self._store:
            for url in self._times:
                row = self._store.get(url)
                if row is not None and row.body_bytes <= self._policy.max_body_bytes:
                    self._take(row)

    def _take_fetched(self, arriving: Generator[FetchRow]) -> None:
        try:
            for row in arriving:
                self._take(row)
                self._keep(row)
        except KeyboardInterrupt as interrupt:
            waiting = _stopped(arriving, interrupt)
            for row in waiting:
                self._take(row)
            for row in waiting:
                self._keep(row)
            raise

    def _keep(self, row: FetchRow) -> None:
        """Store a row for the next call: also for the one after an interrupt, which goes on where this one stopped."""
        if self._store and row.ok:
            self._store.put(row)

    def _take(self, row: FetchRow) -> None:
        self._rows[row.url] = row
        self.bar.update(self._times[row.url])

    def _fetched(self) -> Fetched:
        return Fetched(map(self._row, self._asked), wall_s=time.perf_counter() - self._started)

    def _row(self, url: object) -> FetchRow:
        if isinstance(url, str):
            return self._rows.get(url) or FetchRow(url=url, error=INTERRUPTED)
        try:
            return FetchRow(url=sendable(url))
        except FetchError as error:
            return FetchRow(url=str(url), error=str(error))


def _stopped(arriving: Generator[FetchRow], interrupt: KeyboardInterrupt) -> list[FetchRow]:
    """Stop an engine by an interrupt that came while it was not running; return the rows that were ready by then."""
    waiting: list[FetchRow] = []
    with suppress(KeyboardInterrupt):  # comes out again after the last row
        waiting.append(arriving.throw(interrupt))
        while True:
            waiting.append(next(arriving))
    return waiting
