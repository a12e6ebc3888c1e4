"""Stalls of an event loop: what kept it from looking for events."""

from __future__ import annotations

from collections import Counter, defaultdict

from workbench.diagnosis.naming import Namer, Place
from workbench.diagnosis.tracks import Track
from workbench.results import Stall

#: An event loop is stalled when it has not looked for events for this long.
STALL_S = 0.05


def find_stalls(track: Track, namer: Namer) -> tuple[Stall, ...]:
    """Return the lines that kept the event loop of a thread from running, the longest first."""
    found: dict[Place, list[float]] = defaultdict(list)
    seconds, lines = 0.0, Counter[Place]()
    for look, (on_cpu, runqueue, waiting) in zip(track.looks, track.slices, strict=True):
        if look.stack >= 0 and namer.runs_in_loop(look.stack) and not namer.polls(look.stack):
            seconds += on_cpu + runqueue + waiting
            lines[namer.user_place(look.stack)] += 1
            continue
        if seconds >= STALL_S:
            found[lines.most_common(1)[0][0]].append(seconds)
        seconds, lines = 0.0, Counter()
    if seconds >= STALL_S:
        found[lines.most_common(1)[0][0]].append(seconds)
    stalls = [
        Stall(file=place.file, line=place.line, function=place.function, seconds=max(each), times=len(each))
        for place, each in found.items()
    ]
    return tuple(sorted(stalls, key=lambda stall: -stall.seconds))
