"""No other user of the machine gets into what we start: one tries, who knows all that everybody can know."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from workbench import ServiceError, UsageError, services
from workbench.proc import descendants
from workbench.services import ports, servers, service

pytestmark = [pytest.mark.service, pytest.mark.slow]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user, who tries to get in")
NAMES = sorted(servers.SERVERS)


@pytest.fixture(autouse=True)
def _no_servers_of_ones_own(monkeypatch, tmp_path):
    for server in servers.SERVERS.values():
        monkeypatch.delenv(server.variable, raising=False)
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path / "cache"))


def intrude(kind, **known):
    """Let another user try; return what it could read of the processes, and what it got."""
    order = {"kind": kind, "pids": [], "folder": "/nonexistent", **known}
    script = [sys.executable, str(Path(__file__).with_name("intruder.py"))]
    run = subprocess.run(script, input=json.dumps(order), capture_output=True, text=True, timeout=110)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["uid"] == 65534
    return answer["visible"], answer["got"]


def known_of(started):
    """What everybody can know of a server: where it listens, its processes, and what its folder is called."""
    place = started._place
    return {
        "address": servers.SERVERS[started.name].address(place),
        "pids": [started._minder.pid, *descendants(started._minder.pid)],
        "folder": str(started.folder),
        "epmd_port": place.other_ports[0],
        "node": f"workbench-{place.port}@localhost",
    }


def plant(started):
    """Leave something to be read."""
    if started.name == "nginx":
        (started.folder / "html" / "planted").write_text("mine")


@as_root
@pytest.mark.parametrize("name", NAMES)
def test_another_user_gets_nothing(name, own_service):
    started = own_service(name)
    plant(started)
    visible, got = intrude(name, **known_of(started))
    assert got == []
    assert "\0" in visible, "command lines can be read by all"
    assert started._place.password not in visible
    started.check()
    assert set(with_an_open_door(started)) >= ({"read"} if name == "nginx" else {"read", "write", "command"})


def with_an_open_door(started):
    """What the intruder gets who knows what nobody should: without it the test would say nothing."""
    if started.name == "memcached":
        (port,) = ports.free_ports(1)
        with foreign([str(started._program), "-l", "127.0.0.1", "-p", str(port)], port):
            return intrude("memcached", address=["127.0.0.1", port])[1]
    cookie = started.folder / ".erlang.cookie"
    cookies = [cookie.read_text()] if cookie.exists() else []
    return intrude(started.name, **known_of(started), passwords=[started._place.password], cookies=cookies)[1]


@as_root
def test_another_user_gets_nothing_from_the_cluster():
    from workbench.remedies import cluster

    client, own = cluster_started(cluster)
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    pids = list(client.run(os.getpid).values())
    http_ports = [
        own.scheduler.http_server.port,
        *client.run(lambda dask_worker: dask_worker.http_server.port).values(),
    ]
    visible, got = intrude("dask", addresses=[own.scheduler_address, *workers], http_ports=http_ports, pids=pids)
    assert len(workers) >= 1
    assert got == []
    assert own.scheduler_address in visible
    assert "PRIVATE KEY" not in visible
    assert cluster(abs, [-1, 2]) == [1, 2]


def cluster_started(run):
    from workbench.remedies.cluster import _client

    assert run(abs, [-3]) == [3]
    return _client("")


@as_root
def test_the_intruder_gets_into_an_open_cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0") as cluster:
        http_ports = [cluster.scheduler.http_server.port]
        _, got = intrude("dask", addresses=[cluster.scheduler_address], http_ports=http_ports)
    assert {"read", "write", "command"} <= set(got)
    assert [each for each in got if each.startswith("read health")]


@as_root
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_another_user_gets_nothing_of_a_queue(broker, shared_service, monkeypatch):
    from workbench.queues import CeleryQueue

    with CeleryQueue(shared_service(broker).url, workers=1) as queue:
        queue.result(queue.submit(len, "pay 1 to Ann"))
        visible, got = intrude("celery", folder=queue._settings.folder, pids=queue.worker_pids())
        assert got == []
        assert queue._settings.folder not in visible
        assert shared_service(broker)._place.password not in visible


@contextlib.contextmanager
def foreign(command, port):
    """A server of another user's on a port of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, **who)
        try:
            end_s = time.monotonic() + 30
            while not ports.listens(("127.0.0.1", port)):
                assert time.monotonic() < end_s
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.wait()


def foreign_redis(port):
    """A Redis that takes any password for the right one."""
    program = shutil.which("redis-server") or pytest.skip("no redis-server")
    more = ["--user", "default", "on", "nopass", "~*", "+@all", "--save", ""]
    return foreign([program, "--port", str(port), "--bind", "127.0.0.1", *more], port)


@pytest.fixture
def choose(monkeypatch):
    """Return a function that says which ports are chosen first."""

    def choose(*first):
        chosen, real = iter(first), ports.free_ports
        monkeypatch.setattr(service, "free_ports", lambda count: [next(chosen, None) or real(1)[0], *real(count - 1)])

    return choose


def test_a_foreign_redis_that_takes_any_password_is_not_taken_for_ours(choose):
    import redis

    (port,) = ports.free_ports(1)
    with foreign_redis(port):
        with redis.Redis(port=port, username="default", password="any") as theirs:
            assert theirs.ping()
        choose(port)
        with services.start("redis") as ours, redis.Redis.from_url(ours.url) as client:
            assert urlsplit(ours.url).port != port
            assert client.info("server")["process_id"] == ours.pid
        choose(*[port] * 100)
        with pytest.raises(ServiceError, match=rf"^Redis can't have port {port}: another program took it$") as caught:
            services.start("redis")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nginx", "postgresql", "rabbitmq"])
def test_a_port_that_was_taken_in_between_is_given_up(name, own_service, choose):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        choose(taken.getsockname()[1])
        started = own_service(name)
        assert urlsplit(started.url).port != taken.getsockname()[1]
        started.check()


def test_a_server_whose_port_was_taken_while_it_was_down_does_not_come_back(own_service):
    started = own_service("redis")
    started.kill()
    with foreign_redis(urlsplit(started.url).port), pytest.raises(ServiceError, match="another program took it"):
        started.restart()
    assert not started.folder.exists()
    with pytest.raises(UsageError, match="is stopped: start another one"):
        started.restart()


@pytest.mark.parametrize("name", NAMES)
def test_no_message_shows_the_password(name, own_service):
    started = own_service(name)
    started.pause()
    with pytest.raises(ServiceError) as caught:
        started.check()
    password = started._place.password
    assert password not in f"{caught.value} {started.shown_url} {started._place}"
    assert (password in started.url) == (name != "memcached")
    started.resume()


def test_postgresql_does_not_run_as_a_user_that_others_are_too(monkeypatch):
    def getpwnam(name):
        raise KeyError(name)

    monkeypatch.setattr(service.pwd, "getpwnam", getpwnam)
    with pytest.raises(ServiceError, match="no user postgres to run it as: useradd --system postgres"):
        service._unprivileged_user()
