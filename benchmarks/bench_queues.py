"""What the queues cost beside bare Celery, how long a task takes from end to end, and what is lost when all goes wrong.

``--only losses`` and the like run one part; ``--tasks`` is the number of tasks whose workers and brokers are killed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import queue_work
from interleave import ratio, times_s
from predicted import COLUMNS, told

from workbench import MissingServerError, Table, compare, records, services
from workbench.queues import AsyncioQueue, CeleryQueue, ProcessQueue, Queue, time_queue
from workbench.remedies.queued import celery_on

BROKERS = ("redis", "rabbitmq")
WORKERS = 2
BATCH, ROUNDS = 400, 9
#: More where they are killed, for most of them are just starting.
KILLED_WORKERS = 4
SINGLES = 300


@contextlib.contextmanager
def bare_celery(url: str, pool: str) -> Iterator[Callable[[int], None]]:
    """Start Celery's own workers; yield a function that has so many tasks done by them."""
    os.environ |= {"BARE_BROKER": url, "BARE_DURABLE": "1", "BARE_QUEUE": f"bare-{pool}"}
    sys.modules.pop("bare_celery", None)
    import bare_celery

    processes, concurrency = (1, WORKERS) if pool == "prefork" else (WORKERS, 1)
    command = [sys.executable, "-m", "celery", "-A", "bare_celery", "worker", f"--pool={pool}", "-l", "ERROR"]
    command += [f"--concurrency={concurrency}", "--without-gossip", "--without-mingle"]
    workers = [
        subprocess.Popen(
            [*command, "-n", f"{pool}{number}@localhost"],
            cwd=Path(__file__).parent,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(processes)
    ]

    def run(count: int) -> None:
        for result in [bare_celery.nothing.delay(number) for number in range(count)]:
            result.get(timeout=60)

    try:
        run(WORKERS * 8)
        yield run
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def throughput() -> Table:
    rows = []
    for broker in BROKERS:
        service = services.running(broker)
        with (
            bare_celery(service.url, "prefork") as prefork,
            bare_celery(service.url, "solo") as solo,
            CeleryQueue(service.url, WORKERS) as queue,
        ):
            candidates: dict[str, Callable[[], object]] = {
                "bare Celery, prefork": lambda prefork=prefork: prefork(BATCH),  # type: ignore[misc]
                "bare Celery, solo": lambda solo=solo: solo(BATCH),  # type: ignore[misc]
                "CeleryQueue": lambda queue=queue: queue.map(queue_work.nothing, range(BATCH)),  # type: ignore[misc]
            }
            times = times_s(candidates, rounds=ROUNDS)
        for name in candidates:
            against = [ratio(times, f"bare Celery, {pool}", name) for pool in ("prefork", "solo")]
            rows.append((broker, name, BATCH / median(times[name]), *against))
    columns = ("broker", "queue", "tasks_per_s", "of_bare_prefork", "of_bare_solo")
    return Table(
        title="No-op tasks per second, 2 workers, beside bare Celery as durable", columns=columns, rows=tuple(rows)
    )


def latency() -> Table:
    queues: dict[str, tuple[Callable[[], Queue], Callable[[Any], Any]]] = {
        "asyncio": (lambda: AsyncioQueue(), queue_work.nothing_later),
        "processes": (lambda: ProcessQueue(WORKERS), queue_work.nothing),
        **{
            f"Celery, {broker}": (lambda broker=broker: CeleryQueue(broker, WORKERS), queue_work.nothing)  # type: ignore[misc]
            for broker in BROKERS
        },
    }
    rows = []
    for name, (make, func) in queues.items():
        with make() as queue:
            timing = time_queue(queue, func, range(SINGLES))
        rows.append((name, *dataclasses.astuple(timing)))
    columns = ("queue", "enqueue_us", "p50_ms", "p95_ms", "p99_ms", "tasks_per_s")
    return Table(
        title="Enqueue and end-to-end latency of no-op tasks, one at a time", columns=columns, rows=tuple(rows)
    )


def losses(tasks: int) -> Table:
    rows = [lost_of(broker, tasks, durable=durable) for broker in BROKERS for durable in (True, False)]
    columns = ("broker", "settings", "tasks", "killed_workers", "broker_restarts", "lost", "dead")
    columns += ("runs", "repeated_runs", "dropped_messages", "effects", "wall_s")
    title = "Tasks while a worker is killed (-9) every second and the broker is killed and restarted twice"
    return Table(title=title, columns=columns, rows=tuple(rows))


def lost_of(broker: str, tasks: int, *, durable: bool) -> tuple[Any, ...]:
    """Submit tasks while workers and the broker are killed; count what became of them."""
    start_s = time.perf_counter()
    stop = threading.Event()
    killed = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        services.start(broker) as service,
        CeleryQueue(service.url, KILLED_WORKERS, durable=durable, crashes=10) as queue,
    ):
        path = str(Path(folder) / "effects")
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.executescript("PRAGMA journal_mode=WAL; CREATE TABLE effects (n PRIMARY KEY); CREATE TABLE runs (n)")

        def kill_workers() -> None:
            nonlocal killed
            while not stop.wait(1.0):
                if pids := queue.worker_pids():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(random.choice(pids), signal.SIGKILL)
                        killed += 1

        killer = threading.Thread(target=kill_workers)
        killer.start()
        try:
            for number in range(tasks):
                queue.submit(queue_work.note, (path, number), key=str(number))
                if number in (tasks // 3, 2 * tasks // 3):
                    service.restart()
            quiet_s, before = time.monotonic(), -1
            while (now := queue.progress()).done + now.dead < tasks:
                if now.done != before:
                    quiet_s, before = time.monotonic(), now.done
                if time.monotonic() - quiet_s > 30:  # what has not moved for so long is lost
                    break
                time.sleep(0.2)
        finally:
            stop.set()
            killer.join()
        found = queue.progress()
        with contextlib.closing(sqlite3.connect(path)) as db:
            runs, effects = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "effects"))
    name = "no loss" if durable else "Celery's defaults"
    lost = tasks - found.done - found.dead
    wall_s = time.perf_counter() - start_s
    return (
        broker,
        name,
        tasks,
        killed,
        2,
        lost,
        found.dead,
        found.runs,
        runs - effects,
        found.repeats,
        effects,
        wall_s,
    )


def predictions() -> Table:
    rows = []
    remedies = {f"celery, {broker}": celery_on(broker) for broker in BROKERS}
    funcs = ("python", "native", "sleep", "half_and_half", "short", "short_sleep")
    for name in funcs:
        for row in compare(getattr(queue_work, name), range(200), remedies, budget_s=25, progress=False).rows[1:]:
            rows.append(told(name, row))
    return Table(title="Predicted and measured speed-up of queues", columns=COLUMNS, rows=tuple(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["throughput", "latency", "losses", "predictions"])
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    logging.getLogger("workbench").setLevel(logging.ERROR)
    parts: dict[str, Callable[[], Table]] = {
        "throughput": throughput,
        "latency": latency,
        "losses": lambda: losses(options.tasks),
        "predictions": predictions,
    }
    for name, part in parts.items():
        if options.only in (None, name):
            try:
                table = part()
            except MissingServerError as error:
                print(f"{name}: not measured: {error}")
                continue
            print(table.table().round(3).to_string(index=False))
            print(records.save(table, f"benchmarks.queues-{name}", replace=True))


if __name__ == "__main__":
    main()
