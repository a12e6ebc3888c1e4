"""What people run, diagnosed for real."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import eventually

from workbench import Diagnosis, UsageError, diagnose, is_fib_float

SLOW_SITE = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def slow_site() -> Iterator[str]:
    """The address of a server that answers after 0.1 s."""
    with subprocess.Popen([sys.executable, "-c", SLOW_SITE], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


def burn(cpu_s: float = 0.3) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        for _ in range(300):
            pass


def write_with_fsync(path: Path) -> None:
    until = time.perf_counter() + 0.5
    with path.open("wb") as file:
        while time.perf_counter() < until:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())


def fetch_six(address: str) -> None:
    import requests

    for _ in range(6):
        requests.get(f"http://{address}/", timeout=10)


@pytest.mark.slow
def test_burning_cpu_is_cpu_bound_in_python() -> None:
    diagnosis = diagnose(burn)
    assert (diagnosis.verdict, diagnosis.bound_by) == ("CPU-bound", "python")


@pytest.mark.slow
def in_vain(wait: Callable[[], object]) -> None:
    with contextlib.suppress(TimeoutError):
        wait()


def test_a_server_that_nobody_asks_is_idle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.6)
        diagnosis = diagnose(in_vain, server.accept, repeat=1)
        port = server.getsockname()[1]
    assert (diagnosis.verdict, diagnosis.waits[0].target) == ("idle", f"listening on 127.0.0.1:{port}")


def test_a_server_whose_client_says_nothing_is_idle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        ours, _ = server.accept()
        with ours:
            ours.settimeout(0.6)
            diagnosis = diagnose(in_vain, lambda: ours.recv(1), repeat=1)
    assert diagnosis.verdict == "idle"


def test_sleep_is_idle() -> None:
    diagnosis = diagnose(time.sleep, 0.5)
    assert (diagnosis.verdict, diagnosis.bound_by) == ("idle", "sleep")


@pytest.mark.slow
def test_a_slow_site_is_network_and_its_peer_is_named(slow_site: str) -> None:
    diagnosis = diagnose(fetch_six, slow_site)
    assert (diagnosis.verdict, diagnosis.bound_by) == ("IO-bound", "network")
    assert diagnosis.waits[0].target == slow_site
    assert diagnosis.waits[0].function == "fetch_six"


@pytest.mark.slow
def test_fsync_is_disk_and_its_file_is_named(tmp_path: Path) -> None:
    diagnosis = diagnose(write_with_fsync, tmp_path / "written")
    assert diagnosis.parts["disk"] > diagnosis.parts["native"] + diagnosis.parts["python"]
    assert diagnosis.waits[0].target == str(tmp_path / "written")


@pytest.mark.slow
def test_two_cpu_threads_contend_for_the_gil() -> None:
    def both() -> None:
        threads = [threading.Thread(target=burn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def is_right() -> bool:
        found = diagnose(both)
        if found.parts["runqueue"] > 0.4 * found.wall_s:  # who is given no core is hardly seen to wait for the lock
            return found.verdict in ("contended", "CPU-bound")
        return (found.verdict, found.bound_by) == ("contended", "gil")

    assert eventually(is_right)


def test_a_coroutine_function_is_awaited_when_a_loop_runs() -> None:
    async def nap() -> str:
        await asyncio.sleep(0.1)
        return "rested"

    async def main() -> Diagnosis:
        result: Diagnosis = await diagnose(nap, repeat=1)
        return result

    inside, outside = asyncio.run(main()), diagnose(nap, repeat=1)
    assert inside.answer == outside.answer == "rested"
    assert inside.verdict == outside.verdict == "idle"


def test_parts_add_up_to_the_wall_time_and_survive_json() -> None:
    diagnosis = diagnose(burn, 0.1, repeat=1)
    assert sum(diagnosis.parts.values()) == pytest.approx(diagnosis.wall_s)
    assert Diagnosis.from_json(diagnosis.to_json()) == diagnosis


def test_an_exception_passes_through_with_its_diagnosis() -> None:
    def fail() -> None:
        time.sleep(0.5)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone") as caught:
        diagnose(fail)
    diagnosis: Diagnosis = caught.value.diagnosis  # type: ignore[attr-defined]
    assert diagnosis.failure == "KeyError: 'gone'"
    assert diagnosis.verdict == "idle"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: diagnose(3), "pass a function"),
        (lambda: diagnose(burn, repeat=0), "repeat=0"),
        (lambda: diagnose(burn, lines="all"), "'sampled' or 'exact'"),
        (lambda: diagnose(repeat=None, x=3), "no function"),
    ],
)
def test_bad_arguments_are_told_in_a_line(call: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call()  # type: ignore[operator]


@pytest.mark.slow
def test_exact_lines_say_what_they_cost() -> None:
    diagnosis = diagnose(burn, lines="exact")
    assert "line_profiler" in diagnosis.reasons[-1]
    assert {line.function.rpartition(".")[2] for line in diagnosis.lines} == {"burn"}


@pytest.mark.slow
def test_exact_lines_reach_into_what_the_task_calls_from_elsewhere() -> None:
    def check() -> int:
        return sum(bool(is_fib_float(n)) for n in range(1_000))

    functions = {line.function for line in diagnose(check, lines="exact").lines}
    assert "is_fib_float" in functions
