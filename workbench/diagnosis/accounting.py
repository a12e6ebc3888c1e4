"""From looks at threads to conserved time: where every second of every thread went.

Counters say exactly how long a thread was on a core, was ready for one, and neither. Looks at random moments say what
it executed or waited for. So the counters give the amounts, and the looks split them.
"""

from __future__ import annotations

import math
import os
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from workbench.diagnosis.naming import FUTURE, IDLE, JOIN, Namer, Settled
from workbench.diagnosis.observer.protocol import DISPLACED, EVENT_LOOP, FUTEX, LISTENING_ON, OFF_CORE, RUNNING
from workbench.diagnosis.recorder import Recording
from workbench.diagnosis.tracks import Look, Track, make_tracks, native_odds, runqueue_share
from workbench.proc import cores_allowed

#: Sleeps no longer than this, with at most this share of their time run in between, are a way of waiting for others.
_POLLING_S, _POLLING_RUNS = 0.06, 0.25
#: The share of all cores' time from which a task leaves nothing to be had.
_ALL_CORES = 0.8
#: A limit that lets so many tasks work at once is meant, and what they do is what is waited for.
_MEANT_LIMIT = 10
#: What tasks await holds for a moment, if it was seen no longer than this before or after.
_AWAITS_HOLD_NS = 60_000_000


class Where(NamedTuple):
    """What a piece of time went to: a part, what was waited for, the Python stack (−1: none) and the thread.

    ``via`` is the stack with which another process was waited for, and −1 in the task's own.
    """

    part: str
    target: str
    stack: int
    thread: tuple[int, int]
    via: int = -1


Seconds = defaultdict[Where, float]


def _of_process(pid: int, *waits: list[Where]) -> list[list[Where]]:
    """Return what threads of a process wait for; what all wait for where none of it waits."""
    own = [[where for where in each if where.thread[0] == pid] for each in waits]
    return own if any(own) else list(waits)


class Accounts:
    """Splits the wall time of threads, and of the task as a whole, into what it went to."""

    def __init__(self, recording: Recording, namer: Namer) -> None:
        self._recording, self._namer = recording, namer
        self.tracks = make_tracks(recording)
        self.main = self.tracks.get((recording.pid, recording.tid))
        self._native = {key: native_odds(track) for key, track in self.tracks.items()}
        self.readable = (
            recording.attached
            or bool(recording.waits)
            or any(process.python for process in recording.processes.values())
        )
        if not self.readable:  # what runs is taken for Python; the reasons say that it can't be told
            self._native |= {key: {} for key in self.tracks if key[0] == recording.pid}
        self._families: dict[tuple[int, int], list[Track]] = {}
        #: By the stack of a thread that waits for a lock: the stacks of the only other thread that did something.
        self.holders: dict[int, Counter[int]] = {}
        self._await_times = [at for at, _ in recording.awaits]
        #: Seconds that the task's thread waited for each of its children, by ``(child, stack)``.
        self.on_children: defaultdict[tuple[int, int], float] = defaultdict(float)

    def of(self, track: Track) -> Seconds:
        """Return the seconds of one thread by where they went; they add up to the time the thread was there."""
        seconds: Seconds = defaultdict(float)
        unseen_waiting = unseen_on_cpu = 0.0
        previous = track.looks[0]
        for offset, (look, (on_cpu, runqueue, waiting)) in enumerate(zip(track.looks, track.slices, strict=True)):
            running = look if look.wait == RUNNING else previous if previous.wait == RUNNING else None
            if running is not None:
                self._add_on_cpu(seconds, track, running.stack, running.pace, on_cpu)
            else:
                unseen_on_cpu += on_cpu
            seconds[Where("runqueue", "", look.stack, (track.pid, track.tid))] += runqueue
            if look.wait != RUNNING:
                for where, share in self._settle(track, look, track.first + offset):
                    seconds[where] += share * waiting
                    if track is self.main and where.thread[0] != track.pid:
                        child = self._child_of(track.pid, where.thread[0])
                        self.on_children[child, where.via if where.via >= 0 else where.stack] += share * waiting
            else:
                unseen_waiting += waiting
            previous = look
        self._spread_unseen(seconds, track, unseen_on_cpu, unseen_waiting)
        if track is self.main:
            self._move_kernel_work(seconds)
            self._move_unseen_children(seconds)
        return seconds

    def _add_on_cpu(self, seconds: Seconds, track: Track, stack: int, pace: int, amount: float) -> None:
        thread = (track.pid, track.tid)
        native = self._native[thread].get(pace, 0.0)
        seconds[Where("native", "", stack, thread)] += native * amount
        seconds[Where("python", "", stack, thread)] += (1 - native) * amount

    def _move_kernel_work(self, seconds: Seconds) -> None:
        """Count what the kernel did on a core for disk and network to these, where they took longer than that.

        Writing to a fast disk is part waiting and part the kernel's own work; neither would be there without the disk.
        What the kernel does at other lines, such as finding memory, stays where it was.
        """
        kernel_s = self._recording.counters.get("thread_system_s", 0.0)
        outside = {where: amount for where, amount in seconds.items() if where.part in ("disk", "network")}
        longest = max(outside, key=outside.__getitem__, default=None)
        if longest is None or math.fsum(outside.values()) < kernel_s:
            return
        # Calls to a disk are often too short to be seen as native: then Python's time holds the rest of that work.
        lines = {self._namer.user_place(where.stack) for where in outside}
        for part in ("native", "python") if longest.part == "disk" else ("native",):
            there = [where for where in seconds if self._namer.user_place(where.stack) in lines]
            kernel_s -= _move(seconds, part, kernel_s, to=longest, among=there)

    def _move_unseen_children(self, seconds: Seconds) -> None:
        """Count what children computed that ended before they were looked at: the kernel tells how much that was.

        They waited for a core as the others of the task did.
        """
        seen_s = math.fsum(track.totals()[0] for track in self.tracks.values() if track.pid != self._recording.pid)
        unseen_s = self._recording.counters.get("children_s", 0.0) - seen_s
        unseen_s = _move(seconds, "child", unseen_s, to=Where("native", "", -1, (0, 0)))
        on_cpu, runqueue, _ = (
            math.fsum(column) for column in zip(*map(Track.totals, self.tracks.values()), strict=True)
        )
        queued_s = unseen_s * runqueue / on_cpu if on_cpu else 0.0
        _move(seconds, "child", queued_s, to=Where("runqueue", "", -1, (0, 0)))

    def _spread_unseen(self, seconds: Seconds, track: Track, on_cpu: float, waiting: float) -> None:
        """Share out time that fell between two looks as the looks of that thread show it on the whole."""
        total = track.seen_running.total()
        for (stack, pace), count in track.seen_running.items():
            self._add_on_cpu(seconds, track, stack, pace, on_cpu * count / total)
        if not total and on_cpu:
            python = "python" if self._readable(track) and track.looks[-1].stack >= 0 else "native"
            seconds[Where(python, "", track.looks[-1].stack, (track.pid, track.tid))] += on_cpu
        total = track.seen_waiting.total()
        for (wait, stack), count in track.seen_waiting.items():
            for where, share in self._settle(track, Look(wait, stack, OFF_CORE), track.last):
                seconds[where] += share * waiting * count / total
        if not total and waiting:
            seconds[Where("other", "waits too short to be seen", -1, (track.pid, track.tid))] += waiting

    def episodes(self) -> dict[tuple[str, str, int], list[float]]:
        """Return how long each wait was that was seen in the task's own threads, by part, target and stack."""
        found: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
        for track in self.tracks.values():
            before, each = None, list[float]()
            for look in track.looks if track.pid == self._recording.pid else ():
                if before is not None and look is not before and look.wait == before.wait != RUNNING and not look.ran_s:
                    each[-1] += look.seconds  # it was looked at once more, and has not run
                elif look is not before and look.wait != RUNNING:
                    settled = self._namer.settle(look.wait, look.stack, self._readable(track))
                    part = settled.alone if settled.alone == "child" else settled.part
                    each = found[part, settled.target, look.stack]
                    each.append(look.seconds)
                before = look
        return found

    def on_cpu_s(self) -> float:
        """Return the CPU time that was seen, of the task and its children."""
        return math.fsum(track.totals()[0] for track in self.tracks.values())

    def overhead_s(self) -> float:
        """Return the time that diagnosing took from the task: in it, and on the cores that it wanted.

        The observer works on a core of its own where there is one; the looks that found it on the core of a ready
        thread tell how often there was none.
        """
        ready = displaced = 0
        for track in self.tracks.values():
            ready += track.seen_running.total()
            displaced += sum(n for (_, pace), n in track.seen_running.items() if pace == DISPLACED)
        share = displaced / ready if ready else 0.0
        return self._recording.watcher_cpu_s + self._recording.observer_cpu_s * share

    def crowds_itself(self) -> bool:
        """Say whether the task and its children alone take nearly all the cores they are allowed."""
        wall_s = (self._recording.end_ns - self._recording.start_ns) / 1e9
        return self.on_cpu_s() >= _ALL_CORES * cores_allowed() * wall_s

    def _readable(self, track: Track) -> bool:
        return self._recording.processes[track.pid].python

    def _settle(self, track: Track, look: Look, tick: int) -> Iterable[tuple[Where, float]]:
        """Return what a wait stands for, with shares that add up to one."""
        settled = self._namer.settle(look.wait, look.stack, self._readable(track))
        if settled.part == IDLE and track.pid == track.tid:
            settled = settled._replace(part=JOIN)  # a program's first thread is not one that waits for work
        thread = (track.pid, track.tid)
        self._note_holder(track, look, settled, tick)
        polling = settled.part == "sleep" and look.seconds <= _POLLING_S and look.ran_s <= _POLLING_RUNS * look.seconds
        shares: list[tuple[Where, float]] = []
        if settled.target.startswith(LISTENING_ON):  # while it waits for clients, its others do what these ask for
            shares = list(self._joined(track, look, settled, tick))
            if any(where.part != "sleep" for where, _ in shares):
                return shares
        if look.stack >= 0 and track is self.main and self._await_times and self._namer.polls(look.stack):
            awaited = self._awaited(track, look, settled, tick)
            if awaited:
                return awaited
        if not shares and (settled.part == JOIN or polling):
            shares = list(self._joined(track, look, settled, tick))
        if shares:
            return shares
        if settled.part == JOIN and (child := self._only_child(track, settled, tick)):
            return [(Where("child", "", look.stack, (child, child)), 1.0)]
        where = Where(settled.alone, settled.target, look.stack, thread)
        return [(self._unless_crowded(track, where, settled, tick), 1.0)]

    def _awaited(self, track: Track, look: Look, settled: Settled, tick: int) -> list[tuple[Where, float]]:
        """Tell the time that an event loop polls as what its tasks await; empty when that is not known."""
        nearest = bisect(self._await_times, self._recording.ticks[tick].ns)
        at, tasks = self._recording.awaits[min(nearest, len(self._await_times) - 1)]
        if abs(at - self._recording.ticks[tick].ns) > _AWAITS_HOLD_NS:
            return []
        found: dict[str, list[int]] = {}
        for awaiting in tasks:
            part, stack = self._namer.awaits(awaiting)
            found.setdefault(part, []).append(stack)
        # As with threads: who wants a lock goes before those that wait for the outside, and these before sleepers.
        holders = sum(len(stacks) for part, stacks in found.items() if part not in ("lock", JOIN))
        if (locked := found.get("lock")) and holders < _MEANT_LIMIT:
            return self._evenly(track, "lock", self._namer.lock_name(locked[0]), locked)
        futures = found.get(FUTURE, [])
        if futures and settled.part in ("network", "disk"):
            return self._evenly(track, settled.part, settled.target, futures)
        if children := found.get("child"):
            return list(self._joined(track, replace(look, stack=children[0]), settled, tick))
        sleeping = found.get("sleep", [])
        # While a server waits for clients alone, what its tasks wait for from them is not what it waits for.
        if futures and not (sleeping and settled.target.startswith(LISTENING_ON)):
            return []
        return self._evenly(track, "sleep", "sleep", sleeping)

    def _evenly(self, track: Track, part: str, target: str, stacks: list[int]) -> list[tuple[Where, float]]:
        return [(Where(part, target, stack, (track.pid, track.tid)), 1 / len(stacks)) for stack in stacks]

    def _unless_crowded(self, track: Track, where: Where, settled: Settled, tick: int) -> Where:
        """Tell a wait for the GIL as run queue when whoever may hold it, the threads that are ready, had no core."""
        if where.part != "gil":
            return where
        ready = {
            seen.pace
            for other, seen in self._others(track, settled, tick)
            if other.pid == track.pid and seen.wait == RUNNING
        }
        return where._replace(part="runqueue", target="") if ready == {OFF_CORE} else where

    def _note_holder(self, track: Track, look: Look, settled: Settled, tick: int) -> None:
        """Note who holds the lock that a thread waits for: the only other thread that neither waits so nor idles.

        Who holds the lock on a file may well be another process.
        """
        if settled.part != "lock" or os.path.isabs(settled.target):
            return
        active = [
            seen.stack
            for other, seen in self._others(track, settled, tick)
            if other.pid == track.pid
            and seen.stack >= 0
            and (
                seen.wait == RUNNING
                or self._namer.settle(seen.wait, seen.stack, self._readable(other)).part not in ("lock", JOIN, IDLE)
            )
        ]
        if len(active) == 1:
            self.holders.setdefault(look.stack, Counter())[active[0]] += 1

    def _only_child(self, track: Track, settled: Settled, tick: int) -> int:
        """Return the child that a thread waits for when none is seen to do anything; 0 when there is none."""
        children = {
            self._child_of(track.pid, other.pid)
            for other, _ in self._others(track, settled, tick)
            if other.pid != track.pid
        }
        return min(children, default=0)

    def _child_of(self, pid: int, descendant: int) -> int:
        """Return the child of a process through which another descends from it."""
        processes = self._recording.processes
        while descendant in processes and processes[descendant].parent != pid:
            descendant = processes[descendant].parent
        return descendant

    def _joined(self, track: Track, look: Look, settled: Settled, tick: int) -> Iterator[tuple[Where, float]]:
        """Tell the time spent waiting for own threads and children as what those did at that moment.

        Whoever wants a core, the GIL or a lock goes before those that wait for the outside, and these before sleepers.
        """
        running: list[tuple[Track, Look]] = []
        contending: list[Where] = []
        waiting: dict[bool, list[Where]] = {False: [], True: []}
        sleeping: list[Where] = []
        listening: list[Where] = []
        for other, seen in self._others(track, settled, tick):
            stack, via = self._stacks(track, look, other, seen)
            thread = (other.pid, other.tid)
            if seen.wait == RUNNING:
                running.append((other, seen))
                continue
            what = self._namer.settle(seen.wait, seen.stack, self._readable(other))
            if what.target == EVENT_LOOP and not self._was_there(other):  # it waits for nobody outside
                what = Settled("sleep", "sleep", "sleep")
            if what.part in (JOIN, IDLE) or not self._is_own(track, other, seen, settled):
                continue
            where = Where(what.part, what.target, stack, thread, via)
            if what.part in ("gil", "lock"):
                contending.append(self._unless_crowded(other, where, what, tick))
                self._note_holder(other, seen, what, tick)
            elif what.target.startswith(LISTENING_ON):  # for somebody who may never come
                listening.append(where)
            elif what.part == "sleep":
                sleeping.append(where)
            else:
                waiting[self._was_there(other)].append(where)
        if running or contending:
            share = 1 / (len(running) + len(contending))
            yield from self._running(track, look, running, share)
            yield from ((where, share) for where in contending)
        else:
            if self._recording.waits.get(look.wait, ("", ""))[0] == FUTEX:
                # Only threads of the process itself can end that; what children wait for is their own business.
                waiting[False], sleeping = _of_process(track.pid, waiting[False], sleeping)
            # Threads that were there before the task began are likely to wait for something else.
            rest = waiting[False] or sleeping or waiting[True] or listening
            yield from ((where, 1 / len(rest)) for where in rest)

    def _stacks(self, track: Track, look: Look, other: Track, seen: Look) -> tuple[int, int]:
        """Return the stack of what another thread does, and the one with which its process is waited for.

        Where a thread's own can't be read, or is nobody's code, that is the line that waits for it.
        """
        via = look.stack if other.pid != track.pid else -1
        readable = seen.stack >= 0 and (via < 0 or bool(self._namer.user_place(seen.stack).file))
        return (seen.stack if readable else look.stack), via

    def _is_own(self, track: Track, other: Track, seen: Look, settled: Settled) -> bool:
        """Say whether one that only waits does so for the task: all that it started, and what it waits for by name.

        What was there before is not, such as a server, or the threads that carry a notebook's messages; but a thread
        that joins others may join those of a pool that was there before.
        """
        first = self.tracks.get((other.pid, other.pid), other) if other.pid != track.pid else other
        if not self._was_there(first):
            return True
        if settled.part != JOIN or seen is other.looks[0]:
            return False
        return seen.stack >= 0 if other.pid == track.pid else settled.child != 0

    def _was_there(self, track: Track) -> bool:
        """Say whether a thread was there before the task began."""
        return track.first == 0 and not self._recording.attached

    def _running(
        self, track: Track, look: Look, running: list[tuple[Track, Look]], share: float
    ) -> Iterator[tuple[Where, float]]:
        """Share out the moment among threads that are ready; it is run queue only when none of them had a core."""
        off_core = [runqueue_share(other) for other, _ in running]
        nobody = math.prod(off_core)
        somebody = sum(1 - off for off in off_core) or 1.0
        for (other, seen), off in zip(running, off_core, strict=True):
            stack, via = self._stacks(track, look, other, seen)
            thread = (other.pid, other.tid)
            native = self._native[thread].get(seen.pace, 0.0)
            on_core = share * len(running) * (1 - nobody) * (1 - off) / somebody
            yield Where("runqueue", "", stack, thread, via), share * nobody
            yield Where("native", "", stack, thread, via), on_core * native
            yield Where("python", "", stack, thread, via), on_core * (1 - native)

    def _others(self, track: Track, settled: Settled, tick: int) -> Iterator[tuple[Track, Look]]:
        if settled.child and settled.child not in self._recording.processes:
            return  # a child that came and went unseen: what others do says nothing about it
        key = (track.pid, settled.child)
        if key not in self._families:
            self._families[key] = list(self._family(track.pid, settled.child))
        for other in self._families[key]:
            if other is not track and other.first <= tick <= other.last:
                yield other, other.looks[tick - other.first]

    def _family(self, pid: int, child: int) -> Iterator[Track]:
        """Yield the threads of a process and its descendants, or of one child and its descendants."""
        processes = self._recording.processes
        top = child if child in processes else pid
        for track in self.tracks.values():
            ancestor = track.pid
            while ancestor != top and ancestor in processes:
                ancestor = processes[ancestor].parent
            if ancestor == top:
                yield track


def _move(seconds: Seconds, part: str, amount: float, *, to: Where, among: Iterable[Where] | None = None) -> float:
    """Count up to this much of a part, at the lines where it was, to another one; return how much was moved."""
    found = {where: seconds[where] for where in (seconds if among is None else among) if where.part == part}
    held_s = math.fsum(found.values())
    moved_s = max(0.0, min(amount, held_s))
    for where, held in found.items():
        share = moved_s / held_s if held_s else 0.0
        seconds[where] -= share * held
        seconds[where._replace(part=to.part, target=to.target)] += share * held
    return moved_s
