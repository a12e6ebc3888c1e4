"""Where the time of a comparison goes: pure decisions, by what is known and what is predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.comparison.statistics import FIRST_LOOK
from workbench.prediction import Prediction
from workbench.remedy import Traits

#: The shares of the budget, one part in so many, that looking at items takes at most, and the search for workers.
LOOKED, SEARCHED = 8, 3
#: What is left to end in time.
SPARE = 0.05
#: How long the baseline's part of a round is, at most, unless a rival takes longer: with these, eight rounds of a task
#: of any length take a few seconds, and more rounds, not longer ones, tell small differences.
ROUND_S = 0.25
#: Rivals that are predicted this near to the best measured one would be recommended only if they were a smaller change.
AS_GOOD = 0.9
#: From this share of the best prediction on the cheaper rival is tried first.
CHEAPER_FIRST = 0.6


#: A rival that gains less does not make the start-up of another one needless.
PAYS = 1.3
#: The share of what a start-up may take on a slow machine that it takes at least.
STARTS_IN = 1 / 3


@dataclass(frozen=True)
class Best:
    """The best rival so far: its name, seconds for all items, times as fast as the baseline, size of the change."""

    name: str
    time_s: float
    speedup: float
    effort: int


def hopeless(predicted: Prediction | None, traits: Traits, best: Best | None) -> str:
    """Return why trying a rival could not change what is recommended; empty where it could.

    Examples
    --------
    >>> hopeless(Prediction(2.0, 1.6, 2.4), Traits(effort=4), Best("threads", 0.1, 20.0, 1))
    'at most 2.4 times as fast, and threads was seen to be 20 times'
    >>> hopeless(Prediction(30.0, 25.0, 36.0), Traits(effort=2, start_s=3.0), Best("threads", 0.1, 20.0, 1))
    'starting it takes longer than all items took with threads, 0.1 s'
    >>> hopeless(Prediction(30.0, 25.0, 36.0), Traits(effort=2), Best("threads", 0.1, 20.0, 1))
    ''
    >>> hopeless(Prediction(1.8, 1.5, 2.2), Traits(effort=2, start_s=1.5), Best("memo", 0.3, 1.02, 1))
    ''
    """
    if best is None:
        return ""
    if predicted is not None and predicted.high < best.speedup:
        return f"at most {predicted.high:.2g} times as fast, and {best.name} was seen to be {best.speedup:.2g} times"
    if best.speedup >= PAYS and traits.start_s * STARTS_IN > best.time_s:
        return f"starting it takes longer than all items took with {best.name}, {best.time_s:.2g} s"
    if predicted is None or predicted.bound or predicted.speedup > best.speedup / AS_GOOD:
        return ""
    if traits.effort < best.effort and predicted.speedup >= AS_GOOD * best.speedup:
        return ""
    return f"predicted to be no faster than {best.name}, which was seen to be {best.speedup:.2g} times as fast"


def next_to_try(candidates: list[tuple[Prediction | None, Traits]]) -> int:
    """Return the number of the rival to try next: of those that may be about as good as the best, the cheapest.

    One that no model knows comes after those that are predicted to gain, and before those that are not.

    Examples
    --------
    >>> next_to_try([(Prediction(30, 25, 36), Traits(effort=2, start_s=1.5)), (Prediction(27, 20, 32), Traits())])
    1
    """
    hopes = [1.1 if predicted is None or predicted.bound else predicted.speedup for predicted, _ in candidates]
    near = [number for number, hope in enumerate(hopes) if hope >= CHEAPER_FIRST * max(hopes)]
    return min(near, key=lambda number: (candidates[number][1].effort, candidates[number][1].start_s, -hopes[number]))


@dataclass(frozen=True)
class Blocks:
    """How many items each side does in a round, the baseline first."""

    baseline: int
    rivals: tuple[int, ...]


def plan_blocks(
    items: int, item_s: float, rivals: list[tuple[float, int]], left_s: float, *, once: int | None = None
) -> Blocks | None:
    """Return blocks with which eight rounds fit into the time that is left, or as many as do; None where none fits.

    Parameters
    ----------
    items, item_s
        How many there are, and what one takes alone.
    rivals
        Of each, the seconds that it is expected to take for all items, and its workers.
    left_s
        Seconds for all rounds.
    once
        Where no item may be done twice: how many were not done yet.

    Examples
    --------
    >>> plan_blocks(12, 1.0, [(1.0, 12)], 22.0)
    Blocks(baseline=1, rivals=(12,))
    >>> plan_blocks(40, 0.02, [(0.03, 32)], 25.0)
    Blocks(baseline=13, rivals=(40,))
    >>> plan_blocks(2, 10.0, [(10.0, 2)], 5.0) is None
    True
    >>> plan_blocks(40, 0.02, [(0.03, 32)], 25.0, once=32)
    Blocks(baseline=4, rivals=(4,))
    """
    round_s = left_s / FIRST_LOOK
    counts = []
    for whole_s, workers in rivals:
        # Half of a round is the rivals', in equal parts; one wave of its workers is the least that shows what one does.
        share_s = round_s / 2 / len(rivals)
        affordable = math.floor(items * share_s / whole_s) if whole_s > 0 else items
        counts.append(min(items, max(affordable // workers * workers, workers)))
    rivals_s = sum(whole_s * count / items for (whole_s, _), count in zip(rivals, counts, strict=True))
    plain_s = min(max(ROUND_S, rivals_s), max(round_s - rivals_s, 0.0))
    plain = min(items, max(1, math.ceil(plain_s / item_s))) if item_s > 0 else items
    if plain * item_s + rivals_s > left_s:
        return None
    if once is not None:
        plain, *counts = (max(1, min(count, once // FIRST_LOOK)) for count in (plain, *counts))
    return Blocks(plain, tuple(counts))
