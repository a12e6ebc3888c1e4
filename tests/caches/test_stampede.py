"""Many callers in many processes, and one computation."""

import json
import signal
import subprocess
import sys

import cache_caller
import pytest
from waiting import eventually


@pytest.fixture(scope="module")
def processes():
    """Return a function that gives so many processes of callers; those that the tests before have left go on."""
    started = []

    def get(count):
        for ended in [each for each in started if each.poll() is not None]:
            ended.communicate()
            started.remove(ended)
        while len(started) < count:
            command = [sys.executable, cache_caller.__file__]
            started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[:count]

    yield get
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def callers(processes, place, tmp_path):
    """Return a function that lets callers in many processes ask; they answer when all have what they asked for."""

    def ask(kind, count, callers, way):
        asked = processes(count)
        send(asked, json.dumps([kind, *place(kind), callers, way, str(tmp_path / "computed")]))
        assert [each.stdout.readline() for each in asked] == ["ready\n"] * count
        send(asked, "go")
        return asked

    return ask


def send(processes, line):
    for each in processes:
        each.stdin.write(line + "\n")
        each.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "async"])
def test_eight_processes_of_fifty_callers_compute_once(make, shared_kind, way, callers, tmp_path):
    make(shared_kind)
    asked = callers(shared_kind, 8, 50, way)
    assert [each.stdout.readline() for each in asked] == ["right\n"] * 8
    assert len((tmp_path / "computed").read_text().splitlines()) == 1


@pytest.mark.slow
def test_when_the_one_that_computes_is_killed_another_one_does(make, callers, tmp_path):
    make("sqlite")
    asked = callers("sqlite", 3, 5, "plain")
    computed = tmp_path / "computed"
    eventually(lambda: computed.exists() and computed.read_text().endswith("\n"))
    first = int(computed.read_text())
    killed = next(each for each in asked if each.pid == first)
    killed.send_signal(signal.SIGKILL)
    others = [each for each in asked if each is not killed]
    assert [each.stdout.readline() for each in others] == ["right\n"] * 2
    assert len(computed.read_text().splitlines()) == 2
