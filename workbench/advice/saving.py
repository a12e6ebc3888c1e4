"""What a change saves: a share of the seconds that it concerns, with the interval that a rule's model gives."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from workbench.advice.evidence import Evidence, Frame
from workbench.opportunity import Opportunity


class Share(NamedTuple):
    """The share that a change saves: at least, most likely, at most."""

    low: float
    likely: float
    high: float


#: Of work that is not done any more.
NEARLY_ALL = Share(0.85, 0.97, 1.0)
#: Of work that is done otherwise, at a cost of its own.
MOST = Share(0.7, 0.88, 1.0)
#: Two standard errors hold the share of looks that something was seen in, 19 times of 20.
_ERRORS = 2
#: How many looks are taken for granted where they were not counted.
_LOOKS = 100


def of_repeated(count: int) -> Share:
    """Return the share that is saved where what was seen so often, or oftener, is done once.

    Examples
    --------
    >>> of_repeated(2)
    Share(low=0.425, likely=0.485, high=1.0)
    """
    rest = 1 - 1 / max(count, 1)
    return Share(0.85 * rest, 0.97 * rest, 1.0)


def opportunity(seen: Evidence, kind: str, place: Frame, seconds: float, share: Share, **words: Any) -> Opportunity:
    """Return an opportunity at a place that saves a share of so many seconds.

    ``words`` are ``what``, ``why``, ``how``, and, where there are any, ``try_`` and ``hazard``. The interval is the
    share's, and wider by what looks at random moments leave open.
    """
    wall_s = seen.wall_s or 1.0
    seconds = min(seconds, wall_s)
    part, looks = seconds / wall_s, seen.diagnosis.counters.get("looks", _LOOKS) or _LOOKS
    error_s = _ERRORS * math.sqrt(part * (1 - part) / looks) * wall_s
    return Opportunity(
        kind=kind,
        file=place.file,
        line=place.line,
        function=place.function,
        saves_s=share.likely * seconds,
        saves_low=max(0.0, share.low * (seconds - error_s)),
        saves_high=min(wall_s, share.high * (seconds + error_s)),
        **words,
    )
