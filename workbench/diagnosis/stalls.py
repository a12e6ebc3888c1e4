"""Stalls of an event loop: what kept it from looking for events."""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict

from workbench.diagnosis.naming import Namer, Place
from workbench.diagnosis.recorder import Recording
from workbench.diagnosis.tracks import Track
from workbench.results import Stall

#: An event loop is stalled when it has not looked for events for this long.
STALL_S = 0.05


def find_stalls(track: Track, namer: Namer, recording: Recording) -> tuple[Stall, ...]:
    """Return the lines that kept the event loop of a thread from running, the longest first."""
    found: dict[Place, list[float]] = defaultdict(list)
    seconds, lines, turn = 0.0, Counter[Place](), None

    def end() -> None:
        if seconds >= STALL_S:
            found[lines.most_common(1)[0][0]].append(seconds)

    turns = Turns(recording)
    for tick, (look, (on_cpu, runqueue, waiting)) in enumerate(
        zip(track.looks, track.slices, strict=True), track.first
    ):
        stalls = look.stack >= 0 and namer.runs_in_loop(look.stack) and not namer.polls(look.stack)
        now = turns.at(recording.ticks[tick].ns) if stalls else None
        if not stalls or now != turn:
            end()
            seconds, lines, turn = 0.0, Counter(), now
        if stalls:
            seconds += on_cpu + runqueue + waiting
            lines[namer.user_place(look.stack)] += 1
    end()
    stalls_found = [
        Stall(file=place.file, line=place.line, function=place.function, seconds=max(each), times=len(each))
        for place, each in found.items()
    ]
    return tuple(sorted(stalls_found, key=lambda stall: -stall.seconds))


class Turns:
    """Which turn of the loop it was: one that follows at once looks like more of the one before."""

    def __init__(self, recording: Recording) -> None:
        self._began_s = [turn for _, turn in recording.turns]

    def at(self, ns: int) -> float | None:
        """Return when the turn began that the loop was at work on; None where that was not seen."""
        place = bisect(self._began_s, ns / 1e9)
        return self._began_s[place - 1] if place else None
