"""Requests to the project by Django's own WSGI handler, in this process."""

from __future__ import annotations

import base64
import io
import os
import sys
import time
from typing import Any, Optional
from urllib.parse import unquote_to_bytes

#: An answer that is longer than this is endless.
MOST_BYTES = 64 * 1024 * 1024
MOST_S = 30.0


class EndlessError(Exception):
    """An answer does not end."""


class Driver:
    """The handler, and what every request to it has in common."""

    def __init__(self) -> None:
        from django.conf import settings
        from django.core.signals import got_request_exception

        self.cookies: dict[str, str] = {}
        self.others_cookies: dict[str, str] = {}
        self.failure: Optional[BaseException] = None
        self.host = _host(settings.ALLOWED_HOSTS)
        self.scheme = "https" if settings.SECURE_SSL_REDIRECT else "http"
        self.settings = settings
        got_request_exception.connect(self._failed)
        self.make_handler()

    def make_handler(self) -> None:
        """Build the handler anew, as settings are now."""
        from django.core.handlers.wsgi import WSGIHandler

        self.handler: Any = WSGIHandler()

    def _failed(self, **_: Any) -> None:
        self.failure = sys.exc_info()[1]

    def login(self, name: str) -> dict[str, str]:
        """Log a user in by a session of its own; return the cookie that goes with it."""
        from importlib import import_module

        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model

        user = get_user_model()._default_manager.get_by_natural_key(name)
        session = import_module(self.settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = user._meta.pk.value_to_string(user)
        backends = self.settings.AUTHENTICATION_BACKENDS
        model = "django.contrib.auth.backends.ModelBackend"
        session[BACKEND_SESSION_KEY] = model if model in backends else backends[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        return {self.settings.SESSION_COOKIE_NAME: session.session_key}

    def environ(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the WSGI environment of a request."""
        path, method, data = request["path"], request["method"], request.get("data")
        bare, _, query = path.partition("#")[0].partition("?")
        body = (data or "").encode()
        found: dict[str, Any] = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": unquote_to_bytes(bare).decode("latin-1"),
            "QUERY_STRING": query, "SERVER_NAME": self.host, "SERVER_PORT": "443" if self.scheme == "https" else "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": self.host, "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme, "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
            "wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False,
            "REMOTE_ADDR": request.get("remote", "127.0.0.1"),
            "HTTP_ACCEPT": "*/*", "CONTENT_LENGTH": str(len(body)) if body else "",
        }  # fmt: skip
        cookies = dict(self.others_cookies if request.get("as_other") else self.cookies)
        if method not in ("GET", "HEAD", "OPTIONS"):
            token = "a" * 32
            cookies[self.settings.CSRF_COOKIE_NAME] = token
            found[self.settings.CSRF_HEADER_NAME] = token
            found["HTTP_REFERER"] = f"{self.scheme}://{self.host}/"
            json_like = body[:1] in (b"{", b"[")
            found["CONTENT_TYPE"] = "application/json" if json_like else "application/x-www-form-urlencoded"
        if cookies:
            found["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        for name, value in request.get("headers", {}).items():
            found["HTTP_" + name.upper().replace("-", "_")] = value
        return found

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one request; return its times and its answer."""
        environ = self.environ(request)
        told: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            told["status"], told["headers"] = int(status[:3]), headers
            return None

        self.failure = None
        # Asynchronous views run in threads of their own: the whole process's time counts.
        queued, cpu, wall = _queued_s(), time.process_time(), time.perf_counter()
        response = self.handler(environ, start)
        chunks, size = [], 0
        try:
            for chunk in response:
                chunks.append(chunk)
                size += len(chunk)
                if size > MOST_BYTES or time.perf_counter() - wall > MOST_S:
                    raise EndlessError(f"the answer did not end after {size:,} bytes: it is too long to study")
        finally:
            if hasattr(response, "close"):
                response.close()
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        told["wall_s"], told["cpu_s"] = wall_s, cpu_s
        told["queued_s"] = min(max(0.0, _queued_s() - queued), max(0.0, wall_s - cpu_s))
        told["body"] = b"".join(chunks)
        return told


def as_reply(told: dict[str, Any], with_body: bool) -> dict[str, Any]:
    """Return an answer as plain data; the body only where it is to be compared."""
    headers = {name.lower(): value for name, value in told["headers"] if name.lower() != "set-cookie"}
    sets_cookie = any(name.lower() == "set-cookie" for name, _ in told["headers"])
    shown = (
        "content-type",
        "etag",
        "last-modified",
        "cache-control",
        "vary",
        "content-encoding",
        "location",
        "expires",
    )
    return {
        "status": told["status"],
        "bytes": len(told["body"]),
        "headers": {name: headers[name] for name in shown if name in headers},
        "sets_cookie": sets_cookie,
        "body": base64.b64encode(told["body"]).decode() if with_body else "",
    }


def _host(allowed: Any) -> str:
    for host in allowed or ():
        if host != "*":
            return str(host).lstrip(".")
    return "localhost"


def _queued_s() -> float:
    """Return the seconds that this thread has waited for a core, where the kernel tells."""
    try:
        with open(f"/proc/self/task/{_thread()}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _thread() -> int:
    import threading

    return threading.get_native_id() if hasattr(threading, "get_native_id") else os.getpid()
