"""A request starts no program and signals no process; what the project starts when it is imported, it starts."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

from .refusals import RefusedAct, count

_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn")
_started = False


def guard() -> None:
    """Refuse signals to others at once, and programs from `project_has_started` on."""
    sys.addaudithook(_audit)
    try:
        import _posixsubprocess
    except ImportError:
        return
    plain = _posixsubprocess.fork_exec

    def fork_exec(args: Any, *others: Any) -> Any:
        """Refuse what multiprocessing starts: no event tells of it."""
        _refuse_program(args)
        return plain(args, *others)

    _posixsubprocess.fork_exec = fork_exec
    if hasattr(signal, "pidfd_send_signal"):
        signal.pidfd_send_signal = lambda *_: _refuse_signal("a process")


def project_has_started() -> None:
    """From here on no program is started: as with manage.py, importing a project may have started some."""
    global _started
    _started = True


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _STARTS:
        _refuse_program(args[:2])
    elif event in ("os.kill", "os.killpg") and args[1] and (event == "os.killpg" or args[0] != os.getpid()):
        _refuse_signal(f"process {args[0]}")


def _refuse_program(args: Any) -> None:
    name = _name(args)
    count("processes", name)
    if _started:
        raise RefusedAct(errno.EPERM, f"the study starts no program: {name}", asks=name, does="starts")


def _refuse_signal(whom: str) -> Any:
    count("signals", whom)
    raise RefusedAct(errno.EPERM, f"the study signals no process: {whom}", asks=whom, does="signals")


def _name(args: Any) -> str:
    """Return the name of a program, without its words: they may hold secrets."""
    for one in args or ():
        if isinstance(one, (str, bytes, os.PathLike)):
            words = os.fsdecode(one).split()
            return os.path.basename(words[0]) if words else "a program"
    return "a process of its own"
