"""The ten parts that wall time splits into, and those of a request: the one place that knows words and colours."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: What kind of thing a part is: on the CPU, kept from it by the task's own threads, waiting for something outside,
#: asleep, ready without a core, or not known.
Group = Literal["cpu", "contention", "io", "idle", "runqueue", "unknown"]
#: What a model of the task takes a part for (see `workbench.prediction`): CPU time with the GIL or without it, waiting
#: that others can do at the same time, the disk, what stays serial, or a stretch of the CPU time.
Demand = Literal["gil", "native", "waiting", "disk", "serial", "runqueue"]


class Part(NamedTuple):
    """One part: ``words`` end the sentence "98 % of the time …"; ``colour`` can be told from the others."""

    name: str
    words: str
    colour: str
    group: Group
    demand: Demand


#: In the order in which they are shown; the colours are mid-tones, on white as on black, after Okabe and Ito's palette.
PARTS = (
    Part("python", "running Python code", "#0072b2", "cpu", "gil"),
    Part("native", "running native code", "#56b4e9", "cpu", "native"),
    Part("runqueue", "ready to run, but no core was free", "#999999", "runqueue", "runqueue"),
    Part("gil", "waiting for the GIL", "#d55e00", "contention", "gil"),
    Part("lock", "waiting for a lock", "#e69f00", "contention", "serial"),
    Part("network", "waiting for the network", "#009e73", "io", "waiting"),
    Part("disk", "waiting for the disk", "#7fbf3f", "io", "disk"),
    Part("sleep", "sleeping", "#b3a2c7", "idle", "waiting"),
    Part("child", "waiting for a child process", "#cc79a7", "io", "waiting"),
    Part("other", "in waits that could not be named", "#6b6b6b", "unknown", "serial"),
)
NAMES = tuple(part.name for part in PARTS)


class RequestPart(NamedTuple):
    """What was at work in a part of a request's time; ``words`` begin the sentence "… takes 61 % of it"."""

    name: str
    words: str
    colour: str


#: Of a request to a web project, in the order in which they are shown.
REQUEST_PARTS = (
    RequestPart("sql", "the database", "#009e73"),
    RequestPart("connecting", "connecting to the database", "#117755"),
    RequestPart("orm", "the ORM's Python", "#0072b2"),
    RequestPart("templates", "making templates", "#e69f00"),
    RequestPart("python", "the view's Python", "#56b4e9"),
    RequestPart("serialisation", "serialisation", "#cc79a7"),
    RequestPart("cache", "the cache", "#7fbf3f"),
    RequestPart("upstream", "asking other services", "#d55e00"),
    RequestPart("waits", "waiting", "#b3a2c7"),
    RequestPart("middleware", "middleware", "#999999"),
)


def in_group(*groups: Group) -> tuple[str, ...]:
    """Return the names of the parts in these groups.

    Examples
    --------
    >>> in_group("cpu", "contention")
    ('python', 'native', 'gil', 'lock')
    """
    return tuple(part.name for part in PARTS if part.group in groups)


def asking_for(demand: Demand) -> tuple[str, ...]:
    """Return the names of the parts that a model of the task takes for this.

    Examples
    --------
    >>> asking_for("waiting")
    ('network', 'sleep', 'child')
    """
    return tuple(part.name for part in PARTS if part.demand == demand)
