"""Whatever is done in a ward is gone when it has ended: threads, children, children of children."""

import subprocess
import sys
import textwrap

import pytest
from waiting import eventually

from workbench.proc import descendants, parents, states_of
from workbench.ward import in_ward

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")]


def run(tmp_path, work, timeout_s=30):
    """Do work in a ward of a fresh process; return what that printed, its code, and the processes it named."""
    program = f"""
import os, subprocess, sys, threading, time
from workbench.ward import in_ward
def work(results):
{textwrap.indent(textwrap.dedent(work), "    ")}
print(in_ward(work, {timeout_s}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    named = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
    return done, [int(pid) for pid in named]


def test_results_and_exit_code_come_back(tmp_path):
    done, _ = run(tmp_path, "print('printed'); results.write('written'); return 3")
    assert (done.stdout, done.returncode) == ("printed\n(3, 'written')\n", 0)


def test_a_thread_that_never_ends_holds_nobody_up(tmp_path):
    done, _ = run(tmp_path, "threading.Thread(target=time.sleep, args=(3600,)).start(); return 0")
    assert done.stdout == "(0, '')\n"


def test_children_and_orphans_are_ended(tmp_path):
    work = """
    child = subprocess.Popen(["sh", "-c", "sleep 3611 & echo $! >> pids; echo $$ >> pids; wait"])
    while not os.path.exists("pids") or len(open("pids").read().split()) < 2: time.sleep(0.01)
    subprocess.run(["sh", "-c", "sleep 3612 & echo $! >> pids"])
    return 0
    """
    done, pids = run(tmp_path, work)
    assert done.stdout == "(0, '')\n"
    assert len(pids) == 3
    assert not set(pids) & set(parents())


def test_work_that_never_ends_is_ended_and_what_it_wrote_is_kept(tmp_path):
    done, _ = run(tmp_path, "results.write('so far'); results.flush(); time.sleep(3600)", timeout_s=1)
    assert done.stdout == "(None, 'so far')\n"


def test_the_work_ends_with_the_process_that_started_it(tmp_path):
    program = (
        "import os, time\nfrom workbench.ward import in_ward\n"
        "in_ward(lambda results: print(os.getpid(), flush=True) or time.sleep(3600) or 0, 3600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        process.kill()
    eventually(lambda: states_of(child) <= {"Z"})  # whoever takes it over may not look at its end


def test_an_error_of_the_work_is_shown_and_fails(tmp_path):
    done, _ = run(tmp_path, "raise ValueError('no such luck')")
    assert done.stdout == "(1, '')\n"
    assert "ValueError: no such luck" in done.stderr


def test_children_of_ours_that_were_there_before_are_left_alone():
    with subprocess.Popen(["sleep", "60"]) as ours:
        assert in_ward(lambda results: 0, 30) == (0, "")
        assert ours.pid in descendants(ours.pid) + list(parents())
        assert ours.poll() is None
        ours.kill()


def test_what_the_parent_owns_at_its_exit_is_left_to_it_and_what_the_work_owns_is_put_in_order(tmp_path):
    program = f"""
import atexit, os, tempfile
from workbench.ward import in_ward
ours = tempfile.TemporaryDirectory(dir={str(tmp_path)!r})
atexit.register(print, "the parent's", flush=True)
kept = []
def work(results):
    kept.append(tempfile.TemporaryDirectory(dir={str(tmp_path)!r}))
    atexit.register(print, "the work's", flush=True)
    results.write(kept[0].name)
    return 0
_, theirs = in_ward(work, 30)
print(os.path.exists(ours.name), os.path.exists(theirs), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["the work's", "True False", "the parent's"]
