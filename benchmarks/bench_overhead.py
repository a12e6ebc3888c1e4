"""What diagnosing costs the task, beside other profilers: interleaved rounds, body time ÷ body time unprofiled.

``bench_overhead.py [ROUNDS]``. The task times its own body, so start-up is not in the ratio; start-up is told apart.
Ratios come with their 95 % interval, and nothing at all, measured again, shows what the machine adds by itself.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from interleave import in_turn, ratio_interval

from workbench import Table, records

BODIES = {
    "python": "total = 0\n    for number in range(9_000_000):\n        total += number * number % 7",
    "waiting": "for _ in range(200):\n        time.sleep(0.004)\n        sum(range(2_000))",
}
SCRIPT = """import sys, time

def body():
    {body}

start = time.perf_counter()
body()
with open(sys.argv[1], "a") as file:
    file.write(f"{{time.perf_counter() - start}}\\n")
"""
BIN = Path(sys.executable).parent
PROFILERS = {
    "none": [sys.executable],
    "none again": [sys.executable],
    "workbench": [str(BIN / "workbench"), "diagnose", "--out", "{out}"],
    "py-spy": [str(BIN / "py-spy"), "record", "-o", "{out}", "--", sys.executable],
    "pyinstrument": [str(BIN / "pyinstrument"), "-o", "{out}"],
    "scalene": [str(BIN / "scalene"), "run", "--cpu-only", "-o", "{out}"],
    "line_profiler": [str(BIN / "kernprof"), "-q", "-l", "-p", "{script}", "-o", "{out}"],
}


def run(name: str, script: Path, folder: Path) -> tuple[float, float]:
    """Return the seconds of the body and of the whole command."""
    times = folder / "times"
    times.unlink(missing_ok=True)
    command = [part.format(out=folder / f"{name}.out", script=script) for part in PROFILERS[name]]
    separator = ["--"] if name == "workbench" else ["---"] if name == "scalene" else []
    start = time.perf_counter()
    subprocess.run([*command, str(script), *separator, str(times)], capture_output=True, check=False, cwd=folder)
    whole_s = time.perf_counter() - start
    return (float(times.read_text()) if times.exists() else float("nan")), whole_s


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, body in BODIES.items():
            script = folder / f"{task}.py"
            script.write_text(SCRIPT.format(body=body))
            measured = in_turn({name: partial(run, name, script, folder) for name in PROFILERS}, rounds=rounds)
            bodies = {name: [body_s for body_s, _ in times] for name, times in measured.items()}
            rest_s = {name: [whole_s - body_s for body_s, whole_s in times] for name, times in measured.items()}
            for profiler in PROFILERS:
                cost = ratio_interval(bodies, profiler, "none")
                extra_s = statistics.median(
                    its_s - bare_s for its_s, bare_s in zip(rest_s[profiler], rest_s["none"], strict=True)
                )
                row = (task, profiler, cost.speedup, cost.low, cost.high, extra_s)
                rows.append(row)
                told = "body × {:.4f} [{:.4f}, {:.4f}], start-up and end + {:.2f} s".format(*row[2:])
                print(f"{task:8} {profiler:14} {told}")
    columns = ("task", "profiler", "body_ratio", "ratio_low", "ratio_high", "extra_s")
    table = Table(title="What profilers cost", columns=columns, rows=tuple(rows))
    print(records.save(table, "benchmarks.diagnose-overhead", replace=True))


if __name__ == "__main__":
    main()
