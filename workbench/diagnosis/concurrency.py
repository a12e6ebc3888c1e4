"""How many tasks of an event loop wait at a line at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from workbench.diagnosis.naming import Place
from workbench.diagnosis.observer.protocol import Awaiting
from workbench.diagnosis.recorder import Recording
from workbench.origin import innermost
from workbench.results import Await

#: What was seen holds until the next look, but no longer than this.
_HOLDS_S = 0.06


def find_awaits(recording: Recording) -> tuple[Await, ...]:
    """Return the lines at which tasks waited, those with most waiting first."""
    seconds: defaultdict[Place, float] = defaultdict(float)
    waiting: defaultdict[Place, float] = defaultdict(float)
    alone: defaultdict[Place, float] = defaultdict(float)
    peaks: Counter[Place] = Counter()
    for held_s, tasks in _held(recording):
        for place, count in Counter(map(_place, tasks)).items():
            seconds[place] += held_s
            waiting[place] += held_s * count
            peaks[place] = max(peaks[place], count)
            alone[place] += held_s if len(tasks) == 1 else 0.0
    found = [
        Await(
            **place._asdict(),
            seconds=seconds[place],
            mean=waiting[place] / seconds[place],
            peak=peaks[place],
            alone_s=alone[place],
        )
        for place in seconds
        if seconds[place]
    ]
    return tuple(sorted(found, key=lambda found: -found.seconds * found.mean))


def _held(recording: Recording) -> Iterator[tuple[float, tuple[Awaiting, ...]]]:
    """Yield what tasks awaited at each look at them, and how long that held."""
    later = [ns for ns, _ in recording.awaits[1:]] + [recording.end_ns]
    for (ns, tasks), next_ns in zip(recording.awaits, later, strict=False):
        yield min(_HOLDS_S, max(0, next_ns - ns) / 1e9), tasks


def _place(awaiting: Awaiting) -> Place:
    places = [Place(*place) for place in awaiting.places]
    return innermost(places) or places[0]
