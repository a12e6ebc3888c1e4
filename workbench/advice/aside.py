"""What is done on the side: making changes durable, collecting garbage."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.advice.evidence import Evidence, seconds_of
from workbench.advice.saving import MOST, of_repeated, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called
from workbench.views import number

#: How often a line in a loop waits for the disk, at least: most of its waits are too short to be counted.
_OFTEN = 30
_COMMITS = ("commit", "fsync", "fdatasync", "execute", "sync", "flush")
#: The share of the wall time from which collecting garbage is worth a word: each program does some.
_AT_LEAST_S, _MUCH_GARBAGE = 0.02, 0.1


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find writes that wait for the disk one by one, and garbage collection."""
    yield from _commits(seen)
    yield from _garbage(seen)


def _commits(seen: Evidence) -> Iterator[Opportunity]:
    for place, samples in seen.places(lambda sample: sample.part == "disk"):
        seconds, waits = seconds_of(one for one in seen.samples if one.place == place), seen.waits(place, "disk")
        called_there = {called(call)[1] for call in seen.source.calls(place)}
        names = [name for name in _COMMITS if name in called_there]
        if not names or not seen.is_large(seconds) or waits.times < 3 or seen.repeats(samples[0]) is None:
            continue
        yield opportunity(
            seen, "one-transaction", place, seconds, of_repeated(max(waits.times, _OFTEN)),
            what="make many changes durable at once",
            why=f"{waits.times} or more {names[0]}() wait for the disk, {number(1e3 * waits.median_s)} ms each",
            how="with connection:          # one transaction, around the loop\n    connection.executemany(sql, rows)"
            if names[0] in ("commit", "execute") else "file.flush(); os.fsync(file.fileno())  # once, after the loop",
            hazard="what is not yet durable is lost if the machine fails",
        )  # fmt: skip


def _garbage(seen: Evidence) -> Iterator[Opportunity]:
    seconds = seen.diagnosis.counters.get("gc_s", 0.0)
    places = seen.places(lambda sample: sample.part in ("python", "native"))
    if places and seconds >= _MUCH_GARBAGE * seen.wall_s and seconds > _AT_LEAST_S * seen.diagnosis.runs:
        yield opportunity(
            seen, "collect-less", places[0][0], seconds, MOST,
            what="collect garbage less often",
            why=f"{number(seconds)} s go to {seen.diagnosis.counters.get('gc_runs', 0):.0f} collections, which look at "
                "all objects there are",
            how="gc.freeze()               # after loading what stays\ngc.set_threshold(100_000, 50, 100)",
        )  # fmt: skip
