"""The observer, run in a thread of its own: it names what each thread of this very process waits for."""

import fcntl
import hashlib
import os
import select
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from workbench.diagnosis.layout import find_layout, image_of
from workbench.diagnosis.observer.loop import Observer
from workbench.diagnosis.observer.waits import Waits
from workbench.diagnosis.recorder import Recording
from workbench.proc import cores_allowed

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc to observe")


def observe(seconds: float, folder: Path, tasks: dict[str, Callable[[], object]]) -> tuple[Recording, dict[str, int]]:
    """Run tasks in threads while the observer looks; return its recording and the id of each thread."""
    threads = {name: threading.Thread(target=task, name=name, daemon=True) for name, task in tasks.items()}
    for thread in threads.values():
        thread.start()
    layout = find_layout()
    observer = Observer(os.getpid(), str(folder), layout, image_of(layout))
    watching = threading.Thread(target=observer.run)
    start_ns = time.monotonic_ns()
    watching.start()
    time.sleep(seconds)
    observer.stop()
    watching.join()
    recording = Recording(os.getpid(), threading.get_native_id(), start_ns, time.monotonic_ns(), {})
    return recording.read(folder), {name: thread.native_id or 0 for name, thread in threads.items()}


def waits_of(recording: Recording, tid: int) -> set[tuple[str, str]]:
    found = set()
    for tick in recording.ticks:
        found |= {recording.waits[seen.wait] for seen in tick.seen if seen.tid == tid and seen.wait >= 0}
    return found


@contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A connection on loopback: our end, the other end, and how the other end is called."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        with theirs:
            yield ours, theirs, f"127.0.0.1:{server.getsockname()[1]}"


def by_epoll(sock: socket.socket) -> None:
    with selectors.EpollSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.select()


def by_poll(sock: socket.socket) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll()


def work_and_rest(done: threading.Event) -> None:
    while not done.wait(0.001):
        hashlib.sha256(bytes(3_000_000))  # without the GIL, which the observer has here when it looks


@pytest.mark.slow
def test_every_kind_of_wait_is_named(tmp_path: Path) -> None:
    lock, done, released = threading.Lock(), threading.Event(), threading.Event()
    with ExitStack() as stack:
        ours, theirs, peer = stack.enter_context(connection())
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"127.0.0.1:{server.getsockname()[1]}"
        local, remote = socket.socketpair()
        stack.callback(local.close)
        stack.callback(remote.close)
        reading, writing = os.pipe()
        held, wanted = (stack.enter_context(open(tmp_path / "held", "w")) for _ in range(2))
        fcntl.flock(held, fcntl.LOCK_EX)
        child = stack.enter_context(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        waits: dict[str, tuple[Callable[[], object], tuple[str, str]]] = {
            "recv": (lambda: ours.recv(1), ("network", peer)),
            "epoll": (lambda: by_epoll(ours), ("network", peer)),
            "poll": (lambda: by_poll(ours), ("network", peer)),
            "select": (lambda: select.select([ours], [], []), ("network", peer)),
            "accept": (lambda: server.accept()[0].close(), ("network", f"listening on {address}")),
            "nothing": (lambda: select.select([], [], [], 0.6), ("sleep", "sleep")),
            "socket pair": (lambda: local.recv(1), ("pipe", "socket pair")),
            "pipe": (lambda: os.read(reading, 1), ("pipe", os.readlink(f"/proc/self/fd/{reading}"))),
            "flock": (lambda: fcntl.flock(wanted, fcntl.LOCK_EX), ("lock", str(tmp_path / "held"))),
            "child": (child.wait, ("child", str(child.pid))),
            "sleep": (lambda: [time.sleep(0.05) for _ in iter(done.is_set, True)], ("sleep", "sleep")),
        }
        tasks = {name: task for name, (task, _) in waits.items()}
        tasks |= {"lock": lambda: lock.acquire() and released.set(), "work": lambda: work_and_rest(done)}
        with lock:
            recording, tids = observe(0.6, tmp_path, tasks)
        done.set()
        os.write(writing, b"x")
        theirs.send(b"xxxx")
        remote.send(b"x")
        socket.create_connection(server.getsockname()).close()
        fcntl.flock(held, fcntl.LOCK_UN)
        child.communicate(b"\n")
        assert released.wait(10)

    assert {
        name: expected for name, (_, expected) in waits.items() if expected not in waits_of(recording, tids[name])
    } == {}
    assert {kind for kind, _ in waits_of(recording, tids["lock"])} == {"futex"}
    assert {"by_epoll", "by_poll", "work_and_rest"} <= {code.function for code in recording.codes.values()}
    assert recording.processes[child.pid].command.endswith("input()")
    worked = [seen for tick in recording.ticks for seen in tick.seen if seen.tid == tids["work"]]
    assert worked[-1].on_cpu_ns > worked[0].on_cpu_ns, "its time on a core grows"
    assert any(seen.wait < 0 for seen in worked), "it is seen running"


def test_the_end_of_a_process_ends_the_observer(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    observer = Observer(child.pid, str(tmp_path), None, "")
    watching = threading.Thread(target=observer.run)
    watching.start()
    child.communicate(b"\n")
    watching.join(10)
    assert not watching.is_alive()


@pytest.mark.skipif(cores_allowed() < 2, reason="there is one core")
def test_a_task_that_computes_has_its_core_alone_and_one_that_waits_shares_it(tmp_path: Path) -> None:
    program = "import time\nwhile time.process_time() < 0.5: pass\nwhile True: time.sleep(0.005)"
    every, until = len(os.sched_getaffinity(0)), time.monotonic() + 30
    child = subprocess.Popen([sys.executable, "-c", program])
    layout = find_layout()
    observer = Observer(child.pid, str(tmp_path), layout, image_of(layout))
    watching = threading.Thread(target=observer.run)
    watching.start()
    try:
        for allowed in (every - 1, every):
            while len(os.sched_getaffinity(watching.native_id or 0)) != allowed:
                assert time.monotonic() < until, f"it never had {allowed} cores to run on"
                time.sleep(0.001)
    finally:
        observer.stop()
        watching.join()
        child.kill()
        child.wait()


@pytest.fixture(params=["a duplicate", "the kernel's tables"])
def names(request: pytest.FixtureRequest) -> Iterator[Waits]:
    waits = Waits(os.getpid(), None, None)
    if request.param == "the kernel's tables":  # as where descriptors of others may not be duplicated
        waits.close()
        waits._pidfd = -1
    yield waits
    waits.close()


def test_sockets_are_named_by_their_peer(names: Waits, tmp_path: Path) -> None:
    with ExitStack() as stack:
        ours, _, peer = stack.enter_context(connection())
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        to_six = stack.enter_context(socket.create_connection(six.getsockname()[:2]))
        of_client = stack.enter_context(six.accept()[0])
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.connect(("127.0.0.1", 9))
        pair, other = socket.socketpair()
        stack.callback(pair.close)
        stack.callback(other.close)
        expected = {
            ours: ("network", peer),
            server: ("network", f"listening on 127.0.0.1:{server.getsockname()[1]}"),
            to_six: ("network", f"[::1]:{six.getsockname()[1]}"),
            of_client: ("network", f"listening on [::1]:{six.getsockname()[1]}"),
            udp: ("network", "127.0.0.1:9"),
            pair: ("pipe", "socket pair"),
        }
        assert {sock: names.file(sock.fileno()) for sock in expected} == expected


def test_a_unix_socket_is_named_by_its_path(tmp_path: Path) -> None:
    waits, path = Waits(os.getpid(), None, None), str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert waits.file(client.fileno()) == ("network", path)
        assert waits.file(server.fileno()) == ("network", f"listening on {path}")
    waits.close()


def test_other_descriptors(names: Waits, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file, selectors.EpollSelector() as epoll:
        assert names.file(file.fileno()) == ("disk", str(tmp_path / "file"))
        assert names.file(epoll.fileno()) == ("other", "eventpoll")
        pidfd = os.pidfd_open(os.getpid())
        assert names.file(pidfd) == ("child", "")
        os.close(pidfd)
        assert names.file(987_654) == ("other", "file descriptor 987654")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("-1 0x0 0x0", ("disk", "page fault")),
        ("999 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0", ("other", "system call 999")),
    ],
)
def test_odd_lines_of_the_kernel(line: str, named: tuple[str, str]) -> None:
    waits = Waits(os.getpid(), None, None)
    assert waits.name(line) == named
    waits.close()
