"""Celery as a queue: real workers over RabbitMQ or Redis, and no task lost, whoever is killed."""

from __future__ import annotations

import os
import tempfile
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from workbench.errors import QueueError, UsageError, one_line
from workbench.folders import Presence, write_private
from workbench.masking import get_logger
from workbench.names import findable_name
from workbench.queues.app import PATIENCE_S, TASK, Settings, forget, import_celery, make_app
from workbench.queues.codec import failure_text, pack, pack_failure, unpack, unpack_failure, unpack_or_say
from workbench.queues.contract import DeadLetter, Func, Handle, Progress, Queue, refuse_coroutines
from workbench.queues.store import Store
from workbench.queues.workers import Worker, Workers

logger = get_logger(__name__)

#: Workers that are free and start nothing for so long have nothing to start: longer than they take to reach a broker
#: that was restarted.
SILENCE_S = 2 * PATIENCE_S
#: How often the workers and the due tasks are looked at, and how often the missing ones.
LOOK_S, COUNT_S = 0.05, 1.0
#: How long to leave a broker alone that could not be reached.
BROKER_DOWN_S = 0.5
#: How many messages are published again between two looks at the workers.
BATCH = 100
#: The wait for an answer looks at the store this often: a tenth of the time waited so far, within these bounds.
LOOK_FIRST_S, LOOK_LAST_S = 0.0005, 0.02
#: What the files in a queue's folder are called.
_OWN_FILES = ("queue", "tasks.sqlite", "workbench-")


class CeleryQueue(Queue):
    """Tasks done by Celery's workers, child processes of this one.

    Each worker is a process that does one task at a time (Celery's pool ``solo``), or ``threads`` tasks. Functions go
    by name, so they must stand in a module that workers can import; items and answers are plain data, in msgpack.

    Every task is in a store of the queue's own (see `workbench.queues.store`), beside the broker's messages, which only
    say which task is next: who writes to the broker can have nothing run but what was submitted. And a task
    whose worker or whose message is lost is published again, as long as this process lives; where it is killed, and
    ``folder`` is given, the next queue with this folder goes on.

    Parameters
    ----------
    broker
        ``redis`` or ``rabbitmq``: a server that this process shares, see `workbench.services`; or the URL of a
        broker.
    workers
        Worker processes; as many as there are cores allowed when None.
    threads
        How many tasks each worker does at the same time, for tasks that wait.
    retries, backoff_s, grace_s
        As for `Queue`.
    crashes
        A task that ran in so many workers that died is dead.
    durable
        False leaves everything to Celery's defaults, to show what they lose: messages are acknowledged before their
        tasks run, and nothing is published again but what raised.
    folder
        Where the store is kept, closed to other users: made when it isn't there. A temporary folder when None.

    Raises
    ------
    UsageError
        The folder is another user's, or others can write to it and it holds more than a queue.
    QueueError
        No worker can start: the line says why and where its log is.
    MissingExtraError
        Celery is not installed.
    MissingServerError
        The broker is not installed.

    Examples
    --------
    >>> import math
    >>> with CeleryQueue(workers=1) as queue:
    ...     queue.map(math.isqrt, [10, 20])
    [3, 4]
    """

    def __init__(
        self,
        broker: str = "redis",
        workers: int | None = None,
        *,
        threads: int = 1,
        retries: int = 0,
        backoff_s: float = 0.1,
        grace_s: float = 10.0,
        crashes: int = 3,
        durable: bool = True,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(workers, retries=retries, backoff_s=backoff_s, grace_s=grace_s)
        if threads < 1 or crashes < 1:
            raise UsageError(f"threads and crashes must be 1 or more: got {threads} and {crashes}")
        self.broker = broker
        self.threads = threads
        self.crashes = crashes
        self.durable = durable
        self._folder = folder
        self._broken: QueueError | None = None
        self._broker_down_until_s = 0.0
        self._silent_s = 0.0

    def __enter__(self) -> Self:
        """Start the workers; they are ready when this returns."""
        import_celery()
        url = self._url()
        folder = Path(self._folder or tempfile.mkdtemp(prefix="workbench-queue-")).resolve()
        _close_to_others(folder)
        self._stopping = threading.Event()
        self._settings = Settings(
            url=url,
            queue=_queue_name(folder),
            folder=str(folder),
            temporary=self._folder is None,
            durable=self.durable,
            threads=self.threads,
            retries=self.retries,
            backoff_s=self.backoff_s,
            grace_s=self.grace_s,
        )
        self._app = make_app(self._settings)
        self._presence = Presence(folder)
        self._store = Store(folder / "tasks.sqlite")
        self._store.resume()
        self._workers = Workers(self._settings, self._store, self.workers)
        self._minding = threading.Thread(target=self._mind, name=f"mind {self._settings.queue}", daemon=True)
        try:
            self._workers.wait_until_ready()
        except BaseException:
            self._workers.stop()
            self._clean_up()
            raise
        self._minding.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the running tasks end, and stop the workers."""
        self._stopping.set()
        self._minding.join()
        self._workers.stop()
        self._clean_up()

    def submit(self, func: Func, item: Any, *, key: str | None = None) -> Handle:
        """Write the task down and publish it; while the broker can't be reached, it is published later."""
        self._check()
        refuse_coroutines(func)
        task, new = self._store.add(findable_name(func), pack(item), key)
        if new:
            self._publish(task)
        return Handle(task, key)

    def result(self, handle: Handle, timeout_s: float | None = None) -> Any:
        """Wait for a task's answer."""
        start_s = time.monotonic()
        while True:
            outcome = self._store.outcome(handle.id)
            if outcome is None:
                raise UsageError(f"there is no task {handle.id} in this queue")
            state, answer, error = outcome
            if state == "done" and answer is not None:
                return unpack(answer)
            if state == "dead" and error is not None:
                raise unpack_failure(error)
            self._check()
            waited_s = time.monotonic() - start_s
            if timeout_s is not None and waited_s >= timeout_s:
                raise TimeoutError(f"task {handle.id} is {state} after {timeout_s:g} s")
            left_s = LOOK_LAST_S if timeout_s is None else timeout_s - waited_s
            time.sleep(min(max(waited_s / 10, LOOK_FIRST_S), LOOK_LAST_S, left_s))

    def progress(self) -> Progress:
        """Count the tasks."""
        return self._store.progress()

    def dead_letters(self) -> list[DeadLetter]:
        """List the tasks that failed for good."""
        return [
            DeadLetter(
                handle=Handle(task, key), func=func, item=unpack_or_say(item), runs=runs, error=failure_text(error)
            )
            for task, key, func, item, runs, error in self._store.dead()
        ]

    def resubmit(self, handle: Handle) -> Handle:
        """Give a dead task another chance, with all its retries."""
        if not self._store.revive(handle.id):
            raise UsageError(f"task {handle.id} is not dead: only a dead one can be submitted again")
        return handle

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers that take tasks now."""
        ready = self._store.ready()
        return [worker.process.pid for worker in self._workers.alive if worker.name in ready]

    def _url(self) -> str:
        if "://" in self.broker:
            return self.broker
        from workbench import services

        return services.running(self.broker).url

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _publish(self, task: int) -> None:
        """Give a task's message to the broker, or put it off while that can't be reached."""
        confirming = {"confirm_timeout": PATIENCE_S} if self.durable and self._settings.url.startswith("amqp") else {}
        once = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        if time.monotonic() > self._broker_down_until_s:
            try:
                self._app.send_task(
                    TASK, (task,), task_id=f"{self._settings.queue}-{task}", retry_policy=once, **confirming
                )
                return
            except Exception as error:  # each transport has its own, and some leave raw ones through
                logger.warning("can't reach the broker, so tasks wait for it (%s)", error)
                self._broker_down_until_s = time.monotonic() + BROKER_DOWN_S
        self._store.postpone(task, BROKER_DOWN_S)

    def _mind(self) -> None:
        """Replace workers that die, and publish what is due, until the queue stops."""
        counted_s = time.monotonic()
        while not self._stopping.wait(LOOK_S):
            try:
                for worker in self._workers.bury():
                    self._mourn(worker)
                if self.durable and time.monotonic() - counted_s > COUNT_S:
                    self._count()
                    counted_s = time.monotonic()
                for task in self._store.due(BATCH):
                    self._publish(task)
            except QueueError as error:
                self._broken = error
                return
            except Exception as error:
                self._broken = QueueError(f"the queue can't go on: {one_line(error)}")
                raise

    def _mourn(self, worker: Worker) -> None:
        if self.durable:
            died = QueueError(f"a worker died while it ran this task (exit code {worker.process.returncode})")
            self._store.release(worker.name, crashes=self.crashes, error=pack_failure(died))
        self._workers.replace(worker)

    def _count(self) -> None:
        """Find tasks whose messages were lost; a broker that can't be reached has lost nothing yet."""
        if time.monotonic() < self._broker_down_until_s:
            return
        last_start_s, running = self._store.activity()
        free = running < len(self.worker_pids()) * self.threads
        silent = free and max(last_start_s, self._silent_s) < time.time() - SILENCE_S
        if missing := self._store.miss(PATIENCE_S, silent=silent):
            logger.warning("%d tasks were lost on the way: they are published again", missing)
            if silent and not running and last_start_s < self._silent_s:
                # Nothing has moved since the last time. Over Redis a worker may consume no more once its connection
                # was lost while it was being made.
                logger.warning("the workers start nothing: others take their place")
                self._workers.kill()
            self._silent_s = time.time() if silent else self._silent_s

    def _clean_up(self) -> None:
        self._store.close()
        if self._settings.temporary:
            forget(self._app, self._settings)
        self._app.close()
        self._presence.end()


def _queue_name(folder: Path) -> str:
    """Return the name of the broker's queue that belongs to a folder: always the same, and nobody else's."""
    kept = folder / "queue"
    if not kept.exists():
        write_private(kept, f"workbench-{uuid.uuid4().hex[:12]}")
    return kept.read_text()


def _close_to_others(folder: Path) -> None:
    """Make a queue's folder, or close the one that is there; one that holds other things is left as it is.

    The files in it are closed in any case; but where others may write they could put theirs in place of ours.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    mine = found.st_uid == os.geteuid()
    if mine and all(path.name.startswith(_OWN_FILES) for path in folder.iterdir()):
        folder.chmod(0o700)
    elif not mine or found.st_mode & 0o022:
        raise UsageError(f"other users can write to {folder}: pass a folder that is yours alone, or a new one")
