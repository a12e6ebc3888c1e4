"""One way to do a task within a comparison, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from workbench.comparison.forecast import Wave
from workbench.prediction import Prediction
from workbench.remedy import Remedy

#: Why a trial takes part in no further round; one that is passed over could not have won.
State = Literal["", "settled", "failed", "skipped", "wrong", "not tried", "passed over"]


@dataclass(eq=False)
class Trial:
    """One way to do the task, and what came of it.

    ``curve`` is what a search for ``workers`` found, seconds for all items by their number, and ``waves`` what each
    number was tried on. ``estimate_s`` is what all
    items are expected to take by what was tried so far, infinite before that. ``times_s`` holds one value a round, for
    all items, though only ``count`` are done in each. ``state`` says why it takes part in no further round; it is empty
    while it does.
    """

    remedy: Remedy
    workers: int | None = None
    predicted: Prediction | None = None
    curve: dict[int, float] = field(default_factory=dict)
    waves: dict[int, Wave] = field(default_factory=dict)
    estimate_s: float = math.inf
    count: int = 0
    times_s: list[float] = field(default_factory=list)
    loops: int = 1
    differs: str = ""
    state: State = ""
    notes: list[str] = field(default_factory=list)

    def end(self, state: State, note: str) -> None:
        """Take no further part."""
        self.state = state
        self.notes.insert(0, note)
