"""What ``workbench diagnose TARGET`` can run, and running it in a process of its own.

The task gets a fresh interpreter, so it may exit, kill itself or close all its files: the diagnosis is made by the
process that waits for it, from what the observer wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workbench import light
from workbench.diagnosis.assemble import assemble
from workbench.diagnosis.observer import protocol
from workbench.diagnosis.recorder import Recording, appears
from workbench.errors import TaskError, UsageError
from workbench.proc import descendants, states_of
from workbench.results import Diagnosis
from workbench.targets import did_you_mean

_GRACE_S, _LOOK_S = 2.0, 0.01
#: An application that is not through with its start and its requests by then hangs.
_REQUESTS_S = 40.0


@dataclass(frozen=True)
class Target:
    """Something to run: ``kind`` is ``code``, ``module``, ``script``, ``callable`` or ``request`` (``value:name``)."""

    kind: str
    value: str
    name: str = ""
    args: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = f"{self.value}:{self.name}"
        text = {"code": "-c …", "module": f"-m {self.value}", "callable": named, "request": named}
        return " ".join([text.get(self.kind, self.value), *map(shlex.quote, self.args)])


def parse_target(text: str, args: Sequence[str] = ()) -> Target:
    """Return the target that ``file.py``, ``file.py:callable`` or ``package.module:callable`` stands for.

    Raises
    ------
    UsageError
        It has none of these forms, or the file is not there.

    Examples
    --------
    >>> parse_target("json.tool:main")
    Target(kind='callable', value='json.tool', name='main', args=())
    """
    place, colon, name = text.rpartition(":")
    if not colon:
        place, name = text, ""
    is_file = place.endswith(".py") or os.sep in place
    if is_file and not Path(place).is_file():
        near = did_you_mean(Path(place).name, (path.name for path in Path(place).parent.glob("*.py")))
        raise UsageError(
            f"there is no file {place}{near or ': pass file.py, file.py:callable or package.module:callable'}"
        )
    if not is_file and not (colon and place and all(part.isidentifier() for part in place.split("."))):
        raise UsageError(f"{text!r} is no target: pass file.py, file.py:callable, package.module:callable, -m or -c")
    if colon and not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"{text!r} names no callable after the colon")
    return Target("callable" if colon else "script", place, name, tuple(args))


def is_application(text: str) -> bool:
    """Say whether a text names an application, as in ``file.py:app``, rather than a folder.

    Examples
    --------
    >>> is_application("app.py:app"), is_application("mysite/")
    (True, False)
    """
    return ":" in text and not Path(text).exists()


def diagnose_request(app: str, path: str, *, method: str = "GET") -> Diagnosis:
    """Say what bounds a request of a WSGI or ASGI application, such as one of Flask or FastAPI, and what would pay.

    The application runs in a process of its own and is asked there without a server: once to warm it up, then again and
    again for two seconds. Its databases are the real ones: of a Django project, `workbench.study_endpoint` studies a
    copy, and tries fixes.

    Parameters
    ----------
    app
        ``file.py:app`` or ``package.module:app``; a function without arguments that makes one is called.
    path
        What to ask for, as in ``/books/?page=2``.
    method
        ``GET`` or ``HEAD``: nothing that writes is done again and again.

    Returns
    -------
    Diagnosis
        ``runs`` is how often it was asked; all times are of all requests.

    Raises
    ------
    UsageError
        There is no such application, or it answers with an error.

    Examples
    --------
    >>> from workbench import diagnose_request
    >>> diagnose_request("wsgiref.simple_server:demo_app", "/").verdict
    'CPU-bound'
    """
    target = parse_target(app)
    if target.kind != "callable":
        raise UsageError(f"{app!r} names no application: pass file.py:app or package.module:app")
    if not path.startswith("/"):
        raise UsageError(f"{path!r} is no path: begin it with a slash")
    if method not in ("GET", "HEAD"):
        raise UsageError(f"{method} may write, and is not made again and again: pass GET or HEAD")
    return diagnose_target(
        Target("request", target.value, target.name, (path, method)), timeout_s=_REQUESTS_S
    ).diagnosis


@dataclass(frozen=True)
class Outcome:
    """A diagnosed run: ``exit_code`` is the task's own, as a shell would see it."""

    diagnosis: Diagnosis
    exit_code: int


def diagnose_target(target: Target, *, timeout_s: float | None = None, stdout: Any = None) -> Outcome:
    """Run a target in a fresh interpreter and diagnose it.

    Parameters
    ----------
    target
        What to run.
    timeout_s
        End the task, and all processes below it, after this many seconds; what ran until then is diagnosed, and that is
        no failure. Ctrl-C does the same, but is one.
    stdout
        Where the task's standard output goes (as in `subprocess.run`); by default where ours goes.

    Raises
    ------
    UsageError
        The target can't be run: no such module or callable, a syntax error, missing arguments.
    TaskError
        The task ended before anything was recorded.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        arguments = str(folder), json.dumps(asdict(target))
        # Not isolated: the task finds what it would find without us.
        command = light.command("workbench.diagnosis.child", *arguments, isolated=False)
        process = subprocess.Popen(command, stdout=stdout)
        end, as_asked = _wait(process, timeout_s)
        if (folder / "usage").exists():
            raise UsageError((folder / "usage").read_text())
        if not (folder / "start.json").exists():
            if as_asked:
                raise TaskError(f"{target} did not get to its end in {timeout_s:g} s: nothing was recorded")
            raise TaskError(f"{target} ended before anything was recorded (exit code {process.returncode})")
        if not (folder / "end.json").exists() and (folder / protocol.READY).exists():
            appears(folder / protocol.DONE)  # killed, or another program by now: only the observer knows
        recording, facts = _read(folder)
    failure = None if as_asked else end or facts.get("failure") or _failure(process.returncode)
    diagnosis = assemble(recording, str(target), facts.get("runs", 1), failure)
    if end:
        diagnosis = replace(diagnosis, reasons=(*diagnosis.reasons, end))
    code = 0 if as_asked else process.returncode
    return Outcome(diagnosis, 128 - code if code < 0 else code)


def _wait(process: subprocess.Popen[bytes], timeout_s: float | None) -> tuple[str, bool]:
    """Wait for the task; return why it was ended, if it was, and whether that was asked for beforehand."""
    try:
        process.wait(timeout_s)
        return "", False
    except subprocess.TimeoutExpired:
        _end(process)
        return f"ended after {timeout_s:g} s, as asked: this is what it did until then", True
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_GRACE_S)  # Ctrl-C went to the task as well
        _end(process)
        return "interrupted: this is what it did until then", False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the task, and then what it leaves behind, such as the workers of a pool."""
    below = descendants(process.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            break
    for number in (signal.SIGTERM, signal.SIGKILL):
        until_s = time.monotonic() + _GRACE_S
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(states_of(pid) - {"Z"} for pid in below) and time.monotonic() < until_s:
            time.sleep(_LOOK_S)


def _read(folder: Path) -> tuple[Recording, dict[str, Any]]:
    """Return the recording and what the child said at its end, if it came so far."""
    facts = json.loads((folder / "start.json").read_text())
    recording = Recording(facts["pid"], facts["tid"], facts["start_ns"], facts["start_ns"], {})
    recording.watcher_tid = facts["watcher_tid"]
    with contextlib.suppress(FileNotFoundError):
        recording.read(folder)
    ended = folder / "end.json"
    if ended.exists():
        facts |= json.loads(ended.read_text())
        recording.end_ns, recording.counters = facts["end_ns"], facts["counters"]
    else:
        recording.end_ns = max([recording.start_ns, *(tick.ns for tick in recording.ticks[-1:])])
    return recording, facts


def _failure(code: int) -> str | None:
    if code < 0:
        return f"ended by signal {signal.Signals(-code).name}"
    return f"exit code {code}" if code else None
