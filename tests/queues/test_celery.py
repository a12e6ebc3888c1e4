"""What is Celery's own: nothing is lost, whoever is killed; what can't work is said in one line."""

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgpack
import pytest
import queue_tasks
from waiting import eventually

from workbench import MissingExtraError, QueueError, UsageError
from workbench.queues import CeleryQueue, with_celery
from workbench.queues.codec import pack

pytestmark = [pytest.mark.service, pytest.mark.slow]
BROKERS = ["redis", "rabbitmq"]


@pytest.fixture(params=BROKERS)
def broker(request, shared_service):
    return shared_service(request.param).url


@pytest.fixture
def redis(shared_service):
    return shared_service("redis").url


@pytest.fixture
def counted(tmp_path):
    """Return a database in which `queue_tasks.count` notes its runs."""
    path = os.fspath(tmp_path / "counts")
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE effects (number PRIMARY KEY); CREATE TABLE runs (number)")
    db.close()
    return path


def numbers(path, table):
    db = sqlite3.connect(path)
    found = [number for (number,) in db.execute(f"SELECT number FROM {table} ORDER BY number")]
    db.close()
    return found


def kill_a_worker(queue):
    os.kill(eventually(queue.worker_pids)[0], signal.SIGKILL)


def runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def wait_until_some_are_done(queue, done, running=0):
    eventually(lambda: (now := queue.progress()).done >= done and now.running >= running)


def test_tasks_whose_workers_are_killed_are_done_again(broker, counted):
    with CeleryQueue(broker, workers=2, crashes=10) as queue:
        handles = [queue.submit(queue_tasks.count, (counted, n, 0.1), key=str(n)) for n in range(100)]
        for done in (10, 30, 50):
            wait_until_some_are_done(queue, done, running=2)  # all busy: none is between two tasks
            kill_a_worker(queue)
        assert [queue.result(handle, timeout_s=60) for handle in handles] == list(range(100))
        progress = queue.progress()
    assert (progress.done, progress.dead) == (100, 0)
    assert progress.runs > 100, "no worker was killed in its task"
    assert numbers(counted, "effects") == list(range(100))


@pytest.mark.parametrize("name", BROKERS)
def test_tasks_survive_a_restart_of_the_broker(name, own_service, counted):
    service = own_service(name)
    with CeleryQueue(service.url, workers=2) as queue:
        handles = [queue.submit(queue_tasks.count, (counted, n, 0.02)) for n in range(60)]
        wait_until_some_are_done(queue, 10)
        service.kill()
        handles += [queue.submit(queue_tasks.count, (counted, n, 0.02)) for n in range(60, 70)]  # nobody is there
        service.restart()
        assert [queue.result(handle, timeout_s=100) for handle in handles] == list(range(70))
    assert numbers(counted, "effects") == list(range(70))


def test_a_broker_that_hangs_stops_nobody_for_long(own_service):
    service = own_service("redis")
    with CeleryQueue(service.url, workers=1) as queue:
        service.pause()
        handle = queue.submit(queue_tasks.increment, 1)
        service.resume()
        assert queue.result(handle, timeout_s=60) == 2


def test_workers_that_consume_no_more_are_replaced(redis, monkeypatch):
    monkeypatch.setattr(with_celery, "SILENCE_S", 2.0)
    with CeleryQueue(redis, workers=2) as queue:
        for pid in queue.worker_pids():
            os.kill(pid, signal.SIGSTOP)
        assert queue.result(queue.submit(queue_tasks.increment, 1), timeout_s=80) == 2


def test_celerys_defaults_lose_what_a_killed_worker_ran(broker, tmp_file):
    with CeleryQueue(broker, workers=1, durable=False) as queue:
        handle = queue.submit(queue_tasks.wait_for, tmp_file)
        eventually(lambda: queue.progress().running)
        kill_a_worker(queue)
        after = queue.submit(queue_tasks.increment, 1)
        with pytest.raises(TimeoutError):
            queue.result(handle, timeout_s=4)
        assert queue.progress().runs <= 2, "it was run again"
        del after


def test_a_task_that_crashes_its_workers_is_dead_and_can_be_submitted_again(redis):
    with CeleryQueue(redis, workers=1, crashes=2) as queue:
        handle = queue.submit(queue_tasks.end_the_worker, 7)
        others = [queue.submit(queue_tasks.increment, n) for n in range(5)]
        with pytest.raises(QueueError, match=r"a worker died while it ran this task \(exit code -9\)"):
            queue.result(handle, timeout_s=60)
        assert [queue.result(other, timeout_s=60) for other in others] == [1, 2, 3, 4, 5]
        (letter,) = queue.dead_letters()
        assert (letter.func, letter.item, letter.runs) == ("queue_tasks:end_the_worker", 7, 2)
        queue.result(others[0])
        queue.resubmit(handle)
        with pytest.raises(QueueError):
            queue.result(handle, timeout_s=60)
        assert queue.dead_letters()[0].runs == 4


def test_workers_that_can_not_start_are_not_started_for_ever(redis, monkeypatch, tmp_path):
    (tmp_path / "celery.py").write_text("raise RuntimeError('a broken install')")
    with CeleryQueue(redis, workers=1) as queue:
        started = len(queue._workers.alive)
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        kill_a_worker(queue)
        handle = queue.submit(queue_tasks.increment, 1)
        with pytest.raises(QueueError, match=r"no more are started: it said last 'RuntimeError: a broken.*log: .*\)$"):
            queue.result(handle, timeout_s=60)
        assert started == 1
    with pytest.raises(QueueError, match=r"^a worker can't start: it said last 'RuntimeError: a broken install'"):
        CeleryQueue(redis, workers=1).__enter__()


def test_what_was_not_done_goes_on_in_the_next_queue_with_the_same_folder(broker, tmp_path, counted):
    with CeleryQueue(broker, workers=1, folder=tmp_path / "queue") as queue:
        handles = [queue.submit(queue_tasks.count, (counted, n, 0.05)) for n in range(20)]
        wait_until_some_are_done(queue, 3)
    done = numbers(counted, "effects")
    assert 3 <= len(done) < 20
    with CeleryQueue(broker, workers=2, folder=tmp_path / "queue") as queue:
        assert [queue.result(handle, timeout_s=60) for handle in handles] == list(range(20))
    assert numbers(counted, "runs") == list(range(20))


def test_workers_end_when_their_parent_is_killed_and_leave_nothing(redis, tmp_path):
    import redis as client

    with client.Redis.from_url(redis) as connection:
        before = set(connection.keys())
    code = f"""
import sys
from workbench.queues import CeleryQueue
with CeleryQueue({redis!r}, workers=2) as queue:
    print(*queue.worker_pids(), flush=True)
    sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert list(tmp_path.glob("workbench-queue-*"))
    parent.kill()
    parent.communicate()
    eventually(lambda: not any(runs(pid) for pid in pids))
    eventually(lambda: not list(tmp_path.glob("workbench-queue-*")))
    with client.Redis.from_url(redis) as connection:
        assert set(connection.keys()) <= before


def test_nothing_is_left_at_a_broker_of_ones_own(redis):
    import redis as client

    with client.Redis.from_url(redis) as connection:
        before = set(connection.keys())
        with CeleryQueue(redis, workers=1) as queue:
            queue.submit(queue_tasks.nap, 0.1)
            for _ in range(3):
                queue.submit(queue_tasks.increment, 1)
            assert set(connection.keys()) > before
        assert set(connection.keys()) == before


def forged(task, func, item):
    """Messages as one who writes to the broker may make them: of other tasks, other items, other types."""
    packed = pack(item)
    yield "workbench.run", (task, func, packed)  # as a message was once
    yield "workbench.run", (999, func, packed)
    for strange in (999, -1, "1 OR 1=1", None, [task], {"id": task}, 2**63, b"\0"):
        yield "workbench.run", (strange,)
    yield "os.system", (f"touch {item}",)
    yield "celery.map", ({"task": func, "args": (item,)}, [item])
    yield "celery.starmap", ({"task": "workbench.run"}, [(task, func, packed)])
    yield "celery.chain", ()
    yield "queue_tasks.note", (item,)


@pytest.mark.parametrize("durable", [True, False])
def test_a_forged_message_runs_nothing(broker, durable, tmp_file):
    with CeleryQueue(broker, workers=1, durable=durable) as queue:
        assert queue.result(queue.submit(queue_tasks.increment, 1)) == 2
        handle = queue.submit(queue_tasks.nap, 0.5)
        waiting = queue.submit(queue_tasks.as_it_came, "pay 1 to Ann")
        for name, arguments in forged(waiting.id, "queue_tasks:note", tmp_file):
            queue._app.send_task(name, arguments)
        assert queue.result(handle) == 0.5
        assert queue.result(waiting, timeout_s=60) == "pay 1 to Ann"
        assert queue.result(queue.submit(queue_tasks.increment, 2), timeout_s=60) == 3  # after all of them
        progress = queue.progress()
    assert (progress.done, progress.runs, progress.dead) == (4, 4, 0)
    assert not Path(tmp_file).exists()


def test_an_altered_message_is_the_task_that_was_submitted(redis, tmp_file):
    """What another user could do to messages in a broker without a password: "pay 9 to Bob"."""
    import redis as client

    with CeleryQueue(redis, workers=1) as queue, client.Redis.from_url(redis) as connection:
        running = queue.submit(queue_tasks.nap, 1.0)
        eventually(lambda: queue.progress().running)
        handle = queue.submit(queue_tasks.as_it_came, "pay 1 to Ann")
        key = f"{queue._settings.queue}:{queue._settings.queue}"
        (message,) = connection.lrange(key, 0, -1)
        envelope = json.loads(message)
        assert "Ann" not in base64.b64decode(envelope["body"]).decode("latin-1")
        arguments, keywords, embedded = msgpack.unpackb(base64.b64decode(envelope["body"]))
        for changed in ((*arguments, "queue_tasks:note", pack(tmp_file)), arguments):
            embedded["callbacks"] = [{"task": "queue_tasks.note", "args": (tmp_file,), "options": {}}]
            body = msgpack.packb((changed, keywords, embedded))
            altered = envelope | {"body": base64.b64encode(body).decode()}
            connection.rpush(key, json.dumps(altered))
        connection.lrem(key, 1, message)
        assert queue.result(running) == 1.0
        assert queue.result(handle, timeout_s=60) == "pay 1 to Ann"
        assert queue.result(queue.submit(queue_tasks.increment, 2), timeout_s=60) == 3
    assert not Path(tmp_file).exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("existing", [True, False])
def test_the_folder_of_a_queue_is_closed_to_others(redis, umask, existing, tmp_path):
    folder = tmp_path / "folder"
    before = os.umask(umask)
    try:
        if existing:
            folder.mkdir()
        with CeleryQueue(redis, workers=1, folder=folder) as queue:
            assert queue.result(queue.submit(queue_tasks.increment, 1)) == 2
            kept = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    finally:
        os.umask(before)
    assert kept.pop("folder") == 0o700
    assert {"queue", "tasks.sqlite", "tasks.sqlite-wal", "tasks.sqlite-shm"} < set(kept)
    assert set(kept.values()) == {0o600}


def test_a_folder_of_everybodys_is_refused_and_left_as_it_is(redis, tmp_path):
    folder = tmp_path / "everybodys"
    folder.mkdir()
    (folder / "theirs").touch()
    folder.chmod(0o777)
    with pytest.raises(UsageError, match=r"other users can write to .*everybodys: pass a folder that is yours alone"):
        CeleryQueue(redis, workers=1, folder=folder).__enter__()
    assert folder.stat().st_mode & 0o777 == 0o777
    assert [path.name for path in folder.iterdir()] == ["theirs"]


def test_threads_wait_at_the_same_time(redis, tmp_file):
    with CeleryQueue(redis, workers=1, threads=4) as queue:
        handles = [queue.submit(queue_tasks.wait_for, tmp_file) for _ in range(4)]
        eventually(lambda: queue.progress().running == 4)
        Path(tmp_file).touch()
        assert [queue.result(handle) for handle in handles] == [tmp_file] * 4


def test_what_can_not_be_sent_is_refused_in_one_line(redis):
    def local(n):
        return n

    with CeleryQueue(redis, workers=1) as queue:
        for func in (local, lambda n: n):
            with pytest.raises(UsageError, match=r"workers can't import .*: put a named function into a module$"):
                queue.submit(func, 1)
        with pytest.raises(UsageError, match=r"^a lock can't be sent: msgpack can't keep a lock; send plain data"):
            queue.submit(queue_tasks.increment, threading.Lock())
        with pytest.raises(UsageError, match=r"^a object can't be sent"):
            queue.result(queue.submit(queue_tasks.unsendable, 1))
        with pytest.raises(QueueError, match=r"^OddError: odd$") as caught:
            queue.result(queue.submit(queue_tasks.raise_unsendable, 1))
        assert "in raise_unsendable" in str(caught.value.__cause__)


@pytest.mark.parametrize("module", ["celery", "redis"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'workbench\[queues\]'"):
        CeleryQueue(workers=1).__enter__()


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match="threads and crashes must be 1 or more: got 0 and 3"):
        CeleryQueue(threads=0)
