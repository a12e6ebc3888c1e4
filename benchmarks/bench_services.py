"""All five servers from nothing to answering, and gone again: how long it takes, and what is left behind.

``bench_services.py [ROUNDS]``. Each round has a temporary folder and a cache folder of its own, both empty, so nothing
of an earlier start helps. Processes are known by that folder, which stands in their environment.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workbench import Table, records, services

#: A server that was told to stop gets this long to be gone.
GONE_S = 5


def up_and_down(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the seconds that each server, all, and stopping all took, and how many processes and files are left."""
    os.environ |= {"TMPDIR": str(folder), "WORKBENCH_CACHE_DIR": str(folder / "cache")}
    tempfile.tempdir = None  # look at TMPDIR again
    started, before_s = [], time.perf_counter()
    for found in services.find():
        start_s = time.perf_counter()
        started.append(services.start(found.name))
        yield f"{found.name} up, s", time.perf_counter() - start_s
    yield "all up, s", time.perf_counter() - before_s
    start_s = time.perf_counter()
    for service in started:
        service.stop()
    yield "all down, s", time.perf_counter() - start_s
    end_s = time.monotonic() + GONE_S
    while processes_of(folder) and time.monotonic() < end_s:
        time.sleep(0.05)
    yield "processes left", processes_of(folder)
    files = [path for path in folder.rglob("*") if not path.is_dir() and not path.is_relative_to(folder / "cache")]
    yield "files left", len(files)


def processes_of(folder: Path) -> int:
    """Return how many processes, this one aside, name a folder in their environment or command."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:  # it has ended, or is somebody else's
            continue
        count += str(folder).encode() in told and entry.name != str(os.getpid())
    return count


def main() -> None:
    if missing := [found.install for found in services.find() if not found.program]:
        sys.exit(f"not measured, for servers are missing: {'; '.join(missing)}")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            Path(name).chmod(0o711)  # PostgreSQL refuses root, and its user has to reach its folder
            for what, amount in up_and_down(Path(name)):
                found.setdefault(what, []).append(amount)
    rows = tuple((what, statistics.median(amounts), max(amounts)) for what, amounts in found.items())
    for what, median, most in rows:
        print(f"{what:18} median {median:.2f}, most {most:.2f}")
    table = Table(title="Five servers from nothing, and gone again", columns=("what", "median", "most"), rows=rows)
    print(records.save(table, "benchmarks.services", replace=True))


if __name__ == "__main__":
    main()
