"""Start and stop the observer of this process, and read what it wrote."""

from __future__ import annotations

import contextlib
import marshal
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from workbench import light
from workbench.diagnosis.awaits import AwaitWatcher
from workbench.diagnosis.layout import find_layout, image_of
from workbench.diagnosis.observer import protocol
from workbench.masking import get_logger
from workbench.proc import set_process_option

_log = get_logger(__name__)

#: A task that ends sooner is repeated until it has run for this long.
REPEAT_UNTIL_S = 0.5

_PR_SET_PTRACER, _ANY = 0x59616D61, -1
_START_TIMEOUT_S = 10.0


@dataclass
class Recording:
    """What the observer saw, and what the studied process's own counters said at the start and the end."""

    pid: int
    tid: int
    start_ns: int
    end_ns: int
    counters: dict[str, float]
    ticks: list[protocol.Tick] = field(default_factory=list)
    codes: dict[int, protocol.Code] = field(default_factory=dict)
    stacks: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    waits: dict[int, tuple[str, str]] = field(default_factory=dict)
    processes: dict[int, protocol.Process] = field(default_factory=dict)
    threads: dict[tuple[int, int], str] = field(default_factory=dict)
    watcher_tid: int = 0
    watcher_cpu_s: float = 0.0
    awaits: list[tuple[int, tuple[protocol.Awaiting, ...]]] = field(default_factory=list)
    turns: list[tuple[int, float]] = field(default_factory=list)
    observer_cpu_s: float = 0.0
    #: Whether the task was there, with all its threads and children, before the recording began.
    attached: bool = False

    def read(self, folder: Path) -> Self:
        """Add what the observer and the watcher within wrote into a folder."""
        for name in (protocol.RECORDING, protocol.AWAITS):
            with contextlib.suppress(FileNotFoundError), open(folder / name, "rb") as file:
                for message in protocol.read(file):
                    self.add(message)
        return self

    def add(self, message: protocol.Message) -> None:
        """Add what one message says."""
        match message:
            case protocol.Tick():
                self.ticks.append(message)
            case protocol.Code():
                self.codes[message.number] = message
            case protocol.Stack():
                self.stacks[message.number] = message.frames
            case protocol.Wait():
                self.waits[message.number] = message.kind, message.target
            case protocol.Process():
                self.processes[message.pid] = message
            case protocol.Thread():
                self.threads[message.pid, message.tid] = message.name
            case protocol.Awaits():
                self.watcher_tid, self.watcher_cpu_s = message.tid, message.cpu_s
                self.awaits += message.seen
                self.turns += message.turns
            case protocol.End():
                self.observer_cpu_s = message.cpu_s


class Recorder:
    """Records this process from `start` to `stop`, seen from the thread that calls `start`.

    With a ``folder``, the recording is left there; otherwise it is kept in a temporary one until `stop`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._given, self._folder = folder, folder
        self._observer: int | None = None
        self._awaits: AwaitWatcher | None = None
        self.tid = self.start_ns = 0

    def start(self) -> None:
        """Start the observer, where this system allows one, and wait until it watches."""
        self._pid, self.tid = os.getpid(), threading.get_native_id()
        if sys.platform.startswith("linux") and sys.executable and os.path.isdir("/proc/self/task"):
            self._folder = self._given or Path(tempfile.mkdtemp(prefix="workbench-"))
            layout = find_layout()
            _allow_observer()
            self._observer = start_observer(self._pid, self._folder, marshal.dumps(layout).hex(), image_of(layout))
        # In a folder that is left behind, what was seen outlives us; else it writes no file, which is the task's to do.
        file = str(self._given.absolute() / protocol.AWAITS) if self._given is not None else ""
        self._awaits = AwaitWatcher(threading.get_ident(), file)
        self._awaits.start()
        self._usage = _usage()
        self.start_ns = time.monotonic_ns()

    def stop(self) -> Recording:
        """Stop the observer and return what it recorded; after a fork, only the first process has anything."""
        end_ns = time.monotonic_ns()
        usage = _usage()
        counters = {name: usage[name] - before for name, before in self._usage.items()}
        recording = Recording(self._pid, self.tid, self.start_ns, end_ns, counters)
        if self._folder is None or os.getpid() != self._pid:
            return recording
        assert self._awaits is not None
        self._awaits.stop()
        try:
            stop_observer(self._observer, self._folder)
            if self._observer is None:
                return recording
            watched = self._awaits
            recording.add(protocol.Awaits(watched.tid, watched.cpu_s, tuple(watched.seen), tuple(watched.turns)))
            return recording.read(self._folder)
        finally:
            if self._given is None:
                shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def watcher_tid(self) -> int:
        """The thread, in this process, that watches the event loop."""
        return self._awaits.tid if self._awaits is not None else 0


def start_observer(pid: int, folder: Path, layout: str, image: str) -> int | None:
    """Start the observer of a process, which writes into a folder; return its process id, None where it fails.

    ``layout`` and ``image`` say how to read its memory: see `workbench.diagnosis.layout.main`.
    """
    command = light.command("workbench.diagnosis.observer.loop", str(pid), str(folder), layout, image)
    with open(folder / "log", "wb") as log:
        started = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    ready = folder / protocol.READY
    if started.returncode or not appears(ready):
        _log.warning("the observer did not start: %s", (folder / "log").read_text().strip()[-500:])
        return None
    return int(ready.read_text())


def stop_observer(observer: int | None, folder: Path) -> None:
    """Stop the observer, and wait until it has written all it saw."""
    if observer is None:
        return
    try:
        os.kill(observer, 15)
    except ProcessLookupError:
        if not (folder / protocol.DONE).exists():
            _log.warning("the observer ended early: %s", (folder / "log").read_text().strip()[-500:])
        return
    if not appears(folder / protocol.DONE):
        _log.warning("the observer did not end in time")


def appears(path: Path, timeout_s: float = _START_TIMEOUT_S) -> bool:
    """Wait for a file that the observer makes; say whether it is there."""
    until = time.monotonic() + timeout_s
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def _allow_observer() -> None:
    """Let other processes of this user read this one, where Yama would refuse."""
    try:
        restricted = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() == "1"
    except OSError:
        return
    if restricted:
        set_process_option(_PR_SET_PTRACER, _ANY)


def _usage() -> dict[str, float]:
    """Return the CPU seconds, in user and system mode and of ended children, and bytes and switches counted so far."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF))
    return {
        "user_s": own.ru_utime,
        "system_s": own.ru_stime,
        "thread_system_s": thread.ru_stime,
        "children_s": children.ru_utime + children.ru_stime,
        "voluntary_switches": own.ru_nvcsw,
        "involuntary_switches": own.ru_nivcsw,
        **_runqueue(),
        **_io_bytes(),
    }


def _runqueue() -> dict[str, float]:
    """Return the seconds that this thread was ready to run and had no core, where the kernel tells."""
    try:
        return {"runqueue_s": int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9}
    except OSError:
        return {}


def _io_bytes() -> dict[str, float]:
    try:
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    except OSError:
        return {}
    return {"read_bytes": float(fields["read_bytes"]), "written_bytes": float(fields["write_bytes"])}
