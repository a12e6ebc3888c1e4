"""Made-up diagnoses."""

from workbench import Diagnosis
from workbench.parts import NAMES
from workbench.results import Stack, Wait


def diagnosis(*stacks: Stack, wall_s: float = 1.0, waits: tuple[Wait, ...] = (), verdict: str = "mixed") -> Diagnosis:
    return Diagnosis(
        target="task.py", verdict=verdict, bound_by=verdict, reasons=(), wall_s=wall_s, cpu_s=0.1, overhead=0.0,
        parts=dict.fromkeys(NAMES, 0.0), counters={}, stacks=stacks, waits=waits,
    )  # fmt: skip


def stack(part: str, seconds: float, *frames: str, own: int | None = None) -> Stack:
    return Stack(
        thread="python", part=part, seconds=seconds, frames=frames, own=len(frames) - 1 if own is None else own
    )
