"""One server that runs: started, paused, killed, restarted and stopped, always by way of its minder."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from workbench import light
from workbench.errors import ServiceError, UsageError
from workbench.folders import keep_log
from workbench.proc import descendants, states_of
from workbench.services.ports import connect, free_ports, listens, strangers_listen
from workbench.services.servers import Command, Place, Server

#: How long a server may take until it answers; RabbitMQ takes 5 to 9 seconds on two cores.
START_S = 60.0
#: The temporary folder of all users.
SHARED_TEMP = "/tmp"
#: A temporary folder with a longer name leaves too little of the 104 bytes that the path of a Unix socket may have.
LONGEST_TEMP = 60


class PortTakenError(ServiceError):
    """Somebody else listens where our server should."""


class Service:
    """A server to be used, here one of the user's own; `workbench.services.start` returns it.

    Attributes
    ----------
    name : str
    url : str
        What a client connects to, its password included: not to be shown.
    """

    def __init__(self, server: Server, url: str) -> None:
        self.name = server.name
        self.url = url
        self._server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    @property
    def shown_url(self) -> str:
        """The URL without what opens the server, for messages.

        Examples
        --------
        >>> from workbench.services.servers import SERVERS
        >>> Service(SERVERS["redis"], "redis://:secret@127.0.0.1:6379/0").shown_url
        'redis://127.0.0.1:6379'
        """
        scheme, _, rest = self.url.partition("://")
        rest = rest.rpartition("@")[2]
        return f"{scheme}://{rest.partition('/')[0] or rest}"

    def stop(self) -> None:
        """Stop the server and remove its folder, if it is one that was started here."""

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, and nothing answers."""
        self._refuse()

    def resume(self) -> None:
        """Let a paused server go on."""
        self._refuse()

    def kill(self) -> None:
        """Kill the server (SIGKILL), as the kernel does when memory runs out; its folder stays."""
        self._refuse()

    def restart(self) -> None:
        """Start the server anew on the same port and folder; kill it first if it runs."""
        self._refuse()

    def check(self) -> None:
        """Raise `ServiceError` if the server can't be reached."""
        try:
            connect(self._server.address_in(self.url), 5).close()
        except (OSError, ValueError) as error:
            message = f"can't reach the server that {self._server.variable} names ({self.shown_url}): {error}"
            raise ServiceError(message) from None  # the error may quote a piece of the password

    def _refuse(self) -> NoReturn:
        raise UsageError(f"{self._server.title} is a server of your own: unset {self._server.variable} to start one")


class ChildService(Service):
    """A server that runs below this process, in a folder of its own.

    No other user of the machine gets in: the folder is closed to others, and who connects must know a password that
    is new for every server, or reach a socket in the folder. While a server is down after `kill`, clients that try
    again send its password to whoever takes its port; `restart` then refuses, and the server is gone for good.

    Attributes
    ----------
    folder : Path
        Where its data is.

    Raises
    ------
    PortTakenError
        Somebody else took its port between choice and use.
    ServiceError
        It did not start.
    """

    def __init__(self, server: Server, program: Path, arguments: Sequence[str]) -> None:
        port, *other_ports = free_ports(3)
        user = _unprivileged_user() if server.refuses_root and os.getuid() == 0 else None
        # Root's temporary folder may be root's alone: then that user takes the one that is everybody's.
        temp = tempfile.gettempdir()
        fits = len(temp) <= LONGEST_TEMP and (user is None or _all_may_pass(Path(temp)))
        parent = None if fits else SHARED_TEMP
        self.folder = Path(tempfile.mkdtemp(prefix=f"workbench-{server.name}-", dir=parent)).resolve()
        if user is not None:
            shutil.chown(self.folder, user)
        self._place = Place(folder=self.folder, port=port, other_ports=tuple(other_ports), user=user)
        self._ports = server.ports(self._place)
        self._program = program
        self._arguments = arguments
        self._pid: int | None = None
        self._lock = threading.Lock()
        super().__init__(server, server.url(self._place))
        self._minder: subprocess.Popen[str] | None = subprocess.Popen(
            light.command("workbench.services.minder", str(self.folder), str(os.getpid())),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            for command in server.prepare(program, self._place):
                pid = self._spawn(command)
                if command.once:
                    self._wait_until(lambda pid=pid: self._order("ended", pid=pid))  # type: ignore[misc]
            self._launch()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The server's process id, which is that of its group too."""
        if self._pid is None:
            raise UsageError(f"{self._server.title} is not running: restart() it, or start another one")
        return self._pid

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        minding, self._minder = self._minder, None
        if minding is None or minding.poll() is not None:
            return
        assert minding.stdin is not None
        assert minding.stdout is not None
        self._pid = None
        with contextlib.suppress(BrokenPipeError):
            minding.stdin.close()
        minding.stdout.close()
        minding.wait()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, and nothing answers."""
        _signal_tree(self.pid, signal.SIGSTOP)
        self._wait_until(self._stands_still)

    def resume(self) -> None:
        """Let a paused server go on."""
        _signal_tree(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the server (SIGKILL), as the kernel does when memory runs out; its folder stays."""
        pid, self._pid = self.pid, None
        _signal_tree(pid, signal.SIGKILL)
        # The first process of the group may be gone while the one that listens still gives its memory back.
        self._wait_until(lambda: self._order("ended", pid=pid) and not self._listens())

    def restart(self) -> None:
        """Start the server anew on the same port and folder; kill it first if it runs."""
        if self._pid is not None:
            self.kill()
        self._launch()

    def check(self) -> None:
        """Raise `ServiceError` if the protocol doesn't answer."""
        if not self._server.answers(self._place):
            raise self._failure("it doesn't answer")

    def _stands_still(self) -> bool:
        """Say whether all threads of the server have stopped, where that can be seen; each does when it next runs."""
        return states_of(self.pid) <= {"T"}

    def _launch(self) -> None:
        command = self._server.command(self._program, self._place)
        self._pid = pid = self._spawn(command, self._arguments)
        try:
            self._wait_until(lambda: self._is_up(pid))
        except PortTakenError:
            self.stop()  # for good: the stranger may have been sent the password
            raise

    def _is_up(self, pid: int) -> bool:
        self._refuse_strangers()
        if self._server.answers(self._place):
            self._refuse_strangers()  # one may have come in that moment
            return True
        if self._order("ended", pid=pid):
            self._pid = None
            raise self._failure("it ended at once")
        return False

    def _listens(self) -> bool:
        """Say whether it is the server who takes connections."""
        return listens(self._server.address(self._place)) and not any(map(self._is_taken, self._ports))

    def _refuse_strangers(self) -> None:
        for port in filter(self._is_taken, self._ports):
            raise PortTakenError(f"{self._server.title} can't have port {port}: another program took it")

    def _is_taken(self, port: int) -> bool:
        minding = self._minder
        return minding is not None and strangers_listen(port, lambda: [minding.pid, *descendants(minding.pid)])

    def _spawn(self, command: Command, arguments: Sequence[str] = ()) -> int:
        words = [*command.words, *arguments]
        log, user = str(self._place.log), self._place.user
        env = {**os.environ, **(command.env or {})}
        stop_signal = int(self._server.stop_signal)
        pid: int = self._order("start", command=words, env=env, log=log, user=user, stop_signal=stop_signal)
        return pid

    def _order(self, what: str, **order: Any) -> Any:
        with self._lock:
            minding = self._minder
            if minding is None:
                raise UsageError(f"{self._server.title} is stopped: start another one")
            assert minding.stdin is not None
            assert minding.stdout is not None
            minding.stdin.write(json.dumps({"do": what, **order}) + "\n")
            minding.stdin.flush()
            reply = json.loads(minding.stdout.readline())
        if "error" in reply:
            raise self._failure(reply["error"])
        return reply["done"]

    def _wait_until(self, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + START_S
        pause_s = 0.002
        while not done():
            if time.monotonic() > end_s:
                raise self._failure(f"it doesn't answer after {START_S:g} s")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.1)

    def _failure(self, reason: str) -> ServiceError:
        """Keep the log where it outlives the folder, and say where."""
        with contextlib.suppress(OSError):
            reason += "; " + keep_log(self.name, self._place.log.read_text(errors="replace"))
        return ServiceError(f"{self._server.title} at {self.shown_url} fails: {reason}")


def _signal_tree(pid: int, number: int) -> None:
    """Signal a process and all below it, whatever their groups: PostgreSQL's have one each."""
    for each in [pid, *descendants(pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def _all_may_pass(folder: Path) -> bool:
    """Say whether every user can reach what is in a folder."""
    return all(above.stat().st_mode & stat.S_IXOTH for above in (folder.resolve(), *folder.resolve().parents))


def _unprivileged_user() -> str:
    """Return the user that a server runs as which refuses root: never nobody, whom others are too."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    raise ServiceError(
        "PostgreSQL refuses to run as root, and there is no user postgres to run it as: useradd --system postgres"
    )
