"""A process that runs already, watched from outside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbench import UsageError, diagnose_process
from workbench.diagnosis.targets import diagnose_target, parse_target

pytestmark = pytest.mark.slow

#: Programs that go on for ever, by what bounds them and the line that does.
PROGRAMS = {
    "computes": ("python", 3, "import os\nwhile True:\n    sum(number * number for number in range(1000))\n"),
    "sleeps": ("sleep", 3, "import time\nwhile True:\n    time.sleep(0.02)\n"),
    "hashes": ("native", 3, "import hashlib\nwhile True:\n    hashlib.sha256(b'x' * 5_000_000)\n"),
    "waits for a peer": (
        "network", 5, "import socket\nnear, far = socket.create_server(('127.0.0.1', 0)), socket.socket()\n"
        "far.connect(near.getsockname())\nwhile True:\n    far.recv(1)\n",
    ),
    "waits for a thread": (
        "sleep", 3, "import threading, time\ndef work():\n    time.sleep(1000)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n",
    ),
    "waits for a child": (
        "python", 3, "import os\ndef work():\n    while True: sum(n for n in range(1000))\n"
        "if not os.fork(): work()\nos.wait()\n",
    ),
}  # fmt: skip


@contextmanager
def running(tmp_path: Path, text: str) -> Iterator[int]:
    """Run a program until the block ends; it has begun."""
    path = tmp_path / "program.py"
    path.write_text(f"print('on', flush=True); {text}")
    command = [sys.executable, str(path)]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "on\n"
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_verdict_is_that_of_a_program_that_was_started_here(tmp_path: Path, name: str) -> None:
    part, line, text = PROGRAMS[name]
    with running(tmp_path, text) as pid:
        found = diagnose_process(pid, for_s=1.0)
    own = diagnose_target(parse_target(str(tmp_path / "program.py")), timeout_s=1.0).diagnosis
    # A thread that computes may be told to be in Python or in native code, on a machine that is busy.
    assert part in (found.bound_by, own.bound_by)
    assert (found.verdict, found.lines[0].line) == (own.verdict, line)
    assert found.target.endswith("program.py")


def test_a_process_that_ends_meanwhile_is_told(tmp_path: Path) -> None:
    with running(tmp_path, "import time\ntime.sleep(1.5)\n") as pid:
        found = diagnose_process(pid, for_s=30)
    assert found.bound_by == "sleep"
    assert found.reasons[-1].startswith("it ended while it was watched")
    assert 0.2 < found.wall_s < 15


def test_the_process_is_as_before(tmp_path: Path) -> None:
    with running(tmp_path, "import time\nwhile True: time.sleep(0.01)\n") as pid:
        before = Path(f"/proc/{pid}/maps").read_text(), sorted(os.listdir(f"/proc/{pid}/fd"))
        diagnose_process(pid, for_s=0.5)
        assert (Path(f"/proc/{pid}/maps").read_text(), sorted(os.listdir(f"/proc/{pid}/fd"))) == before


def test_a_process_that_can_not_be_watched_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"^there is no process 4194303: pass the id of one that runs$"):
        diagnose_process(2**22 - 1, for_s=1)
    with pytest.raises(UsageError, match=r"is this one: pass that of another$"):
        diagnose_process(os.getpid(), for_s=1)


@pytest.mark.skipif(os.getuid() != 0, reason="this user can be no other")
def test_the_process_of_another_user_is_refused_in_one_line() -> None:
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.setuid(65534)
        try:
            diagnose_process(os.getppid(), for_s=0.1)
        except UsageError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as said:
        assert "may not be looked into (Permission denied): run this as its user, or with sudo" in said.read()
    os.waitpid(child, 0)
