"""A worker, the child process: ``python -m workbench.queues.worker NAME``, its settings as one line of JSON on stdin.

It ends when its stdin closes, after the task that it runs; the kernel closes the pipe however the parent ends. Where
the parent was killed, the last worker removes what the parent would have removed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.folders import Presence
from workbench.names import find
from workbench.proc import LOOK_S, orders
from workbench.queues.app import TASK, Settings, forget, make_app
from workbench.queues.codec import pack, pack_failure, unpack
from workbench.queues.store import Store

if TYPE_CHECKING:
    from celery import Celery


def main(name: str) -> None:
    """Work until told to stop."""
    lines = orders()
    first = json.loads(next(lines))
    sys.path[:] = dict.fromkeys([*first["path"], *sys.path])
    settings = Settings(**first["settings"])
    ending = threading.Event()
    app, presence = make_app(settings), Presence(settings.folder)

    def leave() -> None:
        if settings.temporary and presence.is_last():
            forget(app, settings)

    threading.Thread(target=_end_with, args=(lines, settings.grace_s, ending, leave), daemon=True).start()
    store = Store(Path(settings.folder) / "tasks.sqlite")
    _define(app, settings, store, name, ending)

    from celery.signals import worker_ready

    worker_ready.connect(lambda **_: store.say_ready(name), weak=False)

    app.steps["consumer"].add(_waking_step())
    # A lone worker has nobody to gossip with; and solo can't send heartbeats while a task runs.
    app.Worker(
        hostname=f"{name}@localhost",
        pool="solo" if settings.threads == 1 else "threads",
        concurrency=settings.threads,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
    leave()


def _define(app: Celery, settings: Settings, store: Store, name: str, ending: threading.Event) -> None:
    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(task: int) -> None:
        # Celery may start one more task while it ends; that one stays in the store.
        work = None if ending.is_set() else store.claim(task, name)
        if work is None:
            return
        try:
            answer = pack(find(work.func)(unpack(work.item)))
        except Exception as error:  # a failure of a task is that task's failure
            store.fail(task, name, pack_failure(error), retries=settings.retries, backoff_s=settings.backoff_s)
        else:
            store.finish(task, name, answer)

    app.finalize()
    for other in set(app.tasks) - {TASK}:  # Celery's own, such as those that call others
        del app.tasks[other]


def _waking_step() -> type[Any]:
    """Return a step that keeps a worker from sleeping too long.

    Celery's event loop sleeps though calls are due that were made in the same turn, and in the pool ``solo`` the
    acknowledgement of a task is one: over AMQP the next task would wait for it. And signals don't wake the loop at all,
    so an idle worker looks now and then whether it was told to stop.
    """
    from celery.bootsteps import StartStopStep

    class Waking(StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.consumer:Tasks",)

        def start(self, parent: Any) -> None:
            hub = parent.hub
            if hub is not None:
                poll = hub.poller.poll
                hub.poller.poll = lambda timeout: poll(0 if hub._ready else timeout)
                hub.call_repeatedly(LOOK_S, lambda: None)

    return Waking


def _end_with(lines: Iterator[str], grace_s: float, ending: threading.Event, leave: Callable[[], None]) -> None:
    """End this process when its parent closes our stdin or is gone: gracefully, and for certain after a while."""
    for _ in lines:
        pass
    ending.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    leave()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
