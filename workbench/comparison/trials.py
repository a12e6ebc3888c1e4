"""Run a task in several ways, in interleaved rounds of random order, within a time budget.

This file owns the clock; what the times mean is for `workbench.comparison.statistics`.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from workbench.comparison.answers import Equal, difference
from workbench.comparison.conduct import Conduct
from workbench.comparison.failures import Raised, tolerant
from workbench.comparison.limits import OutOfTime, time_limit
from workbench.comparison.search import fewest_good, sample_size, search_workers
from workbench.errors import MissingExtraError, NotApplicableError, TaskError
from workbench.remedy import Func, Remedy

Clock = Callable[[], float]
_Outcome = TypeVar("_Outcome")
#: A timed run lasts at least this long; a quicker task is looped, as timeit does, so that the clock's own cost and
#: resolution (some 50 ns) and a single interrupt of the kernel stay small beside it.
SHORTEST_RUN_S = 1e-3
#: No comparison needs more rounds; with this many a difference of about a hundredth of the noise is found.
MOST_ROUNDS = 1024
#: The share of the budget, one part in so many, that a sample of items takes, and the search for workers at most.
SAMPLED, SEARCHED = 160, 8
#: How long a remedy may take to say that it does not apply, where there is no time to try it.
REFUSED_S = 1.0
#: A run hangs when it takes so many times longer than the one before, and a second.
HANGS, HANGS_AT_LEAST_S = 10, 1.0


@dataclass(eq=False)
class Trial:
    """One way to do the whole task, and what came of it.

    ``remedy`` does the task of ``func``, with ``workers``; None until a search for their number, for a remedy that
    scales. ``curve`` is what that found, seconds by number. ``estimate_s`` is what the task takes by a sample of the
    items, where one was tried. ``times_s`` holds one value a round. ``ended`` says why the trial takes part in no
    further round: ``settled``, ``failed``, ``skipped`` or ``wrong``; it is empty while it does.
    """

    remedy: Remedy
    func: Func
    workers: int | None = None
    curve: dict[int, float] = field(default_factory=dict)
    estimate_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    loops: int = 1
    cost_s: float = 0.0
    differs: str | None = None
    ended: str = ""
    note: str = ""


class Trials:
    """A baseline and its rivals, run in rounds.

    Parameters
    ----------
    baseline, rivals
        What to run.
    items
        What to run it on.
    budget_s
        No round starts that would, by what the last one took, end later than this, and no first run goes on longer.
    equal
        See `workbench.comparison.answers.difference`.
    seed
        Of the random order within the rounds.
    clock
        Returns seconds, as `time.perf_counter` does.
    """

    def __init__(
        self,
        baseline: Trial,
        rivals: list[Trial],
        items: list[Any],
        *,
        budget_s: float,
        equal: Equal | None,
        seed: int,
        clock: Clock,
    ) -> None:
        self.baseline = baseline
        self.rivals = rivals
        self.budget_s = budget_s
        #: Whether the first of all times are those of the warm-up.
        self.first_is_warm_up = True
        self._items = items
        self._equal = equal
        self._random = random.Random(seed)
        self._clock = clock
        self._start_s = clock()
        #: What the baseline answered in its first run.
        self.expected: list[Any] = []
        self.conduct = Conduct(baseline.func, items)
        #: The items that the latest run got.
        self._used = items

    @property
    def active(self) -> list[Trial]:
        """The rivals that still take part."""
        return [trial for trial in self.rivals if not trial.ended]

    @property
    def rounds(self) -> int:
        """Rounds played so far."""
        return len(self.baseline.times_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the trials were set up."""
        return self._clock() - self._start_s

    @property
    def last(self) -> bool:
        """Whether there is no time for another round."""
        round_s = sum(trial.cost_s for trial in (self.baseline, *self.active))
        return self.rounds >= MOST_ROUNDS or self.elapsed_s + round_s > self.budget_s

    def warm_up(self) -> None:
        """Run everything once, so that no round pays for imports, pools and compilation, and check the answers.

        These runs stand in for the first round until there are two real ones.

        Raises
        ------
        TaskError
            The baseline fails.
        """
        plain_s = self._warm_up_baseline()
        first_s = {self.baseline: plain_s}
        self._look_again(plain_s)
        for trial in self.active:
            if trial.remedy.traits.pure and self.conduct.impure:
                trial.ended, trial.note = "skipped", f"not a pure function: {self.conduct.impure}"
        self._scout()
        for trial in sorted(self.active, key=lambda trial: trial.estimate_s):
            if (elapsed_s := self._warm_up_rival(trial)) is not None:
                first_s[trial] = elapsed_s
        self._keep(first_s)

    def play(self) -> Iterator[int]:
        """Play rounds until the budget is used up or no rival takes part any more; yield the number of rounds so far.

        An interrupt leaves the rounds played so far whole.
        """
        while self.active and not self.last and not self.baseline.ended:
            if self._play_round():
                yield self.rounds

    def _play_round(self) -> bool:
        order = [self.baseline, *self.active]
        self._random.shuffle(order)
        timed = {trial: self._timed(trial, calibrate=self.first_is_warm_up) for trial in order}
        if timed[self.baseline] is None:
            return False
        self._keep({trial: elapsed_s for trial, elapsed_s in timed.items() if elapsed_s is not None})
        return True

    def _keep(self, times_s: dict[Trial, float]) -> None:
        for trial, elapsed_s in times_s.items():
            trial.times_s.append(elapsed_s)
        if self.first_is_warm_up and self.rounds == 3:
            self.first_is_warm_up = False
            for trial in (self.baseline, *self.rivals):
                del trial.times_s[:1]

    def _warm_up_rival(self, trial: Trial) -> float | None:
        elapsed_s = self._timed(trial)
        left_s = self.budget_s - self.elapsed_s
        if elapsed_s is not None and trial.cost_s > self.baseline.cost_s and 1.2 * trial.cost_s < left_s:
            # Slower than the baseline: that may have been its start-up, which says nothing about the rounds to come.
            return self._timed(trial)
        return elapsed_s

    def _warm_up_baseline(self) -> float:
        start_s = self._clock()
        try:
            with time_limit(self.budget_s):
                elapsed_s = self._first_run()
        except OutOfTime:
            raise TaskError(f"the task takes longer than the budget of {self.budget_s:g} s; raise budget_s") from None
        except Exception as error:
            raise TaskError(f"the task itself fails: {one_line(error)}") from error
        if all(isinstance(answer, Raised) for answer in self.expected):
            raise TaskError(f"the task itself fails: {self.expected[0]}")
        self.baseline.differs = ""
        self.baseline.cost_s = self._clock() - start_s
        return elapsed_s

    def _first_run(self) -> float:
        """Run the baseline as it is, or with exceptions for answers where it raises; return how long it took."""
        try:
            return self._watched_run()
        except (NotApplicableError, MissingExtraError):
            raise
        except Exception:
            for trial in (self.baseline, *self.rivals):
                trial.func = tolerant(trial.func)
            self._items = self.conduct.intact(self._items)
            return self._watched_run()

    def _watched_run(self) -> float:
        with self.conduct.first_run(self._items):
            elapsed_s, self.expected = self._run(replace(self.baseline, func=self._timed_func()))
        return elapsed_s

    def _timed_func(self) -> Callable[[Any], Any]:
        """Return the baseline's function, with its calls timed where they come in order, one at a time."""
        func = self.baseline.func
        return self.conduct.timed(func) if self.baseline.remedy.traits.in_order else func

    def _look_again(self, plain_s: float) -> None:
        """Do some items once more, where that takes little, and watch what the task does besides answering."""
        if plain_s / len(self._items) > self.budget_s / 40:
            return
        count = sample_size(len(self._items), plain_s, self.budget_s / 80)
        with self.conduct.second_run():
            answers = self.baseline.remedy.run(
                self._timed_func(), self.fresh_items()[:count], workers=self.baseline.workers
            )
        self.conduct.unsteady = self.baseline.differs = difference(self.expected[:count], answers, self._equal)
        self.conduct.clean_up()

    def fresh_items(self) -> list[Any]:
        """Return the items as nothing has changed them; themselves, where nothing changes them."""
        return self.conduct.intact(self._items) if self.conduct.changes else self._items

    def _spread(self, count: int, *, offset: int = 0) -> slice:
        """Return which items to try: so many, evenly spread, for the first may be the smallest of all."""
        step = len(self._items) // count
        start = offset % step
        return slice(start, start + step * (count - 1) + 1, step)

    def _scout(self) -> None:
        """Find out how many workers pay; where the budget may be too short for all, leave out what doesn't fit twice.

        This takes as many items as the baseline does in a small part of the budget. The smallest changes come first,
        and where time is short what would take that of a second run of the baseline is not tried.
        """
        sample = sample_size(len(self._items), self.baseline.cost_s, self.budget_s / SAMPLED)
        until_s = self.budget_s * (1 - 1 / SEARCHED) - 1.2 * self.baseline.cost_s
        short = self.elapsed_s + 2 * self.baseline.cost_s * (1 + len(self.rivals)) > self.budget_s
        for trial in sorted(self.active, key=lambda trial: trial.remedy.traits.effort):
            if short and self.elapsed_s > max(until_s, self.budget_s / 2):
                why = _refusal(trial) or "no time to try it beside the others; raise budget_s, or name it"
                trial.ended, trial.note = "skipped", why
            elif trial.remedy.traits.scales and trial.workers is None:
                self._guarded(trial, partial(self._search, sample=sample))
            elif short:
                self._guarded(trial, partial(self._try, sample=sample))
        if short:
            self._leave_out(sample)

    def _search(self, trial: Trial, *, sample: int) -> None:
        trial.curve = search_workers(
            partial(self._sample_s, trial),
            len(self._items),
            sample=sample,
            share=lambda count: self.conduct.share(self._spread(count)),
            uneven=self.conduct.uneven,
            limit_s=self.budget_s / SEARCHED,
        )
        trial.workers = fewest_good(trial.curve)
        trial.estimate_s = trial.curve[trial.workers]

    def _try(self, trial: Trial, *, sample: int) -> None:
        # The second time counts, for the first may pay for a start-up; other items, for some remedies remember.
        self._sample_s(trial, trial.workers, sample)
        second_s = self._sample_s(trial, trial.workers, sample, offset=1)
        trial.estimate_s = second_s / self.conduct.share(self._spread(sample, offset=1))

    def _sample_s(self, trial: Trial, workers: int | None, count: int, *, offset: int = 0) -> float:
        items = self.fresh_items()[self._spread(count, offset=offset)]
        start_s = self._clock()
        trial.remedy.run(trial.func, items, workers=workers)
        elapsed_s = self._clock() - start_s
        self.conduct.clean_up()
        return elapsed_s

    def _leave_out(self, sample: int) -> None:
        """Keep the quickest rivals that fit into the budget with two rounds, or with one where none would fit."""
        quickest_first = sorted(self.active, key=lambda trial: trial.estimate_s)
        left_s = self.budget_s - self.elapsed_s
        rounds = 2 if quickest_first and self.baseline.cost_s + 2 * quickest_first[0].estimate_s <= left_s else 1
        planned_s = self.elapsed_s + (rounds - 1) * self.baseline.cost_s
        for trial in quickest_first:
            planned_s += rounds * trial.estimate_s
            if planned_s > self.budget_s:
                gain = self.baseline.cost_s / trial.estimate_s
                trial.ended = "skipped"
                trial.note = (
                    f"no time for all items (about {gain:.2g} times as fast on {sample} of {len(self._items)}); "
                    "raise budget_s"
                )

    def _timed(self, trial: Trial, *, calibrate: bool = False) -> float | None:
        """Run a trial and check its answer; return the seconds of one loop, or None if it failed."""
        return self._guarded(trial, partial(self._run_and_check, calibrate=calibrate))

    def _guarded(self, trial: Trial, action: Callable[[Trial], _Outcome]) -> _Outcome | None:
        """Return what an action returns; None, with the trial ended, if it raises or takes too long."""
        limit_s = self._limit_s(trial)
        if limit_s <= 0:
            trial.ended = "skipped"
            trial.note = f"the budget of {self.budget_s:g} s was used up before it; raise budget_s"
            return None
        try:
            with time_limit(limit_s):
                return action(trial)
        except OutOfTime:
            trial.ended, trial.note = "failed", f"not done after {limit_s:.3g} s; threads that it started may still run"
        except (NotApplicableError, MissingExtraError) as error:
            trial.ended, trial.note = "skipped", str(error)
        except Exception as error:
            trial.ended, trial.note = "failed", one_line(error)
        return None

    def _limit_s(self, trial: Trial) -> float:
        if trial.times_s:
            return HANGS * trial.cost_s + HANGS_AT_LEAST_S
        # One that hangs at its first run takes half of the time that is left, so that the others get theirs.
        left_s = self.budget_s - self.elapsed_s
        return min(left_s, max(left_s / 2, 2 * self.baseline.cost_s))

    def _run_and_check(self, trial: Trial, *, calibrate: bool) -> float:
        start_s = self._clock()
        first = not trial.times_s
        before = self.conduct.state() if first else None
        elapsed_s, answers = self._run(trial)
        if first:
            harm, trial.note = self.conduct.compared(before, self._used)
            if harm:
                trial.ended, trial.note = "wrong", harm
                self._items = self.conduct.intact(self._items)
        while calibrate and elapsed_s < SHORTEST_RUN_S:
            # At most ten times more at once: the first run of a quick task says little about the next ones.
            trial.loops = math.ceil(trial.loops * min(10, 1.2 * SHORTEST_RUN_S / max(elapsed_s, 1e-9)))
            start_s = self._clock()
            elapsed_s, answers = self._run(trial)
        # Every run's answer is checked, not only the first: a race shows in some runs alone.
        trial.differs = trial.differs or difference(self.expected, answers, self._equal)
        trial.cost_s = self._clock() - start_s
        return elapsed_s / trial.loops

    def _run(self, trial: Trial) -> tuple[float, list[Any]]:
        """Return the seconds that all loops of a trial took together, and the answers of the last one."""
        # What an earlier run left behind is collected before the clock starts. Unlike timeit, and like pyperf, the
        # collector stays on while it runs: garbage that a way of doing the task makes is part of its price.
        gc.collect()
        many = [self.fresh_items() for _ in range(trial.loops)]
        self._used = many[-1]
        run, clock = partial(trial.remedy.run, trial.func, workers=trial.workers), self._clock
        start_s = clock()
        for items in many:
            answers = run(items)
        elapsed_s = clock() - start_s
        self.conduct.clean_up()
        return elapsed_s, answers


def _refusal(trial: Trial) -> str:
    """Return why a remedy does not apply, where it says so before it does anything."""
    try:
        with time_limit(REFUSED_S):
            trial.remedy.run(trial.func, [], workers=1)
    except (NotApplicableError, MissingExtraError) as error:
        return str(error)
    except (Exception, OutOfTime):  # it may not like to have no items
        return ""
    return ""


@contextmanager
def long_lived_objects_frozen() -> Iterator[None]:
    """Keep the collector off all objects that exist now, so that collecting before every run takes microseconds.

    With NumPy and pandas loaded a full collection takes some 50 ms, many times a small task's own time.
    """
    if gc.get_freeze_count():  # someone else froze: unfreezing would undo that too
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def one_line(error: BaseException) -> str:
    """Return an exception as one line: its type and the first line of its text.

    Examples
    --------
    >>> one_line(ValueError("no such thing"))
    'ValueError: no such thing'
    """
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
