"""Many processes at a time, on this machine or on others, through Dask."""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from workbench.errors import MissingExtraError, NotApplicableError, UsageError, one_line
from workbench.names import shown_name
from workbench.proc import cores_allowed
from workbench.remedy import Func, Run, remedy

#: Seconds that a scheduler or a worker may take to answer the first call.
START_S = 10
#: Seconds that all workers of a cluster of its own may take to start, on a machine that is busy.
WORKERS_S = 60
_PRICE = "a cluster to run and to keep in step, and every item and answer sent over the network"
_starting = threading.Lock()


@remedy(model="cluster", effort=4, price=_PRICE, start_s=4.0)
def cluster(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` on the workers of a Dask cluster, through joblib's own backend.

    The cluster is the one that Dask is told of by ``DASK_SCHEDULER_ADDRESS``. Without it a local one is started, a
    process for each core allowed; it stays for the next run and ends with this process.

    Parameters
    ----------
    func
        A plain function.
    items
        What to call it with.
    workers
        Of no effect: a cluster has the workers it has.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    NotApplicableError
        ``func``, an item or an answer can't be sent to another process, or the function is not there: says which.
    UsageError
        No scheduler answers at that address.

    Examples
    --------
    >>> cluster(abs, [-1, 2])
    [1, 2]
    """
    return _run(os.environ.get("DASK_SCHEDULER_ADDRESS", ""), func, items)


def cluster_at(address: str) -> Run:
    """Make a remedy of the Dask cluster whose scheduler has this address, such as ``tcp://10.0.0.5:8786``.

    Its workers need the same packages as this process, the workbench among them.
    """

    @remedy(effort=4, price=_PRICE)
    def run(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        return _run(address, func, items)

    return run


def _run(address: str, func: Func, items: Sequence[Any]) -> list[Any]:
    if inspect.iscoroutinefunction(func):
        raise NotApplicableError("a coroutine function: a cluster needs a plain one, asyncio is for coroutines")
    # Packed here and unpacked there: what Dask can't pickle by itself would leave joblib waiting for ever.
    packed_func = _packed(func, f"the function {shown_name(func)}")
    packed = [_packed(item, f"item {index} ({type(item).__name__})") for index, item in enumerate(items)]
    if not packed:
        return []
    with _starting:
        client, own = _client(address)
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="dask", client=client, wait_for_workers_timeout=START_S):
        try:
            answers = Parallel()(delayed(_call)(packed_func, item) for item in packed)
        except BaseException as error:
            if not isinstance(error, Exception):  # interrupted: what hangs in a worker ends with the cluster
                _client.cache_clear()
                threading.Thread(target=_close, args=(client, own), daemon=True).start()
            raise
    return [pickle.loads(answer) for answer in answers]


def _packed(value: Any, name: str) -> bytes:
    from joblib.externals.loky.backend.reduction import dumps

    try:
        packed = bytes(dumps(value))
    except Exception as error:  # whatever its __reduce__ raises
        raise NotApplicableError(f"{name} doesn't pickle, so it can't go to another process") from error
    return packed


def _call(packed_func: bytes, packed_item: bytes) -> bytes:
    """Run one item in a worker."""
    try:
        func, item = pickle.loads(packed_func), pickle.loads(packed_item)
    except Exception as error:
        text = f"a worker process can't load the function or an item: {one_line(error)}"
        raise NotApplicableError(text) from None
    return _packed(func(item), "an answer")


@lru_cache(maxsize=8)
def _client(address: str) -> tuple[Any, Any]:
    """Return the connection to a scheduler, the same for all runs until one is interrupted, and the cluster if own."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster") from error
    own = None if address else _start_local_cluster()
    try:
        client: Any = Client(own or address, timeout=START_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}: {error}") from error
    atexit.register(_close, client, own)
    if own:
        # With one worker there joblib would do the first run in this process.
        client.wait_for_workers(cores_allowed(), timeout=WORKERS_S)
        client.register_worker_callbacks(partial(_find_modules, [place for place in sys.path if place]))
    return client, own


def _find_modules(places: list[str]) -> None:
    """Let a worker import what this process can."""
    sys.path.extend(places)


def _start_local_cluster() -> Any:
    """Start a scheduler in this process and workers as children.

    Dask's `LocalCluster` starts workers by `multiprocessing`, which runs a script that has no
    ``if __name__ == "__main__"`` once more in each of them.
    """
    from distributed import Scheduler, SpecCluster
    from distributed.deploy.subprocess import SubprocessWorker

    logging.getLogger("distributed").setLevel(logging.WARNING)
    options = {"nthreads": 1, "host": "127.0.0.1", "memory_limit": 0, "death_timeout": START_S}
    options |= {"dashboard": False, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.WARNING}
    worker = {"cls": SubprocessWorker, "options": {"worker_class": "distributed.Worker", "worker_kwargs": options}}
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    made: Callable[..., Any] = SpecCluster
    workers = dict.fromkeys(range(cores_allowed()), worker)
    return made(workers=workers, scheduler=scheduler, worker=worker, name="workbench", silence_logs=logging.WARNING)


def _close(client: Any, own: Any) -> None:
    client.close()
    if own:
        own.close()
