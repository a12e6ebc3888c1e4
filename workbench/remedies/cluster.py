"""Many processes at a time, on this machine or on others, through Dask."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import json
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from workbench.errors import MissingExtraError, NotApplicableError, UsageError
from workbench.remedies.sequential import Func, Run, traits

#: Seconds that a scheduler or a worker may take to answer the first call.
START_S = 10
#: Seconds that workers of our own may take until they are there, on a busy machine too.
OWN_START_S = 60
_PRICE = "a cluster to run and to keep in step, and every item and answer sent over the network"
_starting = threading.Lock()


@traits(model="cluster", effort=4, price=_PRICE)
def cluster(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Call ``func`` on the workers of a Dask cluster, through joblib's own backend.

    The cluster is the one that Dask is told of by ``DASK_SCHEDULER_ADDRESS``. Without it a local one is started, a
    process for each core allowed; it stays for the next run and ends with this process. Other users of the machine
    can't use it: all of it talks TLS, with a key that is in memory only.

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
        Dask, or what makes keys for it, is not installed.
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

    @traits(effort=4, price=_PRICE)
    def run(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        return _run(address, func, items)

    return run


def _run(address: str, func: Func, items: Sequence[Any]) -> list[Any]:
    if inspect.iscoroutinefunction(func):
        raise NotApplicableError("a coroutine function: a cluster needs a plain one, asyncio is for coroutines")
    # Packed here and unpacked there: what Dask can't pickle by itself would leave joblib waiting for ever.
    packed_func = _packed(func, f"the function {getattr(func, '__name__', func)!s}")
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
        text = f"a worker process can't load the function or an item: {type(error).__name__}: {error}"
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
        client.wait_for_workers(_cores(), timeout=OWN_START_S)
        client.run(sys.path.extend, [place for place in sys.path if place])
    return client, own


def _start_local_cluster() -> Any:
    """Start a scheduler in this process and workers as children, closed to whoever hasn't got their key.

    Dask's `LocalCluster` starts workers by `multiprocessing`, which runs a script that has no
    ``if __name__ == "__main__"`` once more in each of them. A scheduler runs whatever it is sent, and so do workers:
    they take connections with their own key only (TLS), and what they would tell over HTTP is turned off.
    """
    import dask
    from distributed import Scheduler, SpecCluster
    from distributed.security import Security

    try:
        security = Security.temporary()  # type: ignore[no-untyped-call]
    except ImportError as error:  # an open cluster is none
        raise MissingExtraError("cryptography", "cluster") from error
    logging.getLogger("distributed").setLevel(logging.WARNING)
    options = {"nthreads": 1, "host": "127.0.0.1", "memory_limit": 0, "death_timeout": START_S}
    options |= {"dashboard": False, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.WARNING}
    options |= {"security": {name: getattr(security, name) for name in _KEYS} | {"require_encryption": True}}
    worker = {"cls": _worker_class(), "options": {"worker_class": "distributed.Worker", "worker_kwargs": options}}
    quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "port": 0, "security": security, **quiet}}
    made: Callable[..., Any] = SpecCluster
    with dask.config.set({"distributed.scheduler.http.routes": []}):
        return made(
            workers=dict.fromkeys(range(_cores()), worker), scheduler=scheduler, worker=worker, security=security,
            name="workbench", silence_logs=logging.WARNING,
        )  # fmt: skip


#: What a worker must have to talk to the others, and to be a client of the same cluster.
_KEYS = ("tls_ca_file", "tls_worker_key", "tls_worker_cert", "tls_client_key", "tls_client_cert")


@lru_cache
def _worker_class() -> Any:
    from distributed.deploy.subprocess import SubprocessWorker

    class Worker(SubprocessWorker):
        """A worker that is told all by its stdin: Dask's own has it in its command line, which everybody can read."""

        async def _start(self) -> None:
            self.process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "dask", "spec", self.scheduler, "--spec-file", "/dev/stdin"],
                stdin=asyncio.subprocess.PIPE,
                env={**os.environ, "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]"},
            )
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"cls": self.worker_class, "opts": self.worker_kwargs}).encode())
            self.process.stdin.close()

    return Worker


def _cores() -> int:
    from joblib import cpu_count

    cores: int = cpu_count()
    return cores


def _close(client: Any, own: Any) -> None:
    client.close()
    if own:
        own.close()
