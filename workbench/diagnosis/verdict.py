"""From the parts of the wall time to a verdict, in words that say why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from workbench.parts import NAMES, PARTS, in_group

#: The share of the time from which one kind of thing bounds a task; below it the task is mixed.
DOMINANT = 0.7
#: The share of the time on and for the CPU, from which waiting for each other is what bounds threads.
CONTENDED = 0.4
#: The share of the wall time from which waiting for a core is what bounds a task that wants one: when others take the
#: cores, and when its own threads and children do.
CROWDED_OUT, CROWDS_ITSELF = 0.85, 0.45

CPU, CONTENTION = in_group("cpu"), in_group("contention")


class Verdict(NamedTuple):
    """What bounds a task: ``verdict`` and ``bound_by`` as in `workbench.Diagnosis`, and why."""

    verdict: str
    bound_by: str
    reasons: tuple[str, ...]


def judge(parts: Mapping[str, float], *, crowds_itself: bool = False) -> Verdict:
    """Say what bounds a task whose wall time (seconds) went to these parts.

    Time in the run queue is the machine's doing, not the task's: the verdict is about the rest, unless the task wants
    the CPU and waits for a core most of the time (``crowds_itself``: it is its own threads and children that take the
    cores).

    Examples
    --------
    >>> judge({"python": 0.9, "network": 0.1}).verdict
    'CPU-bound'
    >>> judge({"python": 0.45, "runqueue": 0.5, "network": 0.05})[:2]
    ('CPU-bound', 'python')
    >>> judge({"python": 0.5, "gil": 0.5})[:2]
    ('contended', 'gil')
    >>> judge({"native": 0.5, "disk": 0.5}).reasons
    ('50 % of the time running native code', '50 % of the time waiting for the disk')
    """
    wall_s = sum(parts.values())
    if not wall_s:
        return Verdict("unclear", "unclear", ("nothing was measured",))
    seconds = {part: parts.get(part, 0.0) for part in NAMES}
    reasons = _reasons(seconds, wall_s)
    own_s = wall_s - seconds["runqueue"]
    groups = {
        "CPU-bound": [*CPU, *CONTENTION],
        "IO-bound": [*in_group("io")],
        "idle": [*in_group("idle")],
        "unclear": [*in_group("unknown")],
    }
    verdict, members = max(groups.items(), key=lambda group: sum(seconds[part] for part in group[1]))
    group_s = sum(seconds[part] for part in members)
    if group_s < DOMINANT * own_s:
        too_little = own_s < (1 - CROWDED_OUT) * wall_s
        kind = "unclear" if too_little or seconds["other"] > (1 - DOMINANT) * own_s else "mixed"
        return Verdict(kind, kind, reasons)
    if verdict == "unclear":
        return Verdict("unclear", "unclear", reasons)
    if verdict == "CPU-bound":
        if seconds["runqueue"] > (CROWDS_ITSELF if crowds_itself else CROWDED_OUT) * wall_s:
            return Verdict("contended", "runqueue", reasons)
        contention_s = sum(seconds[part] for part in CONTENTION)
        contended = contention_s >= CONTENDED * group_s
        verdict, members = ("contended", list(CONTENTION)) if contended else ("CPU-bound", list(CPU))
    return Verdict(verdict, max(members, key=seconds.__getitem__), reasons)


def _reasons(seconds: Mapping[str, float], wall_s: float) -> tuple[str, ...]:
    largest = sorted(PARTS, key=lambda part: -seconds[part.name])
    return tuple(
        f"{seconds[part.name] / wall_s:.0%} of the time {part.words}".replace("%", " %")
        for part in largest
        if seconds[part.name] >= 0.03 * wall_s
    )
