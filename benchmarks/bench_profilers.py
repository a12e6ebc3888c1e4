"""What a careful reader learns from each profiler about programs of which the truth is known.

``bench_profilers.py [PROFILER …] [--all] [--show NAME]``. Every second program of the corpus (``--all``: each) runs
under each profiler as its documentation says. A profiler gives no verdict, so a stated rule, the same for all, draws
one from its numbers: see `conclude`, and ``read_…`` for what is taken from each. Rows of profilers that are not named
are kept from the run before. What the profilers cost is measured by ``bench_overhead.py``; run it first.
"""

import argparse
import ast
import json
import linecache
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import line_profiler
from shared import LABELS, PROGRAMS, Label, site

from workbench import Table, records
from workbench.errors import RecordError

CORPUS = PROGRAMS.parent
BIN = Path(sys.executable).parent
EACH, SUMMARY, COST = (f"benchmarks.diagnose-{name}" for name in ("profilers-programs", "profilers", "overhead"))
#: As the diagnosis does: a task is bound by what takes this share of it; threads contend from that share on.
DOMINANT, CONTENDED = 0.7, 0.4

#: What a reader takes a frame (its function and its line's text) for, if it waits; the first that is found counts.
READS_AS = {
    "sleep": r"\bsleep\b|select\(\[\], \[\], \[\]|\.wait\([\d.]+\)",
    "child": r"waitpid|\bsubprocess\.|communicate\(",
    "disk": r"fsync|\bwrite\b|flush|commit|\bexecute\b|insert into",
    "network": r"recv|\bsend|connect|urlopen|session\.get|readline|getresponse|\bask\(|\bpoll\b|\bepoll\b",
    "threads": r"\.(join|result|map|get)\(|Parallel\(|gather\(|to_thread|asyncio\.run\(",
    "lock": r"acquire|^\S+ with [\w.]+:$|__enter__",
}
#: Files of the standard library that wait for the task's own threads and children.
WAITS_FOR_OWN = ("threading.py", "queue.py", "concurrent/futures/", "multiprocessing/", "joblib/")
VERDICTS = {"sleep": "idle", "child": "IO-bound", "disk": "IO-bound", "network": "IO-bound", "lock": "contended"}


class Frame(NamedTuple):
    """A function, and the line in it where the profiler tells one (else 0)."""

    function: str
    file: str
    line: int

    @property
    def text(self) -> str:
        return f"{self.function} {linecache.getline(self.file, self.line).strip()}"


class Wait(NamedTuple):
    """Time that a profiler charges to a stack (the innermost frame first)."""

    amount: float
    frames: tuple[Frame, ...]


class Reading(NamedTuple):
    """What a reader concludes: the verdict, the function that waits, and all that the output tells about that wait."""

    verdict: str
    function: str
    text: str


def conclude(busy: float, waits: Iterable[Wait], *, gil: bool = False, names: str = "") -> Reading:
    """Return what a reader concludes who knows the diagnosis's own definitions and looks at the lines' text.

    ``busy`` is the share of the time that something ran. From 70 % on the task is CPU-bound (contended if ``gil``:
    the profiler shows threads waiting for the GIL), down to 30 % it is bound by its waits, between them it is mixed.
    A wait is what the innermost frame that tells anything reads as (`READS_AS`). Threads that wait for others of the
    task are set aside, since the others tell why. A lock goes before what its holder does, as in the diagnosis. An
    event loop that polls is taken to wait for the network.
    """
    kinds: Counter[str] = Counter()
    lines: Counter[Frame] = Counter()
    for wait in waits:
        kind = kind_of(wait.frames)
        if kind and kind != "threads":
            kinds[kind] += wait.amount
            lines[next((frame for frame in wait.frames if str(CORPUS) in frame.file), wait.frames[0])] += wait.amount
    line = max(lines, key=lines.__getitem__, default=Frame("", "", 0))
    return Reading(verdict(busy, kinds, gil), line.function.rpartition(".")[2], f"{line.text} {names}")


def verdict(busy: float, kinds: Counter[str], gil: bool) -> str:
    """Return the verdict for a share of time in which something ran, and the amounts of waiting by kind."""
    if busy >= DOMINANT:
        return "contended" if gil else "CPU-bound"
    if busy > 1 - DOMINANT:
        return "mixed"
    if not kinds:
        return "unclear"
    if kinds["lock"] >= CONTENDED * kinds.total():
        return "contended"
    shares: Counter[str] = Counter()
    for kind, amount in kinds.items():
        shares[VERDICTS[kind]] += amount / kinds.total()
    [(largest, share)] = shares.most_common(1)
    return largest if share >= DOMINANT else "mixed"


def kind_of(frames: tuple[Frame, ...]) -> str:
    """Return what a reader takes a waiting stack for; empty where no frame tells."""
    inside = [*takewhile(lambda frame: str(CORPUS) not in frame.file, frames)][:3]
    joins = any(part in frame.file for frame in inside for part in WAITS_FOR_OWN)
    for frame in frames[len(inside) if joins else 0 :]:
        for kind, words in READS_AS.items():
            if re.search(words, frame.text):
                return "threads" if joins and kind != "sleep" else kind
    return "threads" if joins else ""


def run(command: Iterable[str | Path], program: str, *args: str) -> str:
    """Run a profiler's command on a program; return what it says."""
    words = [*map(str, command), str(PROGRAMS), *args, program]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout + ended.stderr


def read_workbench(program: str, folder: Path) -> Reading:
    """``workbench diagnose --out``: its verdict, and the first of its waits (the longest)."""
    run([BIN / "workbench", "diagnose", "--out", folder / "out"], program, "--")
    found = json.loads((folder / "out").read_text())
    wait = max(found["waits"], key=lambda wait: wait["seconds"], default={"function": "", "target": "", "note": ""})
    return Reading(found["verdict"], wait["function"].rpartition(".")[2], f"{wait['target']} {wait['note']}")


def read_py_spy(program: str, folder: Path) -> Reading:
    """``py-spy record --format raw --subprocesses --threads`` three times: all samples, the active, the GIL's holders.

    All samples (``--idle``) of the thread that has most of them are the time. ``busy`` is active samples ÷ time; what
    was seen idle more often than active waits. A line that holds the GIL at one time and idles at another waits for
    the GIL: if the GIL is held most of the time, and such waiting is a large share of what wants it, threads contend.
    """
    every, active, holding = (py_spy_samples(program, folder, *option) for option in (["--idle"], [], ["--gil"]))
    threads: Counter[str] = Counter()
    for (thread, _), count in every.items():
        threads[thread] += count
    time = max(threads.values())
    stacks = by_stack(every)
    stacks.subtract(by_stack(active))
    waits = [Wait(count, frames) for frames, count in stacks.items() if count > 0 and frames]
    holders = {frames[0] for _, frames in holding if frames}
    for_gil = sum(wait.amount for wait in waits if wait.frames[0] in holders and not kind_of(wait.frames))
    held = holding.total()
    gil = held >= DOMINANT * time and for_gil >= CONTENDED * (for_gil + held)
    commands = " ".join(sorted({thread for thread, _ in every}))
    return conclude(active.total() / time, waits, gil=gil, names=commands)


def py_spy_samples(program: str, folder: Path, *options: str) -> Counter[tuple[str, tuple[Frame, ...]]]:
    """Return py-spy's samples by process and thread, and stack."""
    out = folder / "out"
    options = ("--format", "raw", "--subprocesses", "--threads", "--full-filenames", "--output", str(out), *options)
    run([BIN / "py-spy", "record", *options, "--", sys.executable], program)
    samples: Counter[tuple[str, tuple[Frame, ...]]] = Counter()
    for line in out.read_text().splitlines():
        thread, stack, count = re.findall(r"^(.*thread \(\w+\))[^;]*;?(.*) (\d+)$", line)[0]
        frames = re.findall(r"(?:^|;)([^;]*) \(([^;]*):(\d+)\)", stack)
        samples[thread, tuple(Frame(function, file, int(number)) for function, file, number in frames[::-1])] += int(
            count
        )
    return samples


def by_stack(samples: Counter[tuple[str, tuple[Frame, ...]]]) -> Counter[tuple[Frame, ...]]:
    stacks: Counter[tuple[Frame, ...]] = Counter()
    for (_, frames), count in samples.items():
        stacks[frames] += count
    return stacks


def read_pyinstrument(program: str, folder: Path) -> Reading:
    """``pyinstrument --renderer json``: ``busy`` is its ``cpu_time`` ÷ ``duration``; each frame's own time may wait.

    It watches the main thread and tells functions, not lines; built-in functions are frames of their own.
    """
    run([BIN / "pyinstrument", "--renderer", "json", "--outfile", folder / "out"], program)
    found = json.loads((folder / "out").read_text())
    waits: list[Wait] = []

    def walk(node: dict[str, Any], outer: tuple[Frame, ...]) -> None:
        frames = (Frame(node["function"], node["file_path"] or "", 0), *outer)
        children = node.get("children", [])
        waits.append(Wait(node["time"] - sum(child["time"] for child in children), frames))
        for child in children:
            walk(child, frames)

    walk(found["root_frame"], ())
    return conclude(found["cpu_time"] / found["duration"], waits)


def read_scalene(program: str, folder: Path) -> Reading:
    """``scalene run --cpu-only``: ``busy`` is its Python and native time, of all lines; its system time waits.

    When it says that a program ran for too short a time, it gets one that runs it three times. Awaiting counts as
    waiting, where it tells it.
    """
    out = folder / "out.json"
    for runs in ("1", "3"):
        run([BIN / "scalene", "run", "--cpu-only", "--outfile", out], program, "---", runs)
        if out.exists() and (files := json.loads(out.read_text()).get("files")):
            break
    else:
        return Reading("unclear", "", "")
    on_cpu, waits = 0.0, []
    for file, told in files.items():
        for line in told["lines"]:
            on_cpu += line["n_cpu_percent_python"] + line["n_cpu_percent_c"]
            frame = Frame(function_at(file, line["lineno"]), file, line["lineno"])
            waits.append(Wait(line["n_sys_percent"] + line["n_async_await_percent"], (frame,)))
    return conclude(on_cpu / (on_cpu + sum(wait.amount for wait in waits)), waits)


def read_line_profiler(program: str, folder: Path) -> Reading:
    """``kernprof --line-by-line`` on the corpus's files: time of lines, which it can't split into CPU and waiting.

    A line that calls functions of these files is told by them, if they make up most of its time. ``busy`` is the share
    of the lines that don't read as waiting. Lines that wait for other threads are set aside; where these are nearly
    all, nothing is known.
    """
    files = [word for path in CORPUS.glob("corpus*.py") for word in ("--prof-mod", str(path))]
    run([BIN / "kernprof", "--quiet", "--line-by-line", *files, "--outfile", folder / "out"], program)
    timings = line_profiler.load_stats(str(folder / "out")).timings
    functions = {name.rpartition(".")[2]: sum(time for *_, time in lines) for (*_, name), lines in timings.items()}
    waits, whole, joined = [], 0.0, 0.0
    for (file, _, function), lines in timings.items():
        for number, _, time in lines:
            frame = Frame(function, file, number)
            called = re.findall(r"\w+", linecache.getline(file, number))
            inner = sum(functions[name] for name in {*called} & functions.keys() - {function})
            kind = kind_of((frame,))
            if inner > time / 2:
                continue
            if kind == "threads":
                joined += time
                continue
            whole += time
            if kind:
                waits.append(Wait(time, (frame,)))
    known = whole > (1 - DOMINANT) * (whole + joined)
    return conclude(1 - sum(wait.amount for wait in waits) / whole if known else 0.0, waits if known else ())


def function_at(file: str, line: int) -> str:
    """Return the name of the function that a line stands in."""
    found = ""
    for node in ast.walk(ast.parse("".join(linecache.getlines(file)))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            found = node.name
    return found


READERS: dict[str, Callable[[str, Path], Reading]] = {
    "workbench": read_workbench,
    "py-spy": read_py_spy,
    "pyinstrument": read_pyinstrument,
    "scalene": read_scalene,
    "line_profiler": read_line_profiler,
}


def judged(profiler: str, program: str, label: Label) -> tuple[str, str, str, str, bool, bool | None, bool | None]:
    """Return a row: what a profiler says about a program and whether it is so."""
    with tempfile.TemporaryDirectory() as folder:
        reading = READERS[profiler](program, Path(folder))
    line = target = None
    if label.wait:
        _, wanted, function = label.wait
        wanted = wanted.replace("SITE", os.environ["CORPUS_SITE"])
        line = reading.function == function
        target = bare(wanted) in bare(reading.text) if wanted else None
    return profiler, program, "|".join(label.verdict), reading.verdict, reading.verdict in label.verdict, line, target


def bare(text: str) -> str:
    """Return a text without what quotes and separates words in code."""
    return re.sub(r"[\"'\[\],]", "", text)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument(
        "profilers", nargs="*", choices=[*READERS, []], metavar="PROFILER", help="all when none is named"
    )
    options.add_argument("--all", action="store_true", help="every program instead of every second")
    options.add_argument("--show", metavar="NAME", help="one program only; nothing is recorded")
    args = options.parse_args()
    chosen = [args.show] if args.show else list(LABELS)[:: 1 if args.all else 2]
    rows = []
    with site():
        for profiler in args.profilers or READERS:
            for program in chosen:
                rows.append(judged(profiler, program, LABELS[program]))
                print("{:14} {:28} {:14} {:11} verdict {} line {} target {}".format(*rows[-1]), flush=True)
    if args.show:
        return
    columns = ("profiler", "program", "expected", "verdict", "right", "line_named", "target_named")
    rows = [*(row for row in recorded(EACH) if row[0] not in {row[0] for row in rows}), *rows]
    table = Table(title="The corpus as each profiler shows it", columns=columns, rows=tuple(rows))
    print(records.save(table, EACH, replace=True))
    print(records.save(summary(rows), SUMMARY, replace=True))


def summary(rows: list[tuple[Any, ...]]) -> Table:
    """Return a row for each profiler."""
    costs = {(task, profiler): (ratio, extra_s) for task, profiler, ratio, _, _, extra_s in recorded(COST)}
    found = []
    for profiler in READERS:
        own = [row for row in rows if row[0] == profiler]
        cells = [
            f"{sum(said)} of {len(said)}"
            for column in (4, 5, 6)
            if (said := [row[column] for row in own if row[column] is not None])
        ]
        cpu, waiting = (costs.get((task, profiler), (None, None)) for task in ("python", "waiting"))
        found.append((profiler, *cells, cpu[0], waiting[0], cpu[1]))
        print(*found[-1])
    columns = ("profiler", "verdict_right", "line_named", "target_named", "cpu_ratio", "waiting_ratio", "start_up_s")
    return Table(title="Profilers on programs of which the truth is known", columns=columns, rows=tuple(found))


def recorded(name: str) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of a record, none where it was not made yet."""
    try:
        table = records.load(records.RESULTS / f"{name}.json")
    except RecordError:
        return ()
    assert isinstance(table, Table)
    return table.rows


if __name__ == "__main__":
    main()
