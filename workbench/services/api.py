"""Find, start and share servers."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from workbench.errors import MissingServerError, UsageError
from workbench.masking import masked
from workbench.services.servers import SERVERS
from workbench.services.service import ChildService, PortTakenError, Service

_running: dict[tuple[str, int], Service] = {}
_lock = Lock()
#: How often to try ports: another program may take one before the server does.
TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Found:
    """A server as this machine has it: its program and version, or a URL from the environment, or how to get it.

    The URL is there to be shown: a password in it is masked.
    """

    name: str
    program: str | None
    version: str | None
    url: str | None
    install: str

    def __str__(self) -> str:
        where = self.program or f"not installed: {self.install}"
        own = f", used: {self.url.rpartition('@')[2]}" if self.url else ""
        return f"{self.name:12}{self.version or '–':10}{where}{own}"


def find() -> list[Found]:
    """Say which servers this machine has.

    Returns
    -------
    list of Found
        One for each kind, by name.

    Examples
    --------
    >>> [found.name for found in find()]
    ['memcached', 'nginx', 'postgresql', 'rabbitmq', 'redis']
    """
    found = []
    for name, server in SERVERS.items():
        program = server.program()
        version = server.version(program) if program else None
        url = masked(os.environ.get(server.variable, "")) or None
        where = str(program) if program else None
        found.append(Found(name=name, program=where, version=version, url=url, install=server.how_to_get))
    return found


def start(name: str, arguments: Sequence[str] = (), *, ours: bool = False) -> Service:
    """Start a server; it answers when this returns.

    Parameters
    ----------
    name
        ``memcached``, ``nginx``, ``postgresql``, ``rabbitmq`` or ``redis``.
    arguments
        More words for the server's command line, as in ``["--appendonly", "yes"]``.
    ours
        Start one in any case: what goes into it must never reach the server of your own.

    Returns
    -------
    Service
        To be used in ``with``; or call its ``stop()``.

    Raises
    ------
    MissingServerError
        It is not installed: the line says how to install it.
    ServiceError
        It did not start: the line says why and where its log is. Or the server of your own can't be reached.
    UsageError
        There is no service of this name.

    Examples
    --------
    >>> with start("redis") as redis:
    ...     redis.kill()  # what do clients do now?
    ...     redis.restart()  # on the same port
    """
    try:
        server = SERVERS[name]
    except KeyError:
        raise UsageError(f"there is no service {name!r}; there are {', '.join(SERVERS)}") from None
    if not ours and (url := os.environ.get(server.variable)):
        own = Service(server, url)
        own.check()
        return own
    program = server.program()
    if program is None:
        raise MissingServerError(f"{server.title} is not installed: {server.how_to_get}")
    for _ in range(TRIES - 1):
        with contextlib.suppress(PortTakenError):
            return ChildService(server, program, arguments)
    return ChildService(server, program, arguments)


def running(name: str) -> Service:
    """Return a server that this process shares: started when first asked for, stopped when the process ends.

    Parameters, errors
        As for `start`.

    Returns
    -------
    Service
        The same one at every call.

    Examples
    --------
    >>> running("redis").url == running("redis").url
    True
    """
    with _lock:
        key = name, os.getpid()  # a forked child must not use, nor stop, its parent's
        if key not in _running:
            _running[key] = start(name)
            atexit.register(_running[key].stop)
        return _running[key]
