"""What a studied view does to others: their servers see no connection, no program starts, nobody is signalled."""

import contextlib
import http.server
import importlib.machinery
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workbench import EndpointStudy, TaskError, UsageError, study_endpoint
from workbench.endpoint.inside import guards, refusals

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("surroundings")]


def studied(library: Path, path: str, **options: Any) -> EndpointStudy:
    return study_endpoint(library, path, python=sys.executable, budget_s=1, **options)


@contextmanager
def service() -> Iterator[tuple[str, list[str]]]:
    """Run a service of somebody's; the block gets its address and the paths that it was asked for."""
    asked: list[str] = []

    class Service(http.server.BaseHTTPRequestHandler):
        def setup(self) -> None:
            asked.append("a connection")
            super().setup()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"prices")

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("path", ["/asks/", "/asks-postgresql/"])
def test_a_service_on_this_machine_sees_no_connection(library: Path, path: str) -> None:
    with service() as (place, asked), pytest.raises(TaskError) as failed:
        studied(library, f"{path}?at={place}")
    assert asked == []
    said = f"the view asks {place}, which the study refuses: pass --allow {place} if asking it changes nothing"
    assert str(failed.value).endswith(f"answers 500: {said}")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_service_that_is_allowed_is_asked_by_any_of_its_names(library: Path, name: str) -> None:
    with service() as (place, asked):
        study = studied(library, f"/asks/?at={name}:{place.rpartition(':')[2]}", allow=[place])
    assert (study.status, asked[:2], "connections" in study.effects) == (200, ["a connection", "/"], False)
    assert any(f"all but {place} are refused" in note for note in study.notes)


def test_a_name_that_nobody_allowed_is_not_looked_up(library: Path) -> None:
    with pytest.raises(TaskError, match=r"the view asks prices\.example:80, which the study refuses: pass --allow"):
        studied(library, "/asks/?at=prices.example:80")


def test_datagrams_unix_sockets_and_probes_reach_nobody(library: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_UNIX) as local:
        datagrams.bind(("127.0.0.1", 0))
        local.bind(path)
        local.listen()
        for each in (datagrams, local):
            each.setblocking(False)
        study = studied(library, f"/knocks/?at=127.0.0.1:{datagrams.getsockname()[1]}&socket={path}")
        assert study.effects["connections"] == 3
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
        with pytest.raises(BlockingIOError):
            local.accept()


def test_no_program_starts(library: Path, tmp_path: Path) -> None:
    file = tmp_path / "touched"
    with pytest.raises(TaskError, match=r"answers 500: the view starts touch, which the study refuses$"):
        studied(library, f"/starts/?file={file}")
    study = studied(library, f"/starts-in-many-ways/?file={file}")
    assert (study.effects["processes"], study.effects["signals"], file.exists()) == (6, 2, False)
    assert any("processes kept from happening" in note for note in study.notes)


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        found[path.name] = (path.read_bytes() if path.is_file() else b"", told.st_mode, told.st_mtime_ns)
    return found


def test_files_stay_as_they_are_whatever_they_are_called_by(library: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "victims", Path(tempfile.mkdtemp(dir="/dev/shm"))):
        folder.mkdir(exist_ok=True)
        (folder / "victim.txt").write_text("as it was")
        with contextlib.closing(sqlite3.connect(folder / "victim.db")) as database:
            database.execute("create table numbers (number)")
        before = state_of(folder)
        try:
            study = studied(library, f"/writes-files-in-many-ways/?folder={folder}")
            assert (study.status, state_of(folder)) == (200, before)
            assert study.effects["files"] >= 10
        finally:
            shutil.rmtree(folder)


def test_what_is_made_for_one_user_is_not_kept_for_all(library: Path) -> None:
    study = studied(library, "/my-shelf/", user="ann")
    found = [one for one in study.findings if one.kind == "uncached_fragment"]
    assert "pays" not in {one.verdict for one in found}


def test_what_settings_start_ends_with_the_study(library: Path, tmp_path: Path) -> None:
    name = f"sleep-{os.getpid()}"
    shutil.copy("/bin/sleep", tmp_path / name)
    (library / "starting.py").write_text(
        "import subprocess\nfrom library_settings import *\n"
        f"subprocess.Popen([{str(tmp_path / name)!r}, '100'], start_new_session=False)\n"
    )
    assert studied(library, "/fine/", settings="starting").status == 200
    processes = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert not [one for one in processes.splitlines() if name in one and "<defunct>" not in one]


def test_tasks_are_counted_and_their_broker_sees_no_connection(library: Path) -> None:
    with service() as (place, asked):
        study = studied(library, f"/tasks/?at={place}")
    assert (study.effects["tasks"], "connections" in study.effects, asked) == (4, False, [])


def test_djangos_own_tasks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class DummyBackend:
        def __init__(self) -> None:
            self.results: list[str] = []

        def enqueue(self, task: str) -> str:
            self.results.append(task)
            return task

    for name in ("django.tasks", "django.tasks.backends", "django.tasks.backends.dummy"):
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["django.tasks.backends.dummy"], "DummyBackend", DummyBackend, raising=False)
    monkeypatch.setattr(refusals, "counts", {})
    guards._guard_tasks()
    backend = DummyBackend()
    assert (backend.enqueue("mail"), backend.results, refusals.counts) == ("mail", [], {"tasks": 1})


@pytest.mark.parametrize("place", ["9000", "prices.example", "http://prices.example/"])
def test_what_is_no_server_is_refused(library: Path, place: str) -> None:
    with pytest.raises(UsageError, match=r"pass a host and its port, as in 127\.0\.0\.1:9000"):
        studied(library, "/books/", allow=[place])
