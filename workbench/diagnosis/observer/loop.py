"""Watch a process and its children until told to stop, and write down what every thread does: `protocol` says how."""

from __future__ import annotations

import contextlib
import marshal
import os
import random
import signal
import time

from workbench.diagnosis.observer import protocol
from workbench.diagnosis.observer.memory import Memory, Stacks
from workbench.diagnosis.observer.protocol import RUNNING, packed
from workbench.diagnosis.observer.waits import Waits, own_core
from workbench.proc import command_of, detach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from workbench.diagnosis.observer.protocol import Message, SeenTuple

    Layout = dict[str, int]
    Numbered = Callable[..., int]
    Tell = Callable[[Message], None]

#: Mean seconds between two looks, by the age of the task. They are random, so as to see periodic work fairly.
INTERVALS = ((2.0, 0.003), (10.0, 0.005), (60.0, 0.008), (600.0, 0.02), (float("inf"), 0.05))
CHILDREN_EVERY_S = 0.02
CHOOSE_CORE_EVERY_S = 0.02
#: A task that ran in more than this share of the recent looks, about so many, is one that computes.
COMPUTES_FROM, RECENT_LOOKS = 0.1, 16
FLUSH_EVERY_S = 0.25
#: A stack that showed nothing is read again, so often, though the thread has not run since.
READ_AGAIN = 3
#: How often a stack is read until it is whole; an end that is not known is believed when it is read so often in a row.
TORN_READS, SURE = 8, 4
#: What stands for the code at the end of an empty stack.
NO_CODE = -2


class Numbers:
    """Gives each new thing a number and tells it once."""

    def __init__(self, message: type[protocol.Code | protocol.Stack | protocol.Wait], tell: Tell) -> None:
        self._message, self._tell = message, tell
        self._known: dict[tuple[object, ...], int] = {}

    def __call__(self, *thing: object) -> int:
        """Return the number of a thing."""
        number = self._known.get(thing)
        if number is None:
            number = self._known[thing] = len(self._known)
            self._tell(self._message(number, *thing))  # type: ignore[arg-type]
        return number


class Thread:
    """One thread: reads its files, kept open, and remembers what it was last seen doing."""

    def __init__(self, pid: int, tid: int) -> None:
        self.tid = tid
        folder = f"/proc/{pid}/task/{tid}/"
        self._schedstat = os.open(folder + "schedstat", os.O_RDONLY)
        self._stat = os.open(folder + "stat", os.O_RDONLY)
        self._status = os.open(folder + "status", os.O_RDONLY)
        try:
            self._syscall = os.open(folder + "syscall", os.O_RDONLY)
        except OSError:
            self._syscall = -1
        self.last: SeenTuple | None = None
        self.counters = b""
        #: The code of its outermost frame, once that is known.
        self.began_with = -1
        #: How often in a row its stack showed nothing: it may have changed while it was read.
        self.unread = 0
        with open(folder + "comm") as comm:
            self.name = comm.read().strip()

    def read_counters(self) -> bytes:
        """Return the line of ``schedstat``: ns on a core, ns ready for one, times on a core."""
        return os.pread(self._schedstat, 100, 0)

    def read_syscall(self) -> str:
        """Return the system call the thread is blocked in, or ``running``."""
        return os.pread(self._syscall, 200, 0).decode() if self._syscall >= 0 else "running"

    def has_core(self) -> bool:
        """Say whether the thread is on a core: it was put on one once more often than it was taken off."""
        status = os.pread(self._status, 4000, 0).split()
        taken_off = int(status[status.index(b"voluntary_ctxt_switches:") + 1]) + int(status[-1])
        return int(self.read_counters().split()[2]) > taken_off

    def core(self) -> int:
        """Return the core on which the thread ran last."""
        return int(os.pread(self._stat, 1000, 0).rpartition(b") ")[2].split()[36])

    def close(self) -> None:
        """Let go of the thread."""
        for fd in (self._schedstat, self._stat, self._status, self._syscall):
            if fd >= 0:
                os.close(fd)


class Process:
    """One process: its threads, and how to read its stacks and waits."""

    def __init__(
        self,
        pid: int,
        parent: int,
        layout: Layout | None,
        image: tuple[str, int] | None,
        tell: Tell,
        numbers: Sequence[Numbered],
    ) -> None:
        self.pid, self.parent, self.tell = pid, parent, tell
        self.number_wait, self.number_stack, number_code = numbers
        self.threads: dict[int, Thread] = {}
        self._tasks, self._links = f"/proc/{pid}/task", 0
        self.memory: Memory | None = None
        self.stacks: Stacks | None = None
        self.command, here = command_of(pid), _image(pid, image[0]) if image else 0
        with contextlib.suppress(OSError):
            self.memory = Memory(pid)
        if layout and image and self.memory and here:
            self.stacks = Stacks(self.memory, layout, here - image[1], number_code)
        self.waits = Waits(pid, self.memory, self.stacks, first=not parent)
        self._nothing = (protocol.NO_STACK, self.number_stack(()))
        tell(protocol.Process(pid, parent, self.command, self.stacks is not None))

    def look(self) -> tuple[list[SeenTuple], list[tuple[int, int]]]:
        """Return the threads that changed and those that ended."""
        if os.stat(self._tasks).st_nlink != self._links:  # threads came or went
            self.find_threads()
        changed, gone = [], []
        for tid, thread in self.threads.items():
            try:
                seen = self._look_at(thread)
            except OSError:
                gone.append(tid)
                continue
            if seen:
                changed.append(seen)
        for tid in gone:
            self.threads.pop(tid).close()
            self._links = 0
        return changed, [(self.pid, tid) for tid in gone]

    def find_threads(self) -> None:
        """Add the threads that are new."""
        self._links = os.stat(self._tasks).st_nlink
        for tid in map(int, os.listdir(self._tasks)):
            if tid not in self.threads:
                with contextlib.suppress(OSError):  # it has ended already
                    thread = self.threads[tid] = Thread(self.pid, tid)
                    self.tell(protocol.Thread(self.pid, tid, thread.name))

    def _look_at(self, thread: Thread) -> SeenTuple | None:
        counters = thread.read_counters()
        same = counters == thread.counters and thread.last and thread.last[protocol.SEEN_WAIT] != RUNNING
        if same and not 0 < thread.unread <= READ_AGAIN:
            return None  # it has not run since: it is in the same wait
        syscall = thread.read_syscall()
        wait, pace = RUNNING, protocol.OFF_CORE
        if syscall.startswith("running"):
            pace = self._pace(thread)
        else:
            with contextlib.suppress(OSError):
                wait = self.number_wait(*self.waits.name(syscall))
        stack = self._stack(thread)
        thread.unread = thread.unread + 1 if stack in self._nothing else 0
        on_cpu, runqueue = map(int, counters.split()[:2])
        seen = (self.pid, thread.tid, on_cpu, runqueue, wait, stack, pace)
        thread.counters, thread.last = counters, seen
        return seen

    def _pace(self, thread: Thread) -> int:
        """Tell what a thread that is ready to run does.

        Three reads of its innermost frame, a microsecond or two apart: Python moves from one instruction to the next
        between two of them, unless it has no core; a native call doesn't, if it takes that long.
        """
        first = second = third = b""
        left = False
        with contextlib.suppress(OSError):
            if self.stacks and (frame := self.stacks.frame(thread.tid)):
                first, second, third = (self.stacks.instant(frame) for _ in range(3))
                left = self.stacks.frame(thread.tid) != frame  # for that of a Python function it called
        if left or first != second:
            return protocol.CALLING if self._at(first, "calling_opcodes") else protocol.PYTHON
        if second == third and not thread.has_core():
            return protocol.DISPLACED if thread.core() == own_core() else protocol.OFF_CORE
        met_again = second != third and self._at(first, "quick_opcodes")  # in a tight loop, by chance
        if met_again or self._at(first, "inline_opcodes"):
            return protocol.PYTHON
        return protocol.NATIVE if second == third else protocol.SHORT

    def _at(self, instant: bytes, opcodes: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(instant) and self.stacks is not None and self.stacks.opcode_in(instant, opcodes)
        return False

    def _stack(self, thread: Thread) -> int:
        """Return the number of a thread's stack, which changes under our eyes: what is torn off is read again.

        A whole one ends with the function that the thread began with, or with another one that is seen again and again.
        """
        if self.stacks is None:
            return protocol.NO_STACK
        ends: list[int] = []
        for _ in range(TORN_READS):
            with contextlib.suppress(OSError):
                stack = self.stacks.stack(thread.tid)
                ends.append(stack[-1][0] if stack else NO_CODE)
                if ends[-1] == thread.began_with or ends[-SURE:] == [ends[-1]] * SURE:
                    thread.began_with = ends[-1]
                    return self.number_stack(stack)
        return protocol.NO_STACK

    def close(self) -> None:
        """Let go of the process."""
        for thread in self.threads.values():
            thread.close()
        self.waits.close()
        if self.memory:
            self.memory.close()


class Observer:
    """Watches a process tree and writes a recording into a folder."""

    def __init__(
        self, pid: int, folder: str, layout: Layout | None, image: str, ours: tuple[int, ...] = (), starter: int = 0
    ) -> None:
        self._pid, self._layout = pid, layout
        #: Whoever reads what is written; when it is gone, nobody does.
        self._starter = f"/proc/{starter or pid}"
        #: Processes that are the observer's own, though they stand below the task for a moment.
        self._ours = ours
        self._file = open(os.path.join(folder, protocol.RECORDING), "ab")  # noqa: SIM115
        self._buffer: list[tuple[Any, ...]] = []
        self._numbers = [Numbers(kind, self._tell) for kind in (protocol.Wait, protocol.Stack, protocol.Code)]
        self._image = (image, layout["image_base"]) if layout else None
        self._processes: dict[int, Process] = {}
        self._children_at = self._flush_at = self._core_at = 0.0
        self._cores, self._ran = os.sched_getaffinity(0), 1.0
        self.stopped = False
        self._add(pid, 0)

    def stop(self) -> None:
        """End `run` after one more look."""
        self.stopped = True

    def run(self) -> None:
        """Look again and again until stopped or the process has ended."""
        start, self._cpu_start = time.monotonic(), time.process_time()
        while not self.stopped and self._pid in self._processes:
            self.look()
            age = time.monotonic() - start
            mean = next(interval for until, interval in INTERVALS if age < until)
            time.sleep(mean * random.uniform(0.5, 1.5))
        if self._pid in self._processes:
            self.look()
        self._tell(protocol.End(time.monotonic_ns(), time.process_time() - self._cpu_start))
        self.flush()
        self._file.close()

    def look(self) -> None:
        """Take one look at every thread of every process."""
        now = time.monotonic()
        if now >= self._children_at:
            self._children_at = now + CHILDREN_EVERY_S
            self._find_children()
            self.stopped |= not os.path.exists(self._starter)
        changed: list[SeenTuple] = []
        gone: list[tuple[int, int]] = []
        at = time.monotonic_ns()
        for pid, process in list(self._processes.items()):
            try:
                seen, ended = process.look()
            except OSError:
                ended = [(pid, tid) for tid in process.threads]
                seen = []
                process.close()
                del self._processes[pid]
            changed += seen
            gone += ended
        self._tell(protocol.Tick(at, tuple(changed), tuple(gone)))  # type: ignore[arg-type]
        running = [seen for seen in changed if seen[protocol.SEEN_WAIT] == RUNNING]
        self._ran += (bool(running) - self._ran) / RECENT_LOOKS
        if now >= self._core_at and len(self._cores) > 1:
            self._core_at = now + CHOOSE_CORE_EVERY_S
            self._choose_core(running, changed)
        if now >= self._flush_at:
            self._flush_at = now + FLUSH_EVERY_S
            self.flush()

    def _choose_core(self, running: list[SeenTuple], changed: list[SeenTuple]) -> None:
        """Keep off the core of a task that computes, which we would stop to look at it; share that of one that waits.

        A core that wakes for two sleeps less deeply: a thread that waits there is back sooner than it is beside an
        observer that wakes another core.
        """
        computes = self._ran > COMPUTES_FROM
        for pid, tid, *_ in running if computes else changed:
            if pid in self._processes and (thread := self._processes[pid].threads.get(tid)):
                with contextlib.suppress(OSError):
                    core = thread.core()
                    if not computes and core != own_core():
                        os.sched_setaffinity(0, {core})
                    os.sched_setaffinity(0, self._cores - {core} if computes else self._cores)
                return

    def flush(self) -> None:
        """Write what was seen, so that it outlives the process and the observer."""
        protocol.write(self._file, self._buffer)
        self._buffer.clear()
        self._file.flush()

    def _tell(self, message: Message) -> None:
        self._buffer.append(packed(message))

    def _add(self, pid: int, parent: int) -> None:
        with contextlib.suppress(OSError):
            self._processes[pid] = Process(pid, parent, self._layout, self._image, self._tell, self._numbers)

    def _find_children(self) -> None:
        processes = list(self._processes.items())
        for pid, process in processes:  # grows: children of children are there from the first look on, too
            if not process.threads:
                with contextlib.suppress(OSError):
                    process.find_threads()
            for tid in process.threads:
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{tid}/children") as file:
                    for child in map(int, file.read().split()):
                        if child not in self._processes and child not in self._ours:
                            self._add(child, pid)
                            processes += [(child, self._processes[child])] if child in self._processes else []
            if command_of(pid) not in (process.command, ""):  # it has executed another program
                process.close()
                self._add(pid, process.parent)


def _image(pid: int, path: str) -> int:
    """Return where a process has mapped a file, or 0."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            if line.rstrip().endswith(path):
                return int(line.split("-")[0], 16)
    return 0


def main(pid: str, folder: str, layout: str, image: str) -> None:
    """Run as the observer of a process, and as no child of it, which ``os.wait()`` would find.

    ``layout`` is marshalled, in hex; ``image`` is the file that holds such an interpreter. The file `protocol.READY`
    says that it watches, `protocol.DONE` that it has ended.
    """
    starter = os.getppid()
    ours = detach(), os.getpid()
    observer = Observer(int(pid), folder, marshal.loads(bytes.fromhex(layout)), image, ours, starter)
    signal.signal(signal.SIGTERM, lambda *_: observer.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    observer.look()
    ready = os.path.join(folder, protocol.READY)
    with open(f"{ready}.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{ready}.part", ready)
    try:
        observer.run()
    finally:
        os.close(os.open(os.path.join(folder, protocol.DONE), os.O_CREAT))
