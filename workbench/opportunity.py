"""An opportunity: a change that would pay, where, why, how much, how to make it, and what came of trying it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from workbench.views import Card, Place, number, span

#: What came of trying a change; empty while nobody has.
Outcome = Literal["", "pays", "does not", "harms", "can't be tried"]


@dataclass(frozen=True, kw_only=True)
class Opportunity:
    """A change that would pay.

    Attributes
    ----------
    kind
        The rule that found it, as in ``overlap-waits``.
    file, line, function
        The place in the code; empty and 0 where it has none.
    what, why, how
        What to change, in one line; the evidence for it; how to make the change, in a few lines of code.
    saves_s, saves_low, saves_high
        Seconds that it is predicted to save of what was studied, and the interval; None where none can be told.
    try_
        The name of the remedy that `workbench.compare` can try for it (``try`` in JSON); empty where there is none.
    tried_s, tried_low, tried_high
        Seconds that it saved when it was tried, and the interval; None while it was not.
    hazard
        What may go wrong with it.
    verdict
        What came of trying it: ``pays``, ``does not``, ``harms`` or ``can't be tried``; empty while it was not tried.

    Raises
    ------
    ValueError
        An interval that does not hold its value, a saving that was tried without a verdict, or an unknown verdict.

    Examples
    --------
    >>> threads = Opportunity(kind="overlap-waits", what="40 waits of 20 ms, one after the other", why="network",
    ...     how="with ThreadPoolExecutor(32) as pool:", saves_s=0.77, saves_low=0.7, saves_high=0.78, try_="threads")
    >>> threads.saving
    '0.77 s (0.7 to 0.78), predicted'
    """

    kind: str
    what: str
    why: str
    how: str
    file: str = ""
    line: int = 0
    function: str = ""
    saves_s: float | None = None
    saves_low: float | None = None
    saves_high: float | None = None
    try_: str = ""
    tried_s: float | None = None
    tried_low: float | None = None
    tried_high: float | None = None
    hazard: str = ""
    verdict: str = ""

    def __post_init__(self) -> None:
        for name in ("saves", "tried"):
            value, low, high = (getattr(self, f"{name}_{end}") for end in ("s", "low", "high"))
            if not _holds(value, low, high):
                raise ValueError(f"{name}_s is {value}, outside its interval of {low} to {high}")
        check_verdict(self.verdict)
        if self.tried_s is not None and not self.verdict:
            raise ValueError("tried_s goes with a verdict: pass what came of it")

    @property
    def saving(self) -> str:
        """What it saves, in words: as tried, else as predicted."""
        tried, predicted = (
            (self.tried_s, self.tried_low, self.tried_high),
            (self.saves_s, self.saves_low, self.saves_high),
        )
        return saving_in_words(tried, predicted, "s")

    @property
    def place(self) -> Place:
        """The line of code to change."""
        return Place(self.file, self.line)

    def lines(self, wall_s: float) -> tuple[str, ...]:
        """Return it as lines of text: what to change and where, what it saves of so many seconds, why, and how."""
        where = f" at {self.place.near()}" if self.file else ""
        return (f"{self.what}{where}: saves {self._of(wall_s)}", self.why, *self._how(), *self._but())

    def card(self, wall_s: float) -> Card:
        """Return what is shown of it in a web page."""
        says = tuple(text for text in (self.place.near(), self.why, *self._but()) if text)
        return Card(self.what, f"saves {self._of(wall_s)}", "#009e73", says, "\n".join(self._how()))

    def _of(self, wall_s: float) -> str:
        share = f" of {number(wall_s)} s" if self.saves_s is not None and wall_s else ""
        return f"{self.saving}{share}"

    def _how(self) -> tuple[str, ...]:
        tried = (f"# try it: workbench compare … --remedies {self.try_}",) if self.try_ else ()
        return (*self.how.splitlines(), *tried)

    def _but(self) -> tuple[str, ...]:
        return (f"but: {self.hazard}",) if self.hazard else ()


def _holds(value: float | None, low: float | None, high: float | None) -> bool:
    if value is None:
        return low is None and high is None
    return (-math.inf if low is None else low) <= value <= (math.inf if high is None else high)


def check_verdict(verdict: str) -> None:
    """Raise ValueError for what is no `Outcome`."""
    if verdict not in get_args(Outcome):
        raise ValueError(f"there is no verdict {verdict!r}: pass one of {', '.join(get_args(Outcome)[1:])}")


Saving = tuple[float | None, float | None, float | None]


def saving_in_words(tried: Saving, predicted: Saving, unit: str) -> str:
    """Return what a change saves, in words: as tried, else as predicted, each with the ends of its interval.

    Examples
    --------
    >>> saving_in_words((None, None, None), (2.0, 1.0, 3.0), "ms")
    '2 ms (1 to 3), predicted'
    """
    for (value, low, high), how in ((tried, "tried"), (predicted, "predicted")):
        if value is not None:
            return f"{number(value)} {unit}{span(low, high)}, {how}"
    return "not known"
