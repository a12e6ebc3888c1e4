"""The worker processes of a queue: started, replaced when they die, and stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.errors import QueueError
from workbench.folders import keep_log
from workbench.masking import get_logger
from workbench.queues.app import Settings
from workbench.queues.store import Store

logger = get_logger(__name__)

#: How long a worker may take until it takes tasks.
START_S = 60.0
#: So many workers in a row may die before they are ready, or without a task having been started since the last death.
EARLY_DEATHS, IDLE_DEATHS = 3, 20


@dataclass(eq=False)
class Worker:
    """One worker process."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def say_end(self) -> None:
        """Tell it to end, by closing its stdin."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def last_words(self) -> str:
        """Return the last line of its log, and keep the log where it outlives the queue's folder."""
        return keep_log("worker", self.log.read_text(errors="replace"))


class Workers:
    """As many worker processes as are wanted.

    Parameters
    ----------
    settings, store
        Of the queue.
    count
        How many.
    """

    def __init__(self, settings: Settings, store: Store, count: int) -> None:
        self._settings = settings
        self._store = store
        self._number = 0
        # No name is given twice, by another process with the same folder either.
        self._run = uuid.uuid4().hex[:6]
        self._early = self._idle = 0
        self._last_start_s = 0.0
        self.alive = [self._spawn() for _ in range(count)]

    def wait_until_ready(self) -> None:
        """Wait until every worker takes tasks.

        Raises
        ------
        QueueError
            One ended, or is not ready after `START_S`.
        """
        end_s = time.monotonic() + START_S
        while not {worker.name for worker in self.alive} <= self._store.ready():
            for worker in self.alive:
                if worker.process.poll() is not None:
                    raise QueueError(f"a worker can't start: {worker.last_words()}")
            if time.monotonic() > end_s:
                raise QueueError(f"no worker after {START_S:g} s: {self.alive[0].last_words()}")
            time.sleep(0.02)

    def bury(self) -> list[Worker]:
        """Return the workers that have died since the last call."""
        dead = [worker for worker in self.alive if worker.process.poll() is not None]
        self.alive = [worker for worker in self.alive if worker not in dead]
        for worker in dead:
            worker.say_end()
        return dead

    def kill(self) -> None:
        """Kill all workers: `bury` returns them, and others start."""
        for worker in self.alive:
            worker.process.kill()

    def replace(self, dead: Worker) -> None:
        """Start a worker in place of a dead one.

        Raises
        ------
        QueueError
            There is no use in it: they die at once, again and again.
        """
        was_ready = dead.name in self._store.ready()
        last_start_s, _ = self._store.activity()
        self._early = 0 if was_ready else self._early + 1
        self._idle = 1 if last_start_s > self._last_start_s else self._idle + 1
        self._last_start_s = last_start_s
        if self._early >= EARLY_DEATHS or self._idle >= IDLE_DEATHS:
            raise QueueError(f"workers end again and again, so no more are started: {dead.last_words()}")
        logger.warning("worker %s ended with exit code %s; another one starts", dead.name, dead.process.returncode)
        dead.log.unlink(missing_ok=True)
        self.alive.append(self._spawn())

    def stop(self) -> None:
        """Let every worker end the task that it runs, and kill it when that takes longer than the grace."""
        for worker in self.alive:
            worker.say_end()
        end_s = time.monotonic() + self._settings.grace_s
        for worker in self.alive:
            try:
                worker.process.wait(max(0.0, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _spawn(self) -> Worker:
        self._number += 1
        name = f"{self._settings.queue}-{self._run}-{self._number}"
        log = Path(self._settings.folder) / f"{name}.log"
        log.touch(mode=0o600)
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench.queues.worker", name],
                stdin=subprocess.PIPE, stdout=out, stderr=out, text=True, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"path": sys.path, "settings": asdict(self._settings)}) + "\n")
            process.stdin.flush()
        return Worker(name, process, log)
