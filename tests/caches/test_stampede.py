"""Many callers in many processes, and one computation."""

import signal
import subprocess
import sys

import cache_caller
import pytest
from waiting import eventually


@pytest.fixture
def callers(place, tmp_path):
    """Return a function that starts processes of callers, which wait for a line."""
    started = []

    def start(kind, processes, callers, way):
        folder, url = place(kind)
        where = [kind, folder, url or ""]
        command = [sys.executable, cache_caller.__file__, *where, str(callers), way, tmp_path / "computed"]
        for _ in range(processes):
            started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert [each.stdout.readline() for each in started] == ["ready\n"] * processes
        return started

    yield start
    for each in started:
        each.kill()
        each.communicate()


def go(processes):
    for each in processes:
        each.stdin.write("go\n")
        each.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "async"])
def test_eight_processes_of_fifty_callers_compute_once(make, shared_kind, way, callers, tmp_path):
    make(shared_kind)
    processes = callers(shared_kind, 8, 50, way)
    go(processes)
    assert [each.stdout.readline() for each in processes] == ["right\n"] * 8
    assert len((tmp_path / "computed").read_text().splitlines()) == 1


@pytest.mark.slow
def test_when_the_one_that_computes_is_killed_another_one_does(make, callers, tmp_path):
    make("sqlite")
    processes = callers("sqlite", 3, 5, "plain")
    go(processes)
    computed = tmp_path / "computed"
    eventually(lambda: computed.exists() and computed.read_text().endswith("\n"))
    first = int(computed.read_text())
    killed = next(each for each in processes if each.pid == first)
    killed.send_signal(signal.SIGKILL)
    others = [each for each in processes if each is not killed]
    assert [each.stdout.readline() for each in others] == ["right\n"] * 2
    assert len(computed.read_text().splitlines()) == 2
