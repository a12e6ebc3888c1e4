"""Looks at threads put in order: what each thread did at every tick, and how its time splits by its counters.

Counters say exactly how long a thread was on a core, was ready for one, and neither.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from workbench.diagnosis.observer.protocol import (
    CALLING,
    DISPLACED,
    NATIVE,
    NO_STACK,
    OFF_CORE,
    PYTHON,
    RUNNING,
    SHORT,
    Seen,
)
from workbench.diagnosis.recorder import Recording

#: The share of a thread's looks at Python that find it at calls into C, from which these are what its time goes to.
_MOSTLY_CALLS = 2 / 3
#: The counters of a thread that is ready may lag behind by about this much.
_LAG_S = 0.012


@dataclass(slots=True)
class Look:
    """What a thread was seen doing, for as long as it did not run in between (``seconds``).

    ``ran_s`` is how long it was on a core since it was in the same wait before.
    """

    wait: int
    stack: int
    pace: int
    seconds: float = 0.0
    ran_s: float = math.inf


@dataclass
class Track:
    """One thread over time: a look and a slice ``(on_cpu_s, runqueue_s, waiting_s)`` a tick, from ``first`` on."""

    pid: int
    tid: int
    first: int
    on_cpu_ns: int
    runqueue_ns: int
    looks: list[Look] = field(default_factory=list)
    slices: list[tuple[float, float, float]] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    seen_running: Counter[tuple[int, int]] = field(default_factory=Counter)
    seen_waiting: Counter[tuple[int, int]] = field(default_factory=Counter)
    on_cpu_ns_at: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, seen: Seen, seconds: float) -> None:
        """Add a look, ``seconds`` after the one before; the time is split when the counters are up to date."""
        self.looks.append(Look(seen.wait, seen.stack, seen.pace))
        self.open.append(seconds)
        if seen.wait == RUNNING:
            self.seen_running[seen.stack, seen.pace] += 1
        else:
            self.seen_waiting[seen.wait, seen.stack] += 1
            if (before_ns := self.on_cpu_ns_at.get((seen.wait, seen.stack))) is not None:
                self.looks[-1].ran_s = (seen.on_cpu_ns - before_ns) / 1e9
            self.on_cpu_ns_at[seen.wait, seen.stack] = seen.on_cpu_ns
            # A thread that is not ready has its counters up to date.
            self.close(seen.on_cpu_ns, seen.runqueue_ns)

    def skip(self, seconds: float) -> None:
        """Add time in which the thread was not looked at."""
        self.looks.append(Look(RUNNING, NO_STACK, OFF_CORE))
        self.open.append(seconds)

    def go_on(self, seconds: float) -> None:
        """Add a look that showed what the one before did: the thread did not run."""
        self.looks.append(self.looks[-1])
        self.slices.append((0.0, 0.0, seconds))
        self.looks[-1].seconds += seconds

    def close(self, on_cpu_ns: int, runqueue_ns: int) -> None:
        """Split the time since the counters were last up to date."""
        total = sum(self.open)
        on_cpu, runqueue = (on_cpu_ns - self.on_cpu_ns) / 1e9, (runqueue_ns - self.runqueue_ns) / 1e9
        ready = on_cpu + runqueue
        lags = self.looks[-1].wait == RUNNING and total - ready < _LAG_S
        scale = 1 / (ready if lags and ready else max(total, ready)) if total else 0.0
        on_cpu, runqueue = on_cpu * scale, runqueue * scale
        self.slices += [(part * on_cpu, part * runqueue, part * max(0.0, 1 - on_cpu - runqueue)) for part in self.open]
        if self.open:
            self.looks[-1].seconds += self.slices[-1][2]
        self.open.clear()
        self.on_cpu_ns, self.runqueue_ns = on_cpu_ns, runqueue_ns

    @property
    def last(self) -> int:
        """The index of the last tick at which the thread was there."""
        return self.first + len(self.looks) - 1

    def totals(self) -> tuple[float, float, float]:
        """Return the seconds on a core, ready for one, and waiting."""
        on_cpu, runqueue, waiting = (math.fsum(column) for column in zip(*self.slices, strict=True))
        return on_cpu, runqueue, waiting


def make_tracks(recording: Recording) -> dict[tuple[int, int], Track]:
    """Return every thread's track over the time between the recording's start and end."""
    tracks: dict[tuple[int, int], Track] = {}
    alive: set[tuple[int, int]] = set()
    before = recording.start_ns
    latest: dict[tuple[int, int], Seen] = {}
    main = (recording.pid, recording.tid)
    early: Seen | None = None
    for index, tick in enumerate(recording.ticks):
        now = min(max(tick.ns, recording.start_ns), recording.end_ns)
        seconds, before = (now - before) / 1e9, now
        changed = {(seen.pid, seen.tid): seen for seen in tick.seen if seen.tid != recording.watcher_tid}
        for key in alive - changed.keys() - set(tick.gone):
            if key == main and early is not None and tick.ns > recording.start_ns:
                # It has run since it started the recording, so what seemed to be seen before was seen after that.
                tracks[key].add(early, seconds)
                early = None
            else:
                tracks[key].go_on(seconds)
        for key, seen in changed.items():
            if key not in tracks:
                # The counters of a thread born under our eyes began at zero.
                start = (seen.on_cpu_ns, seen.runqueue_ns) if index == 0 else (0, 0)
                tracks[key] = Track(*key, index, *start)
                alive.add(key)
            latest[key] = seen
            if key == main and not recording.start_ns <= tick.ns <= recording.end_ns:
                tracks[key].skip(seconds)  # it started or stopped the recording
                early = seen
                if not seconds:
                    tracks[key].close(seen.on_cpu_ns, seen.runqueue_ns)
            else:
                tracks[key].add(seen, seconds)
                if key == main:
                    early = None
        alive -= set(tick.gone)
    for key, track in tracks.items():
        track.close(latest[key].on_cpu_ns, latest[key].runqueue_ns)
    return tracks


def runqueue_share(track: Track) -> float:
    """Return the share of a thread's ready time that it had no core for."""
    on_cpu, runqueue, _ = track.totals()
    return runqueue / (on_cpu + runqueue) if runqueue else 0.0


def native_odds(track: Track) -> dict[int, float]:
    """Return, for each pace that a look may show, the probability that the thread was in native code.

    For each native call that ended between the second and the third read of a look, another one, most likely, ended
    between the first and the second, and was taken for Python. Still shorter ones are never seen to stand still, but in
    a loop around them nearly all looks find the thread at the instruction that calls. And a thread loses its core in
    native code and in Python alike, so the looks that find it without one are told as the others are.
    """
    looks = Counter[int]()
    for (_, pace), count in track.seen_running.items():
        looks[pace] += count
    moved = looks[PYTHON] + looks[CALLING]
    if looks[CALLING] > _MOSTLY_CALLS * moved:
        odds = {CALLING: 1.0, PYTHON: 0.0}
    else:
        odds = dict.fromkeys((CALLING, PYTHON), min(1.0, looks[SHORT] / moved) if moved else 0.0)
    odds |= {NATIVE: 1.0, SHORT: 1.0}
    known = sum(looks[pace] for pace in odds)
    overall = sum(looks[pace] * chance for pace, chance in odds.items()) / known if known else 0.0
    return {**odds, OFF_CORE: overall, DISPLACED: overall}
