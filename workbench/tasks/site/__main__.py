"""Run the site by hand: ``python -m workbench.tasks.site --port 8000``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
import threading
from collections.abc import Sequence

from workbench.proc import orders
from workbench.tasks.site.server import Connection, Counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C, or until the parent ends or closes our stdin."""
    parser = argparse.ArgumentParser(prog="python -m workbench.tasks.site", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one when left out")
    parser.add_argument("--seed", type=int, default=0, help="bodies and errors depend on it")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when whoever holds stdin ends")
    options = parser.parse_args(arguments)
    _allow_many_connections()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.seed, options.until_stdin_closes))


async def _serve(port: int, seed: int, until_stdin_closes: bool) -> None:
    loop = asyncio.get_running_loop()
    counts = Counts(seed)
    ended = asyncio.Event()
    server = await loop.create_server(lambda: Connection(counts), "127.0.0.1", port, backlog=8192)
    if until_stdin_closes:
        threading.Thread(target=_end_with_parent, args=(loop, ended), daemon=True).start()
    sys.stdout.write("http://{}:{}\n".format(*server.sockets[0].getsockname()))
    sys.stdout.flush()
    await ended.wait()


def _end_with_parent(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    for _ in orders():
        pass
    loop.call_soon_threadsafe(ended.set)


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
