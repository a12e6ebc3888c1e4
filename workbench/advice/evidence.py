"""What rules read: a diagnosis as samples of stacks, and the source of the lines they name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from workbench.origin import OWN_CODE, is_users
from workbench.results import Diagnosis, ThreadShare, Wait
from workbench.source import Source

#: The files of a kernel, in whose event loop the cells of a notebook run.
_KERNEL = re.compile(r"/(ipykernel|IPython/core)/")


class Frame(NamedTuple):
    """A line of a stack."""

    function: str
    file: str
    line: int

    @classmethod
    def of(cls, seen: Wait | ThreadShare) -> Frame:
        """Return the line that a wait, or a thread, is told at."""
        return cls(seen.function, seen.file, seen.line)

    @property
    def imports(self) -> bool:
        """Whether it is of the import system."""
        return self.file.endswith("importlib._bootstrap>")

    @property
    def name(self) -> str:
        """The function's own name, without that of its class or of the function around it."""
        return self.function.rpartition(".")[2]

    def is_of(self, end: str, *names: str) -> bool:
        """Say whether its file is called so, and its function has one of these names, if any are given."""
        return f"/{self.file}".endswith(f"/{end}") and (not names or self.name in names or self.function in names)


def frame(text: str) -> Frame:
    """Return the frame that stands in a stack of a diagnosis.

    Examples
    --------
    >>> frame("Pool.get (/app/pool.py:31)")
    Frame(function='Pool.get', file='/app/pool.py', line=31)
    """
    function, _, place = text.partition(" (")
    file, _, line = place[:-1].rpartition(":")
    return Frame(function, file, int(line))


class Sample(NamedTuple):
    """Seconds that went to a part in one stack: ``frames``, the outermost first; ``own`` is the user's innermost."""

    part: str
    seconds: float
    frames: tuple[Frame, ...]
    own: int

    @property
    def place(self) -> Frame:
        """The innermost line of the user's code."""
        return self.frames[self.own]

    @property
    def beyond(self) -> tuple[Frame, ...]:
        """What that line called, from the outermost on."""
        return self.frames[self.own + 1 :]

    @property
    def in_worker(self) -> bool:
        """Whether it ran in a thread or a process that was started to work beside others."""
        starts = (("threading.py", "_bootstrap"), ("multiprocessing/process.py", "_bootstrap"), ("spawn.py", "_main"))
        return any(self.passes(*start) for start in starts)

    @property
    def in_loop_of_events(self) -> bool:
        """Whether an event loop called it."""
        return self.passes("asyncio/events.py", "_run")

    def passes(self, end: str, *names: str) -> bool:
        """Say whether it went through a function of these names in a file that ends so."""
        return any(seen.is_of(end, *names) for seen in self.frames)


@dataclass(frozen=True)
class Evidence:
    """A diagnosis as rules read it.

    Attributes
    ----------
    diagnosis
        What was seen.
    source
        The source of the files it names.
    cores
        How many cores the task may use.
    """

    diagnosis: Diagnosis
    source: Source
    cores: int

    @property
    def wall_s(self) -> float:
        """The wall time of all runs."""
        return self.diagnosis.wall_s

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """All stacks that hold a line of the user's code, the longest first.

        What a stack waited for a core counts as what it was ready to do, where that was seen.
        """
        found: dict[tuple[tuple[str, ...], int], dict[str, float]] = {}
        for stack in self.diagnosis.stacks:
            if stack.own >= 0:
                parts = found.setdefault((stack.frames, stack.own), {})
                parts[stack.part] = parts.get(stack.part, 0.0) + stack.seconds
        samples = [
            Sample(part, seconds, *_of_task(tuple(map(frame, frames)), own))
            for (frames, own), parts in found.items()
            for part, seconds in _with_a_core(parts).items()
        ]
        return tuple(sorted(samples, key=lambda sample: -sample.seconds))

    def places(self, wanted: Callable[[Sample], bool]) -> list[tuple[Frame, list[Sample]]]:
        """Return the samples that are wanted, by the user's line, those with most seconds first.

        A function that stands within a line, such as a ``lambda``, is part of it.
        """
        found: dict[tuple[str, int], list[Sample]] = {}
        for sample in filter(wanted, self.samples):
            found.setdefault((sample.place.file, sample.place.line), []).append(sample)
        longest_first = sorted(found.values(), key=lambda samples: -seconds_of(samples))
        return [(min((one.place for one in samples), key=_is_within), samples) for samples in longest_first]

    def is_large(self, seconds: float) -> bool:
        """Say whether so many seconds are worth a word."""
        return seconds >= WORTH * self.wall_s

    def waits(self, place: Frame, *kinds: str) -> Waits:
        """Return the single waits that were seen at a line, their number in one run of the task."""
        there = [
            wait
            for wait in self.diagnosis.waits
            if wait.kind in kinds and (wait.file, wait.line) == (place.file, place.line)
        ]
        return Waits.of(there, self.diagnosis.runs)

    def repeats(self, sample: Sample) -> Frame | None:
        """Return the line of the user's code, from the innermost on, that stands in a loop; None where none does.

        A line runs again and again, too, where a function around it is called in a loop.
        """
        return next(filter(self.source.is_in_loop, self._own_frames(sample)), None)

    def _own_frames(self, sample: Sample) -> Iterator[Frame]:
        for seen in reversed(sample.frames[: sample.own + 1]):
            if is_users(seen.file) or seen is sample.place:
                yield seen


def _is_within(place: Frame) -> bool:
    """Say whether a function stands within a line of another."""
    return place.name.startswith("<") and place.name != "<module>"


class Waits(NamedTuple):
    """Single waits at a line: how many were seen, and how long the middle one was."""

    times: int
    median_s: float

    @classmethod
    def of(cls, waits: Iterable[Wait], runs: int) -> Waits:
        """Add up waits at one line for several things."""
        listed = list(waits)
        most = max(listed, key=lambda wait: wait.count, default=None)
        return cls(round(sum(wait.count for wait in listed) / runs), most.median_s if most else 0.0)


def _of_task(frames: tuple[Frame, ...], own: int) -> tuple[tuple[Frame, ...], int]:
    """Return the frames of the task alone, without those of what runs it: of ours, or of a notebook's kernel."""
    around = (at for at, seen in enumerate(frames[:own]) if seen.file.startswith(OWN_CODE) or _KERNEL.search(seen.file))
    cut = max(around, default=-1) + 1
    return frames[cut:], own - cut


def _with_a_core(parts: dict[str, float]) -> dict[str, float]:
    """Return seconds by part, those in the run queue shared out among the others."""
    others = {part: seconds for part, seconds in parts.items() if part != "runqueue"}
    known = math.fsum(others.values())
    if not known:
        return parts
    return {part: seconds * (1 + parts.get("runqueue", 0.0) / known) for part, seconds in others.items()}


#: The share of the wall time from which a saving is worth a word.
WORTH = 0.05


def seconds_of(samples: Iterable[Sample]) -> float:
    """Return the seconds of all of them."""
    return math.fsum(sample.seconds for sample in samples)
