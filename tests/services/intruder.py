"""Another user of this machine, who tries to get into a server: one order as JSON on stdin, JSON on stdout.

It starts as root to import the clients, which may lie where others can't read, Python's own library included, and is
nobody before it does anything.
The order says what everybody can know (addresses, process ids, the folder's name) and, for the test of the intruder
itself, what nobody should: then it must get in.
"""

import asyncio
import contextlib
import json
import os
import re
import secrets  # noqa: F401 - what clients import when they are used
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import amqp
import distributed
import kombu
import kombu.transport.pyamqp
import psycopg
import pymemcache
import redis
from distributed.security import Security
from redis.backoff import NoBackoff
from redis.retry import Retry

FILES = ("redis.conf", "password", "rabbitmq.conf", ".erlang.cookie", "nginx.conf", "html/planted", "log", "socket")
FILES += ("data/postgresql.conf", "data/pg_hba.conf", "tasks.sqlite", "tasks.sqlite-wal", "queue")
#: As ours look.
PASSWORD = re.compile(rb"(?<![\w-])[\w-]{32}(?![\w-])")
DEFAULTS = ("", "guest", "workbench", "postgres", "redis")
TIMEOUT_S = 5


def look_around(order):
    """Return all that can be read of the processes and the folder, and what the folder lets one do."""
    text, got = b"", []
    paths = [Path(f"/proc/{pid}/{name}") for pid in order["pids"] for name in ("cmdline", "environ", "maps", "stack")]
    paths += [Path(f"/proc/{pid}/cwd/{name}") for pid in order["pids"] for name in FILES]
    paths += [Path(order["folder"], name) for name in FILES]
    for path in paths:
        with contextlib.suppress(OSError):
            text += path.read_bytes()
            if path.name in FILES:
                got.append(f"read {path}")
    for pid in order["pids"]:
        with contextlib.suppress(OSError):
            got += [f"read {link}" for link in Path(f"/proc/{pid}/fd").iterdir()]
    with contextlib.suppress(OSError):
        got.append(f"read {os.listdir(order['folder'])}")
    for name in ("intruder", "tasks.sqlite"):
        with contextlib.suppress(OSError), open(Path(order["folder"], name), "ab") as file:
            file.write(b"x")
            got.append(f"write {name}")
    return text, got


def passwords(order, text):
    return [*DEFAULTS, *(found.decode() for found in set(PASSWORD.findall(text))), *order.get("passwords", ())]


def said(address, *words):
    """Return what a server answers to each of some bytes, on a connection of its own."""
    unix = isinstance(address, str)
    for sent in words:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(address if unix else tuple(address))
            connection.sendall(sent)
            yield sent, connection.recv(4096)


def into_redis(order, text):
    lines = [b"GET planted", b"SET planted 9", b"INFO", b"CONFIG GET requirepass", b"EVAL 'return 1' 0", b"KEYS *"]
    lines += [b"CLIENT LIST", b"ACL LIST", b"HELLO 3", b"MONITOR", b"SUBSCRIBE x", b"REPLICAOF NO ONE", b"COMMAND"]
    for sent, answer in said(order["address"], *(line + b"\r\n" for line in lines)):
        if not answer.startswith(b"-"):
            yield f"read {sent!r}: {answer!r}"
    host, port = order["address"]
    for password in passwords(order, text):
        for user in (None, "default", "workbench"):
            client = redis.Redis(host, port, username=user, password=password or None, retry=Retry(NoBackoff(), 0))
            for what, call in {
                "read": lambda client=client: client.get("planted"),
                "write": lambda client=client: client.set("planted", "pay 9 to Bob"),
                "command": lambda client=client: client.eval("return 1", 0),
            }.items():
                with contextlib.suppress(redis.RedisError):
                    call()
                    yield what
            client.close()


def into_memcached(order, text):
    for sent, answer in said(order["address"], b"version\r\n", b"stats\r\n", b"set planted 0 0 1\r\n9\r\n"):
        yield f"read {sent!r}: {answer!r}"
    address = order["address"]
    client = pymemcache.Client(address if isinstance(address, str) else tuple(address), timeout=TIMEOUT_S)
    for what, call in {
        "read": lambda: client.get("planted"),
        "write": lambda: client.set("planted", b"9", noreply=False),
        "command": client.stats,
    }.items():
        with contextlib.suppress(OSError):
            call()
            yield what


def into_postgresql(order, text):
    host, port = order["address"]
    for user in ("workbench", "postgres", "nobody"):
        who = f"user\0{user}\0database\0postgres\0\0".encode()
        for sent, answer in said((host, port), struct.pack("!ii", 8 + len(who), 3 << 16) + who):
            if answer[:1] == b"R" and struct.unpack("!i", answer[5:9])[0] == 0:
                yield f"read {sent!r}"
        for password in passwords(order, text):
            who = {"host": host, "port": port, "user": user, "dbname": "postgres", "connect_timeout": TIMEOUT_S}
            with contextlib.suppress(psycopg.Error):
                yield from as_database_user(psycopg.connect(**who, password=password, autocommit=True))
            with contextlib.suppress(psycopg.Error):
                psycopg.connect(**who, password=password, autocommit=True, replication="database").close()
                yield "read as a replica"


def as_database_user(connection):
    with connection:
        connection.execute("select * from pg_authid")
        yield "read"
        connection.execute("create table planted (text text)")
        yield "write"
        connection.execute("copy planted from program 'id'")
        yield "command"


def into_rabbitmq(order, text):
    host, port = order["address"]
    for mechanism in (b"ANONYMOUS", b"EXTERNAL"):
        yield from as_nobody_known(host, port, mechanism)
    for user in ("guest", "workbench"):
        for password in passwords(order, text):
            url = f"amqp://{user}:{password}@{host}:{port}//"
            with (
                contextlib.suppress(OSError, amqp.AMQPError),
                kombu.Connection(url, connect_timeout=TIMEOUT_S) as connection,
            ):
                queue = connection.SimpleQueue("planted")
                queue.put("pay 9 to Bob")
                yield "write"
                queue.get(timeout=TIMEOUT_S)
                yield "read"
    yield from into_erlang(order)


def as_nobody_known(host, port, mechanism):
    """Log in by hand, without a name."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.sendall(b"AMQP\0\0\x09\x01")
        connection.recv(65536)
        ok = struct.pack("!HHI", 10, 11, 0) + bytes([len(mechanism)]) + mechanism
        ok += struct.pack("!I", 5) + b"guest" + b"\x05en_US"
        connection.sendall(struct.pack("!BHI", 1, 0, len(ok)) + ok + b"\xce")
        answer = connection.recv(65536)
        if answer[7:11] == struct.pack("!HH", 10, 30):  # tune: we are in
            yield f"read as {mechanism!r}"


def into_erlang(order):
    """Ask the port mapper to end, and the node to run a command."""
    epmd_port, node = order["epmd_port"], order["node"]
    for sent, answer in said(("127.0.0.1", epmd_port), b"\0\1k", b"\0\x05sintr"):
        if answer.startswith((b"OK", b"STOPPED")):
            yield f"command {sent!r}: {answer!r}"
    cookies = ["rabbit", "monster", "nocookie", *DEFAULTS[1:], *order.get("cookies", ())]
    ask = f'erlang:set_cookie(node(), list_to_atom(C)), io:format("~p~n", [rpc:call(\'{node}\', os, cmd, ["id"])])'
    run = subprocess.run(
        ["erl", "-noinput", "-sname", "intruder@localhost", "-start_epmd", "false", "-eval",
         f"[begin {ask} end || C <- {json.dumps(cookies)}], halt()."],
        env={**os.environ, "HOME": "/tmp", "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"},
        cwd="/tmp", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    answers = run.stdout.splitlines()
    assert len(answers) == len(cookies), run
    for answer in answers:
        if "nodedown" not in answer:
            yield "command" if "uid=" in answer else answer


def into_nginx(order, text):
    origin = "http://{}:{}".format(*order["address"])
    paths = ["", *(f"{password}/" for password in passwords(order, text)[len(DEFAULTS) :]), "../", "%2e%2e/", "html/"]
    for path in (f"/{start}{name}" for start in paths for name in ("", "planted", "../nginx.conf", "..%2fnginx.conf")):
        for method in ("GET", "PUT", "DELETE", "POST"):
            data = b"theirs" if method in ("PUT", "POST") else None
            request = urllib.request.Request(origin + path, method=method, data=data)
            with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(request, timeout=TIMEOUT_S) as got:
                answer = got.read().decode()
                yield "read" if (method, answer) == ("GET", "mine") else f"{method} {path}: {answer}"
    for sent, answer in said(order["address"], *(b"GET /%s\r\n" % path for path in (b"planted", b"../nginx.conf"))):
        if b"mine" in answer or b"daemon" in answer:
            yield f"read {sent!r}"


def into_dask(order, text):
    for address in order["addresses"]:
        place = address.partition("://")[2]
        host, port = place.split(":")
        for sent, answer in said(
            (host, int(port)), b"GET / HTTP/1.0\r\n\r\n", struct.pack("<QQQ", 2, 8, 8) + b"\0" * 16
        ):
            if sent.startswith(b"GET") and answer:
                yield f"read {address}: {answer!r}"
        for scheme, security in (("tcp", None), ("tls", STRANGE)):
            with contextlib.suppress(OSError, ValueError, TypeError, RuntimeError):
                yield from as_client(f"{scheme}://{place}", security)
    for port in order["http_ports"]:
        for path in ("health", "metrics", "info/main/workers.html", "info/logs.html", "json/identity.json", "status"):
            url = f"http://127.0.0.1:{port}/{path}"
            with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=TIMEOUT_S) as got:
                yield f"read {path}: {got.read()!r}"


def as_client(address, security):
    async def ask():
        arguments = security.get_connection_args("client") if security else {}
        comm = await distributed.comm.core.connect(address, timeout=TIMEOUT_S, **arguments)
        await comm.write({"op": "identity", "reply": True})
        answer = await asyncio.wait_for(comm.read(), TIMEOUT_S)
        await comm.close()
        return answer

    if asyncio.run(ask()):
        yield "read"
    with distributed.Client(address, security=security, timeout=TIMEOUT_S, set_as_default=False) as client:
        if client.run_on_scheduler(os.getpid):
            yield "command"
        if client.submit(os.getpid).result(TIMEOUT_S):
            yield "write"


def into_celery(order, text):
    """Whose broker another test tries: the files are what is left."""
    return []


if __name__ == "__main__":
    STRANGE = Security.temporary()
    "host".encode("idna")
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    order = json.loads(sys.stdin.read())
    text, got = look_around(order)
    got += globals()[f"into_{order['kind']}"](order, text)
    sys.stdout.write(
        json.dumps({"uid": os.getuid(), "visible": text.decode(errors="replace"), "got": sorted(set(got))})
    )
