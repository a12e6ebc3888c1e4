"""Where a process can't be watched from outside, clocks and counters still say something, and no more."""

import subprocess
import sys

import pytest

# Without a known interpreter no observer can be started, as when Python is embedded in another program.
CLOSED = """
import sys
sys.executable = ""
import time
from workbench import diagnose
{task}
d = diagnose(task)
print(d.verdict, d.overhead, "can't be told" in d.reasons[-1], abs(sum(d.parts.values()) - d.wall_s) < 1e-9)
"""

BURN = "def task():\n    until = time.thread_time() + 0.6\n    while time.thread_time() < until: pass"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "verdicts"),
    [
        # On a machine that is busy to the brim it waits for a core most of the time.
        (BURN, "CPU-bound contended"),
        ("def task(): time.sleep(0.6)", "unclear"),
    ],
)
def test_clocks_tell_cpu_from_waiting_and_abstain_from_more(task: str, verdicts: str) -> None:
    code = CLOSED.format(task=task)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    verdict, rest = done.stdout.split(" ", 1)
    assert verdict in verdicts.split()
    assert rest == "None True True\n"
