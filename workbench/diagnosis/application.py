"""Asking a WSGI or ASGI application for a page, in its own process: a request without a server."""

from __future__ import annotations

import asyncio
import inspect
import io
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from workbench.diagnosis.awaits import OWN_TASK
from workbench.errors import UsageError
from workbench.masking import masked

#: An application that says nothing when it is told to start, or to stop, does not care.
_LIFE_S, _CANCELLED_S = 5.0, 1.0
#: An answer that takes longer is told, and not studied.
_ANSWER_S = 10.0
_ENDLESS = f"the answer did not end in {_ANSWER_S:g} s"
_HEADERS = {"host": "localhost", "user-agent": "workbench", "accept": "*/*"}


class Asking(Protocol):
    """Asks an application for a path."""

    def once(self) -> int:
        """Ask, read the answer to its end, and return the status."""

    def end(self) -> None:
        """Tell the application that no more is asked."""


def asking(app: Any, path: str, method: str) -> Asking:
    """Return what asks an application for a path.

    Parameters
    ----------
    app
        A WSGI application (of Flask, Bottle, Django …), an ASGI one (of FastAPI, Starlette, Quart …), or a function
        without arguments that makes one.
    path
        With its query, as in ``/books/?page=2``.
    method
        As in ``GET``.

    Raises
    ------
    UsageError
        It is no application.

    Examples
    --------
    >>> def app(environ, start_response):
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     return [environ["PATH_INFO"].encode()]
    >>> asking(app, "/books/?page=2", "GET").once()
    200
    """
    made = app() if _arguments(app) == 0 else app
    if inspect.isasyncgenfunction(made) or inspect.isasyncgenfunction(getattr(made, "__call__", None)):  # noqa: B004
        raise UsageError("an asynchronous generator is no application: it must send its answer, not yield it")
    if _arguments(made) == 2:
        return _Wsgi(made, path, method)
    if _arguments(made) in (1, 3):
        return _Asgi(made, path, method)
    raise UsageError(f"{type(made).__name__} is neither a WSGI nor an ASGI application: pass the name of one")


def _arguments(app: Any) -> int:
    """Return how many arguments a callable must be given; −1 for what is none, or does not tell."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return -1
    needed = (each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD))
    return sum(each.default is each.empty for each in needed)


class _Wsgi:
    def __init__(self, app: Any, path: str, method: str) -> None:
        self._app, self._place, self._method = app, urlsplit(path), method

    def once(self) -> int:
        statuses: list[str] = []

        def start_response(status: str, headers: object, failure: object = None) -> Callable[[bytes], None]:
            statuses.append(status)
            return lambda data: None

        until_s = time.monotonic() + _ANSWER_S
        answer = self._app(self._environ(), start_response)
        if not hasattr(answer, "__iter__"):
            raise UsageError(f"the application returns {type(answer).__name__}, and no parts of an answer")
        try:
            for _ in answer:
                if time.monotonic() > until_s:
                    raise UsageError(_ENDLESS)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        return _status(statuses)

    def end(self) -> None:
        """Do nothing: a WSGI application is not told."""

    def _environ(self) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": self._method, "SCRIPT_NAME": "", "PATH_INFO": unquote(self._place.path),
            "QUERY_STRING": self._place.query, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in _HEADERS.items()},
        }  # fmt: skip


class _Asgi:
    """Keeps one event loop, in which the application starts and stops as a server lets it."""

    def __init__(self, app: Any, path: str, method: str) -> None:
        self._app, self._place, self._method = app, urlsplit(path), method
        self._loop = asyncio.new_event_loop()
        self._over, self._said, self._failed = asyncio.Event(), asyncio.Event(), ""
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = self._loop.create_task(self._app(scope, self._next, self._say), name=OWN_TASK)
        self._wait_for_life()

    def once(self) -> int:
        return self._loop.run_until_complete(self._ask())

    def end(self) -> None:
        self._said.clear()
        self._over.set()
        self._wait_for_life()
        self._life.cancel()
        self._loop.run_until_complete(asyncio.wait({self._life}, timeout=_CANCELLED_S))

    def _wait_for_life(self) -> None:
        """Wait until the application has said that it has started, or stopped; one that knows nothing of it raises."""

        async def wait() -> None:
            said = asyncio.ensure_future(self._said.wait())
            await asyncio.wait({said, self._life}, timeout=_LIFE_S, return_when=asyncio.FIRST_COMPLETED)
            said.cancel()

        self._loop.run_until_complete(wait())
        if self._life.done() and not self._life.cancelled():
            self._life.exception()  # it is known now, and not told
        if self._failed:
            raise UsageError(f"the application does not start: {masked(self._failed)}")

    async def _next(self) -> dict[str, Any]:
        if self._said.is_set() or self._over.is_set():
            await self._over.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def _say(self, message: dict[str, Any]) -> None:
        if message["type"].endswith(".failed"):
            self._failed = str(message.get("message") or message["type"])
        self._said.set()

    async def _ask(self) -> int:
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": self._method, "scheme": "http", "path": unquote(self._place.path),
            "raw_path": self._place.path.encode(), "query_string": self._place.query.encode(), "root_path": "",
            "client": ("127.0.0.1", 1), "server": ("localhost", 80), "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in _HEADERS.items()],
        }  # fmt: skip
        statuses: list[int] = []
        bodies = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for body in bodies:
                return body
            await self._over.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        try:
            await asyncio.wait_for(self._app(scope, receive, send), _ANSWER_S)
        except TimeoutError:
            raise UsageError(_ENDLESS) from None
        return _status(statuses)


def _status(statuses: Sequence[str | int]) -> int:
    number = str(statuses[-1]).split(" ")[0] if statuses else ""
    if not number.isdigit():
        raise UsageError("the application gives no status: is it a WSGI or an ASGI application?")
    return int(number)
