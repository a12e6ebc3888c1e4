"""Diagnosing a process that runs already: nothing is loaded into it, and it is never stopped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from workbench import light
from workbench.diagnosis.assemble import assemble
from workbench.diagnosis.recorder import Recording, start_observer, stop_observer
from workbench.errors import TaskError, UsageError
from workbench.masking import get_logger
from workbench.proc import command_of, states_of
from workbench.results import Diagnosis

_log = get_logger(__name__)

_LOOK_S = 0.05
_LAYOUT_TIMEOUT_S = 20.0
#: What is marshalled of a layout that is not known.
_NO_LAYOUT = "4e"


def diagnose_process(pid: int, *, for_s: float = 10.0) -> Diagnosis:
    """Say what bounds a process that runs, and those below it, from outside.

    Parameters
    ----------
    pid
        Its process id. It may be any program; of one that is Python 3.11 or newer, lines are told.
    for_s
        Seconds to watch it, above 0; less if it ends before, or at Ctrl-C.

    Returns
    -------
    Diagnosis
        As of a task that was started here, but what tasks of an event loop await is not known: that needs code inside.

    Raises
    ------
    UsageError
        There is no such process, or it may not be looked into: it is another user's, or protects itself.
    TaskError
        It ended before anything was seen.

    Examples
    --------
    >>> import subprocess
    >>> from workbench import diagnose_process
    >>> program = subprocess.Popen(["sleep", "60"])
    >>> diagnose_process(program.pid, for_s=0.3).bound_by
    'sleep'
    >>> program.kill(); program.wait()
    -9
    """
    _refuse(pid)
    target = command_of(pid) or f"process {pid}"
    layout, image = _layout_of(pid)
    cwd = os.readlink(f"/proc/{pid}/cwd")
    with tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        observer = start_observer(pid, folder, layout, image)
        if observer is None:
            raise TaskError(f"process {pid} ended before anything was seen")
        end = _watch(pid, for_s)
        stop_observer(observer, folder)
        recording = Recording(pid, pid, 0, 0, {}, attached=True).read(folder)
    if len(recording.ticks) < 2 or (pid, pid) not in recording.threads:
        raise TaskError(f"process {pid} ended before anything was seen")
    for number, code in recording.codes.items():  # a script's file is named as it was typed
        if not code.file.startswith("<"):
            recording.codes[number] = code._replace(file=os.path.join(cwd, code.file))
    recording.start_ns, recording.end_ns = recording.ticks[0].ns, recording.ticks[-1].ns
    diagnosis = assemble(recording, target)
    return replace(diagnosis, reasons=(*diagnosis.reasons, end)) if end else diagnosis


def _refuse(pid: int) -> None:
    if pid == os.getpid():
        raise UsageError(f"process {pid} is this one: pass that of another")
    if not states_of(pid) - {"Z"}:
        raise UsageError(f"there is no process {pid}: pass the id of one that runs")
    try:
        for name in ("mem", "syscall"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                file.read(0)
    except OSError as error:
        raise UsageError(
            f"process {pid} may not be looked into ({error.strerror}): run this as its user, or with sudo, "
            "or start the program under workbench diagnose"
        ) from error


def _layout_of(pid: int) -> tuple[str, str]:
    """Return the layout of a process's memory, as a new process of the same interpreter tells it, and its file."""
    program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    command = [program, *light.command("workbench.diagnosis.layout")[1:]]
    if "python" not in os.path.basename(program):
        return _NO_LAYOUT, ""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_LAYOUT_TIMEOUT_S, stdin=subprocess.DEVNULL, check=True
        )
    except (OSError, subprocess.SubprocessError):
        _log.warning("%s does not tell how its memory is laid out: lines will be missing", program)
        return _NO_LAYOUT, ""
    layout, _, image = ended.stdout.strip().partition(" ")
    return layout, image


def _watch(pid: int, for_s: float) -> str:
    """Wait while a process runs; return why it was no longer watched, if that was not asked for."""
    until_s = time.monotonic() + for_s
    with contextlib.suppress(KeyboardInterrupt):
        while (left_s := until_s - time.monotonic()) > 0:
            if not states_of(pid) - {"Z"}:
                return "it ended while it was watched: this is what it did until then"
            time.sleep(min(_LOOK_S, left_s))
        return ""
    return "interrupted: this is what it did until then"
