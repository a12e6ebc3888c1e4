"""Requests of WSGI and ASGI applications that are no Django project's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import UsageError, diagnose_request

pytestmark = pytest.mark.slow

APPS = """\
import asyncio, copy, time

STATE = {"rules": [{"id": number, "acts": ["a", "b"]} for number in range(400)]}

def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/copies":
        copy.deepcopy(STATE)  # copies
    elif environ["PATH_INFO"] == "/asks":
        for number in range(10):
            look_up(number)
    elif environ["PATH_INFO"] == "/fails":
        raise LookupError("no such shelf")
    elif environ["PATH_INFO"] != "/":
        start_response("404 Not Found", [])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]

def look_up(number):
    time.sleep(0.01)  # looks up

class Asgi:
    def __init__(self):
        self.started = False

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            self.started = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await receive()
        for number in range(10):
            await asyncio.sleep(0.01)  # waits
        await send({"type": "http.response.start", "status": 200 if self.started else 503, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

def make():
    return Asgi()

def endless(environ, start_response):
    start_response("200 OK", [])
    while True:
        time.sleep(0.01)
        yield b"more"

def silent(environ, start_response):
    return [b"hello"]

class Broken:
    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

def plain(): return 3
"""


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    path = tmp_path / "apps.py"
    path.write_text(APPS)
    return path


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(APPS.splitlines(), 1) if line.endswith(f"# {text}"))


@pytest.mark.parametrize(
    ("name", "path", "part", "text", "kind"),
    [
        ("wsgi", "/copies?a=1", "python", "copies", "copy-less"),
        ("wsgi", "/asks", "sleep", "looks up", "overlap-waits"),
        ("make", "/", "sleep", "waits", ""),
    ],
)
def test_a_request_is_bound_by_what_its_handler_does(
    apps: Path, name: str, path: str, part: str, text: str, kind: str
) -> None:
    found = diagnose_request(f"{apps}:{name}", path)
    assert (found.bound_by, found.lines[0].line) == (part, line_of(text))
    assert found.runs > 3
    assert kind in ("", *(one.kind for one in found.opportunities))


@pytest.mark.parametrize(
    ("name", "path", "options", "says"),
    [
        ("wsgi", "/no", {}, "GET /no answers 404"),
        ("wsgi", "/fails", {}, "the application raises LookupError: no such shelf for GET /fails"),
        ("wsgi", "copies", {}, "'copies' is no path"),
        ("endless", "/", {}, "the answer did not end in 10 s"),
        ("silent", "/", {}, "the application gives no status: is it a WSGI or an ASGI application?"),
        ("Broken", "/", {}, "the application does not start: no database"),
        ("wsgi", "/", {"method": "POST"}, "POST may write"),
        ("plain", "/", {}, "int is neither a WSGI nor an ASGI application"),
        ("look_up", "/", {}, "the application raises"),
        ("gone", "/", {}, "has no callable 'gone'"),
    ],
)
def test_what_can_not_be_asked_is_one_line(
    apps: Path, name: str, path: str, options: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError) as refused:
        diagnose_request(f"{apps}:{name}", path, **options)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command_says_that_nothing_was_tried(apps: Path) -> None:
    command = [sys.executable, "-m", "workbench", "endpoint", "apps.py:wsgi", "/copies", "--json"]
    ended = subprocess.run(command, cwd=apps.parent, capture_output=True, text=True, check=False)
    assert (ended.returncode, json.loads(ended.stdout)["kind"]) == (0, "diagnosis")
    assert ended.stderr == "This is no Django project: what would pay is predicted, and nothing was tried.\n"
