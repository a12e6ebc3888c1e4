"""Stacks as a flame graph for https://www.speedscope.app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def speedscope(name: str, stacks: Iterable[tuple[str, tuple[str, ...], float]]) -> dict[str, Any]:
    """Return stacks in speedscope's file format, one profile a thread.

    The format: https://www.speedscope.app/file-format-schema.json.

    Parameters
    ----------
    name
        Of what was profiled.
    stacks
        Thread, frames (the outermost first) and the seconds spent there.

    Examples
    --------
    >>> speedscope("task", [("main", ("run (a.py:1)", "[python]"), 0.5)])["profiles"][0]["weights"]
    [0.5]
    """
    frames: dict[str, int] = {}
    threads: dict[str, list[tuple[list[int], float]]] = {}
    for thread, names, seconds in stacks:
        sample = [frames.setdefault(frame, len(frames)) for frame in names]
        threads.setdefault(thread, []).append((sample, seconds))
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": thread,
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(seconds for _, seconds in samples),
                "samples": [sample for sample, _ in samples],
                "weights": [seconds for _, seconds in samples],
            }
            for thread, samples in threads.items()
        ],
    }
