"""What the kernel says of processes, and the end of a process with its parent's."""

import math
import os
import signal
import subprocess
import sys
import time

import pytest

from workbench import proc

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
SLEEP = "import time; time.sleep(60)"
READER = """
from workbench.proc import orders
for line in orders():
    print("got", line, flush=True)
print("end", flush=True)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
child.wait()
"""


def eventually(condition):
    until_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


@pytest.fixture
def groups(tmp_path):
    """Return a function that writes down control groups, and tells how many cores they leave."""

    def left(own, files):
        (tmp_path / "cgroup").write_text(own)
        for name, text in files.items():
            (tmp_path / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mounted" / name).write_text(text)
        return proc.cores_left(str(tmp_path / "cgroup"), str(tmp_path / "mounted"))

    return left


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("", {}, math.inf),
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "50000 100000\n", "a/b/cpu.max": "max 100000\n"}, 0.5),
        (
            "4:memory:/x\n2:cpuacct,cpu:/a\n",
            {"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "50000"},
            4,
        ),
        ("2:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        # A container that sees its own group as the root, under a path of the host.
        ("2:cpu:/docker/1\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
)
def test_the_smallest_quota_of_the_control_groups_counts(groups, own, files, cores):
    assert groups(own, files) == cores


@linux
def test_a_process_that_is_pinned_has_one_core():
    code = (
        "import os; from workbench.proc import cores_allowed\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    )
    told = subprocess.run([sys.executable, "-c", f"{code}\nprint(cores_allowed())"], capture_output=True, text=True)
    assert told.stdout == "1\n"


@pytest.fixture
def family():
    """A child of ours and a child of that; both end with the test."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as child:
        grandchild = int(child.stdout.readline())
        yield child.pid, grandchild
        os.kill(grandchild, signal.SIGKILL)


@pytest.mark.parametrize("by", [pytest.param("/proc", marks=linux), "ps"])
def test_descendants_come_after_their_parents(monkeypatch, family, by):
    if by == "ps":  # as where there is no /proc
        monkeypatch.setattr(proc.os.path, "exists", lambda path: False)
    found = proc.descendants(os.getpid())
    child, grandchild = family
    assert found.index(child) < found.index(grandchild)
    assert proc.descendants(child) == [grandchild]
    assert proc.descendants(grandchild) == []


@linux
def test_a_process_shows_its_command_and_states(family):
    _, grandchild = family
    eventually(lambda: proc.command_of(grandchild).endswith(f"'{SLEEP}'"))  # a moment after it has begun
    os.kill(grandchild, signal.SIGSTOP)
    eventually(lambda: proc.states_of(grandchild) == {"T"})
    os.kill(grandchild, signal.SIGCONT)


def test_what_is_gone_shows_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert (proc.command_of(child.pid), proc.states_of(child.pid), proc.open_file(child.pid, 0)) == ("", set(), "")
    assert child.pid not in proc.parents()


def test_orders_come_in_whole_lines_until_stdin_closes():
    with subprocess.Popen([sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        for piece in (b"one\ntw", b"o\nthr"):
            reader.stdin.write(piece)
            reader.stdin.flush()
            assert reader.stdout.readline() == (b"got one\n" if b"one" in piece else b"got two\n")
        reader.stdin.close()
        assert reader.stdout.read() == b"end\n"


def test_orders_end_with_the_parent_though_a_forked_child_holds_our_stdin():
    parent = f"""
import os, subprocess, sys, time
reader = subprocess.Popen([sys.executable, "-c", {READER!r}], stdin=subprocess.PIPE)
reader.stdin.write(b"on\\n"); reader.stdin.flush()
pid = os.fork()
if not pid:
    os.close(1)
    time.sleep(60)
print(pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as started:
        said = {started.stdout.readline(), started.stdout.readline()}
        holder = int(next(line for line in said if line.strip().isdigit()))
        assert said == {f"{holder}\n", "got on\n"}
        started.kill()
        assert started.stdout.read() == "end\n"
        os.kill(holder, signal.SIGKILL)
