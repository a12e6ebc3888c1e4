"""A child in the project's own interpreter, and the orders it takes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from workbench.errors import TaskError, UsageError
from workbench.masking import masked
from workbench.proc import descendants

START = Path(__file__).parent / "inside" / "start.py"
#: What a child is not to inherit: it would load this process's packages, or behave as under a test.
NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "DJANGO_SETTINGS_MODULE", "COVERAGE_PROCESS_CONFIG")
#: How long an order may take, such as to import a project.
ORDER_S = 120.0


class ChildError(TaskError):
    """An order that a child refused: ``kind`` says why."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Child:
    """A process that holds the user's project; ended with ``close``, by ``with``, or with this process.

    Parameters
    ----------
    python
        The interpreter.
    private
        A folder that the child may write to.
    name
        What its log is called.
    """

    def __init__(self, python: str, private: Path, name: str) -> None:
        ours, theirs = socket.socketpair()
        self._log = private / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        with theirs, self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    [python, str(START), str(theirs.fileno()), str(os.getpid())], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, pass_fds=[theirs.fileno()], env=environment, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                ours.close()
                why = f"{python} can't be run: {error.strerror}"
                raise UsageError(f"{why}; pass --python with an interpreter") from None
        self._socket = ours
        self.wait_at_most(ORDER_S)
        self._lines = ours.makefile("rw", encoding="utf-8", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_at_most(self, seconds: float) -> None:
        """Say how long an order may take from now on."""
        self._socket.settimeout(seconds)

    def send(self, what: str, **order: Any) -> None:
        """Send an order; `reply` waits for it to be done."""
        try:
            self._lines.write(json.dumps({"do": what, **order}) + "\n")
            self._lines.flush()
        except OSError:
            raise self._gone() from None

    def reply(self) -> Any:
        """Return what came of the order.

        Raises
        ------
        ChildError
            The child refused it, did not end, or is gone.
        """
        try:
            line = self._lines.readline()
        except TimeoutError:
            waited = f"the request did not end in {self._socket.gettimeout():g} s"
            self.close()
            raise ChildError("endless", f"{waited}: pass a larger --budget if it takes so long") from None
        except OSError:
            line = ""
        if not line:
            raise self._gone()
        try:
            reply = json.loads(line)
        except json.JSONDecodeError:
            raise ChildError("gone", "the project wrote into a file that is not its own: our talk with it") from None
        if "error" in reply:
            raise ChildError(reply["error"], reply["text"])
        return reply["done"]

    def order(self, what: str, **order: Any) -> Any:
        """Send an order and return what came of it."""
        self.send(what, **order)
        return self.reply()

    def close(self) -> None:
        """End the process, and what the project started beside it, at once: nothing in it is worth keeping."""
        below = descendants(self._process.pid)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        with suppress(OSError):  # what was to be written has no reader any more
            self._lines.close()
        self._socket.close()

    def _gone(self) -> ChildError:
        code = self._process.wait(5)
        said = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        last = masked(said[-1].strip()) if said else "it said nothing"
        return ChildError("gone", f"the project's process ended with code {code}: {last}")
