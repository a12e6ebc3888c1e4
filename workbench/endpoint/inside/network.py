"""Whom a request may reach: the servers of the copies, and what the user allows; all else is refused and counted.

Connections are seen by Python's own audit events, which tell of every socket, however it was made. PostgreSQL's drivers
open theirs in C, so they are asked before; other libraries in C that connect by themselves are not seen.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import smtplib
import socket
import sys
from typing import Any, Optional

from .refusals import Refusal, count

#: Servers by host and port, and the paths of Unix sockets.
_allowed: set[Any] = set()


class RefusedConnection(Refusal, ConnectionRefusedError):  # noqa: N818
    """A connection to a server that nobody allowed."""


class RefusedName(Refusal, socket.gaierror):
    """A name that is not looked up, since nobody allowed to ask its server."""


def allow(place: str) -> None:
    """Let ``HOST:PORT`` be reached, or the Unix socket at a path."""
    if place.startswith("/"):
        _allowed.add(os.path.realpath(place))
    else:
        host, _, port = place.rpartition(":")
        _allowed.add((_host(host.strip("[]")), int(port)))


def guard() -> None:
    """Refuse all that was not allowed, and all mail."""
    sys.addaudithook(_audit)
    plain = socket.socket.connect_ex

    def connect_ex(self: socket.socket, address: Any) -> int:
        try:
            return plain(self, address)
        except RefusedConnection:
            return errno.ECONNREFUSED

    socket.socket.connect_ex = connect_ex  # type: ignore[assignment, method-assign]
    _guard_names()

    def refuse_mail(self: Any, *args: Any, **options: Any) -> Any:
        count("mail")
        raise ConnectionRefusedError("the study sends no mail")

    smtplib.SMTP.connect = refuse_mail  # type: ignore[method-assign]


def guard_drivers() -> None:
    """Refuse connections of PostgreSQL's drivers too: of those that are installed."""
    if importlib.util.find_spec("psycopg"):
        psycopg: Any = importlib.import_module("psycopg")
        parsed: Any = importlib.import_module("psycopg.conninfo").conninfo_to_dict

        for kind in (psycopg.Connection, psycopg.AsyncConnection):
            plain = kind.__dict__["connect"].__func__

            def connect(owner: Any, /, conninfo: str = "", *args: Any, plain: Any = plain, **options: Any) -> Any:
                _check_postgresql({**parsed(conninfo), **options})
                return plain(owner, conninfo, *args, **options)

            kind.connect = classmethod(connect)
        psycopg.connect = psycopg.Connection.connect
    if importlib.util.find_spec("psycopg2"):
        psycopg2: Any = importlib.import_module("psycopg2")
        parse_dsn: Any = importlib.import_module("psycopg2.extensions").parse_dsn
        of_c = psycopg2._connect

        def _connect(dsn: str, *args: Any, **options: Any) -> Any:
            _check_postgresql(parse_dsn(dsn))
            return of_c(dsn, *args, **options)

        psycopg2._connect = _connect


def _check_postgresql(known: dict[str, Any]) -> None:
    """Refuse a connection to a server that nobody allowed; where none is named it is this machine's own."""
    hosts = str(known.get("hostaddr") or known.get("host") or os.environ.get("PGHOST") or "localhost").split(",")
    ports = str(known.get("port") or os.environ.get("PGPORT") or 5432).split(",")
    for number, host in enumerate(hosts):
        port = int(ports[min(number, len(ports) - 1)])
        if not _is_allowed(host if host.startswith("/") else (host, port)):
            place = f"{host}:{port}"
            count("connections", place)
            raise RefusedConnection(errno.ECONNREFUSED, f"the study refuses {place}", asks=place)


def _host(host: str) -> str:
    """Return a host by one name: this machine has many."""
    local = host.startswith("127.") or host in ("", "::1", "0.0.0.0", "::", "localhost")
    return "localhost" if local else host.lower()


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg") and args[1] is not None:
        place = _place(args[1])
        if place is not None and not _is_allowed(args[1]):
            count("connections", place)
            raise RefusedConnection(errno.ECONNREFUSED, f"the study refuses {place}", asks=place)


def _place(address: Any) -> Optional[str]:
    """Return an address as text; None for one that is no server's, such as the kernel's own."""
    if isinstance(address, tuple):
        if not isinstance(address[0], (str, bytes)):
            return None
        host = os.fsdecode(address[0])
        return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
    return os.fsdecode(address).replace("\0", "@")  # as the system's tools write a name that is no file's


def _is_allowed(address: Any) -> bool:
    if isinstance(address, tuple):
        return (_host(os.fsdecode(address[0])), address[1]) in _allowed
    path = os.fsdecode(address)
    return "\0" not in path and os.path.realpath(path) in _allowed


def _guard_names() -> None:
    """Look up the names of allowed servers alone; what they stand for is allowed too."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = os.fsdecode(host) if isinstance(host, (str, bytes)) else ""
        ports = {known[1] for known in tuple(_allowed) if isinstance(known, tuple) and known[0] == _host(name)}
        is_address = name.replace(".", "").isdigit() or ":" in name
        if not (ports or is_address or _host(name) == "localhost"):
            place = f"{name}:{port}" if port else name
            count("connections", place)
            raise RefusedName(socket.EAI_FAIL, f"the study refuses {place}", asks=place)
        found = resolve(host, port, *args, **options)
        _allowed.update((_host(str(one[4][0])), number) for one in found for number in ports)
        return found

    socket.getaddrinfo = getaddrinfo
