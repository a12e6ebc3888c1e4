"""When is one of two codes faster, and how sure is that: pure functions over paired times.

**Pairs.** In every round the baseline and the remedy run once, in random order. What counts is the logarithm of the
round's ratio, so that noise that lasts longer than a round cancels. If the two are the same code, the random order
makes the sign of every log ratio a fair coin, whatever the noise looks like and however it is correlated in time
(Fisher's randomisation argument). Wilcoxon's signed-rank test needs no more than that.

**Estimate and interval.** The speed-up is the Hodges-Lehmann estimate: the median of the mean log ratios of all pairs
of rounds (Walsh averages). Its interval is the signed-rank test turned round (Hollander, Wolfe and Chicken,
*Nonparametric Statistical Methods*, 3rd ed., section 3.2). Fewer than eight rounds, which happens only when the time
budget is too short for more, are too few for it; Student's t interval stands in, which leans on the noise being about
normal.

**Looking more than once.** Testing after every round and stopping at the first difference would claim one in far
more than 5 % of A/A trials. Here there are a few planned looks, after 8, 16, 32, … rounds, and look *k* may spend
``5 % / ((k + 1) (k + 2))`` of the error rate, half of it in all; a last look, when time is up, spends what is left.
By Bonferroni's inequality at most 5 % of all comparisons of equal code claim a difference, and at least 95 % of the
reported intervals hold the true ratio (alpha spending: Lan and DeMets, *Biometrika* 70 (1983), 659-663). The 5 % are
the table's: each of several rivals that enter the rounds gets an equal part of them, fixed before the first round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from workbench.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The share of comparisons of equal code that may claim a difference.
ERROR_RATE = 0.05
#: Rounds at the first planned look; each later look comes at twice as many.
FIRST_LOOK = 8
#: A round that takes so many times the median is an outlier.
OUTLIER = 2.0
#: Times drift when they rise or fall by this much (log ratio), beyond so many standard deviations of chance.
DRIFT, DRIFT_DEVIATIONS = 0.05, 3.3
#: Up to this many rounds the null distribution of the signed-rank statistic is computed exactly.
EXACT_ROUNDS = 50


@dataclass(frozen=True)
class Interval:
    """A speed-up (baseline time ÷ remedy time) with its confidence interval.

    ``low`` and ``high`` are 0 and infinity where one round alone tells nothing about the noise.
    """

    speedup: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return ``faster``, ``slower`` or ``no significant difference``."""
        if self.low > 1:
            return "faster"
        return "slower" if self.high < 1 else "no significant difference"

    def settled(self, precision: float) -> bool:
        """Return whether more rounds are not needed: a difference is shown, or any that is left is too small to matter.

        Parameters
        ----------
        precision
            The relative half-width of the interval that is narrow enough.
        """
        return self.verdict != "no significant difference" or self.high <= self.low * (1 + precision) ** 2


def is_look(rounds: int) -> bool:
    """Return whether a look is planned after this many rounds.

    Examples
    --------
    >>> [rounds for rounds in range(100) if is_look(rounds)]
    [8, 16, 32, 64]
    """
    return rounds >= FIRST_LOOK and rounds % FIRST_LOOK == 0 and (rounds // FIRST_LOOK).bit_count() == 1


def error_rate(rounds: int, *, last: bool, rivals: int = 1) -> float:
    """Return the share of the error rate that a look at one rival after this many rounds may spend.

    Parameters
    ----------
    rounds
        Rounds so far, one or more.
    last
        Whether there will be no further look; that is for the clock to decide, never for the values.
    rivals
        How many share the error rate.

    Examples
    --------
    >>> [round(error_rate(rounds, last=False), 5) for rounds in (8, 16, 32)]
    [0.00833, 0.00417, 0.0025]
    >>> round(error_rate(20, last=True), 5)
    0.0375
    """
    look = 1 + max(0, (rounds - 1) // FIRST_LOOK).bit_length()
    return ERROR_RATE / rivals * (1 / 2 + 1 / (look + 1) if last else 1 / ((look + 1) * (look + 2)))


def interval(baseline_s: Sequence[float], remedy_s: Sequence[float], *, last: bool, rivals: int = 1) -> Interval:
    """Estimate a speed-up from the times of the same rounds.

    Parameters
    ----------
    baseline_s, remedy_s
        Seconds, one value a round, of the same length and in the same order; all above zero.
    last
        Whether this is the last look (see `error_rate`).
    rivals
        How many share the error rate.

    Raises
    ------
    UsageError
        No rounds, not as many of one as of the other, or a time that is not above zero.

    Examples
    --------
    >>> found = interval([2.0, 2.1, 2.2, 2.0, 2.1, 2.0, 1.9, 2.0], [1.0, 1.0, 1.1, 1.1, 1.0, 1.0, 1.0, 1.0], last=True)
    >>> round(found.speedup, 2), found.verdict
    (2.0, 'faster')
    """
    if not baseline_s or len(baseline_s) != len(remedy_s):
        raise UsageError(f"times come in pairs, at least one: got {len(baseline_s)} and {len(remedy_s)}")
    if min(*baseline_s, *remedy_s) <= 0:
        raise UsageError("every time must be above zero seconds")
    import numpy as np

    ratios = np.log(np.asarray(baseline_s)) - np.log(np.asarray(remedy_s))
    averages = _walsh_averages(ratios)
    if len(ratios) < FIRST_LOOK:
        low, high = _few_bounds(ratios, ERROR_RATE / rivals)
    else:
        low, high = _bounds(ratios, averages, error_rate(len(ratios), last=last, rivals=rivals))
    return Interval(math.exp(float(np.median(averages))), math.exp(low), math.exp(high))


def _bounds(ratios: NDArray[np.float64], averages: NDArray[np.float64], rate: float) -> tuple[float, float]:
    cut = _signed_rank_cut(len(ratios), rate)
    if cut < 0:  # too few rounds for so small a rate
        return _few_bounds(ratios, rate)
    return float(averages[cut]), float(averages[-1 - cut])


def _few_bounds(ratios: NDArray[np.float64], rate: float) -> tuple[float, float]:
    rounds = len(ratios)
    if rounds == 1:
        return -math.inf, math.inf
    half = student_t(rounds - 1, rate) * float(ratios.std(ddof=1)) / math.sqrt(rounds)
    return float(ratios.mean()) - half, float(ratios.mean()) + half


def student_t(degrees: int, rate: float) -> float:
    """Return the t that Student's distribution exceeds, either way, with this probability.

    By bisection of its distribution function (Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.7.3 and
    26.7.4).

    Examples
    --------
    >>> round(student_t(1, 0.05), 3), round(student_t(6, 0.05), 3), round(student_t(7, 0.01), 3)
    (12.706, 2.447, 3.499)
    """
    low, high = 0.0, 1.0
    while _within_t(degrees, high) < 1 - rate:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within_t(degrees, middle) < 1 - rate else (low, middle)
    return (low + high) / 2


def _within_t(degrees: int, t: float) -> float:
    """Return the probability that Student's t lies between -t and t."""
    angle = math.atan2(t, math.sqrt(degrees))
    cos2 = math.cos(angle) ** 2
    odd = degrees % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for step in range(1 + odd, degrees, 2):
        total += term
        term *= cos2 * step / (step + 1)
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + math.sin(angle) * total)


def _walsh_averages(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of every pair of values, each value paired with itself too, sorted."""
    import numpy as np

    first, second = np.triu_indices(len(ratios))
    averages: NDArray[np.float64] = np.sort((ratios[first] + ratios[second]) / 2)
    return averages


@lru_cache(maxsize=256)
def _signed_rank_cut(rounds: int, rate: float) -> int:
    """Return how many Walsh averages to cut from each end for an interval that errs in at most ``rate`` of cases.

    That is the largest c with ``2 P(T < c + 1) <= rate``, T being the sum of the ranks 1 … n that fair coins pick, so
    that the interval from the average c (counted from 0) to its mirror image still holds the true value.
    """
    if rounds > EXACT_ROUNDS:
        mean = rounds * (rounds + 1) / 4
        deviation = math.sqrt(mean * (2 * rounds + 1) / 6)
        return math.floor(mean - 0.5 + NormalDist().inv_cdf(rate / 2) * deviation)
    import numpy as np

    chances = np.ones(1)
    for rank in range(1, rounds + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return int(np.searchsorted(2 * np.cumsum(chances), rate, side="right")) - 1


def oddities(times_s: Sequence[float]) -> str:
    """Tell in a line of drift and outliers among the times of all rounds; nothing where there are none.

    Neither spoils the interval: drift that lasts longer than a round cancels, and ranks care little for outliers. But
    they say that something else went on.

    Examples
    --------
    >>> oddities([1.0, 1.01, 0.99, 1.0, 1.02, 1.0, 0.98, 3.0])
    '1 of 8 rounds took more than 2 times the median'
    >>> oddities([1 + round / 20 for round in range(16)])
    'drift: the last third of the rounds took 1.5 times as long as the first'
    """
    rounds = len(times_s)
    if rounds < FIRST_LOOK:
        return ""
    import numpy as np

    times = np.asarray(times_s)
    outliers = int((times > OUTLIER * np.median(times)).sum())
    first, last = (float(np.median(part)) for part in (times[: rounds // 3], times[-(rounds // 3) :]))
    # Kendall's tau: later pairs minus earlier pairs, about normal where there is no drift.
    signs = np.sign(times[None, :] - times[:, None])
    deviation = math.sqrt(rounds * (rounds - 1) * (2 * rounds + 5) / 18)
    drifts = abs(np.triu(signs).sum()) > DRIFT_DEVIATIONS * deviation and abs(math.log(last / first)) > DRIFT
    return "; ".join(
        filter(
            None,
            (
                f"drift: the last third of the rounds took {last / first:.2g} times as long as the first"
                if drifts
                else "",
                f"{outliers} of {rounds} rounds took more than {OUTLIER:g} times the median" if outliers else "",
            ),
        )
    )
