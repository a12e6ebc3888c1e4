"""A baseline and its rivals on one task, within a time budget: what all steps of a comparison share.

This file owns the clock. The steps are `looking`, `trying` and `rounds`; where the time goes is for `plan` to say, what
the times mean for `statistics`, and what follows for `conclusion`.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from threading import Thread
from typing import Any

from workbench.comparison import sides
from workbench.comparison.conduct import Block
from workbench.comparison.forecast import Forecast
from workbench.comparison.plan import SPARE
from workbench.comparison.statistics import Interval, interval
from workbench.comparison.task import Clock, Task
from workbench.comparison.trial import Trial
from workbench.errors import MissingExtraError, NotApplicableError, one_line

#: How long what was abandoned may take to end once its workers are gone.
ENDS_S = 1.0
#: How much longer than expected a run may take before it counts as hanging.
HANGS, HANGS_AT_LEAST_S = 10, 1.0


class Bench:
    """What a comparison is of, its clock, and how a side is run.

    Parameters
    ----------
    baseline, rivals
        What to try.
    task
        What to try it on.
    budget_s
        Seconds for everything.
    precision
        How narrow an interval has to be, as a share, for its rival to need no more rounds.
    named
        Whether the rivals were asked for, and so are tried though they are predicted to lose.
    repeat_effects
        Whether a task that does something outside with every call may be repeated all the same.
    once
        Whether no side may do an item twice, so that rounds are of disjoint blocks.
    seed
        Of the random order within rounds.
    clock
        Returns seconds, as `time.perf_counter` does.
    """

    def __init__(
        self,
        baseline: Trial,
        rivals: list[Trial],
        task: Task,
        *,
        budget_s: float,
        precision: float,
        named: bool,
        repeat_effects: bool,
        once: bool,
        seed: int,
        clock: Clock,
    ) -> None:
        self.baseline = baseline
        self.rivals = rivals
        self.task = task
        self.budget_s = budget_s
        self.forecast: Forecast | None = None
        #: Rivals that entered the rounds: the error rate is theirs together.
        self.entered = 1
        #: Threads that nobody waits for any more, by the remedy that they work for.
        self._abandoned: list[tuple[str, Thread]] = []
        self.precision = precision
        self.named = named
        self._repeat_effects = repeat_effects
        self.once = once
        self.random = random.Random(seed)
        self.clock = clock
        self._start_s = clock()
        #: The items that were looked at, in the order in which they were done.
        self.looked: list[int] = []

    @property
    def active(self) -> list[Trial]:
        """The rivals that still take part."""
        return [trial for trial in self.rivals if not trial.state]

    @property
    def rounds(self) -> int:
        """Rounds played so far."""
        return len(self.baseline.times_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds that may still be spent."""
        return self.budget_s * (1 - SPARE) - self.elapsed_s

    @property
    def stops_at_effects(self) -> bool:
        """Whether the task does something outside with every call, so that nothing is done twice."""
        return bool(self.task.conduct.outward) and not self._repeat_effects

    @property
    def repeats(self) -> bool:
        """Whether an item may be done again in the same way."""
        return not (self.stops_at_effects or self.once)

    @property
    def left_running(self) -> str:
        """What still runs though nobody waits for it, in words: nothing is timed beside that."""
        return next((f"a thread of {name} still runs" for name, thread in self._abandoned if thread.is_alive()), "")

    def interval(self, trial: Trial, *, last: bool) -> Interval:
        """Return a rival's speed-up by its rounds."""
        plain_s = self.baseline.times_s[: len(trial.times_s)]
        return interval(plain_s, trial.times_s, last=last, rivals=self.entered)

    def guarded(self, trial: Trial, action: Callable[[Trial], Any]) -> Any:
        """Return what an action returns; None, with the trial ended, if it raises."""
        try:
            return action(trial)
        except (NotApplicableError, MissingExtraError) as error:
            trial.end("skipped", str(error))
        except AnswersDifferError as error:
            trial.differs = str(error)
            trial.end("wrong", str(error))
        except sides.StillRunsError as error:
            trial.end("failed", str(error))
        except sides.OutOfTimeError as error:
            trial.end("not tried", str(error))
        except Exception as error:
            trial.end("failed", one_line(error))
        return None

    def run(
        self, trial: Trial, block: Block, *, workers: int | None = None, items: list[Any] | None = None
    ) -> tuple[float, list[Any]]:
        """Return the seconds that all loops of a block took together, and the answers of the last one."""
        task, remedy, clock = self.task, trial.remedy, self.clock
        # What an earlier run left behind is collected before the clock starts. Unlike timeit, and like pyperf, the
        # collector stays on while it runs: garbage that a way of doing the task makes is part of its price.
        gc.collect()
        many = [task.fresh(block) if items is None else items for _ in range(trial.loops)]
        func, limit_s = task.func, self._limit_s(trial, block)
        model = remedy.traits.model
        if model in sides.HAND_OUT:
            func = sides.limited(func, clock() + limit_s, clock)

        def run() -> tuple[float, list[Any]]:
            start_s = clock()
            for each in many:
                answers = remedy.run(func, each, workers=workers or trial.workers)
            return clock() - start_s, answers

        try:
            if model in sides.HAND_OUT or model in sides.BY_NAME:
                return sides.apart(run, f"workbench-{remedy.name}", limit_s + self._longest_s + HANGS_AT_LEAST_S)
            return run()
        except sides.StillRunsError as error:
            self._abandoned.append((remedy.name, error.thread))
            if model == "processes":
                sides.end_processes()
                error.thread.join(ENDS_S)
            raise
        finally:
            task.conduct.clean_up()

    @property
    def _longest_s(self) -> float:
        return max(self.task.times_s.values())

    def _limit_s(self, trial: Trial, block: Block) -> float:
        """Return how long a run may take: what is left of the budget, and many times what it took before."""
        if trial.times_s:
            usual_s = trial.times_s[-1] * trial.loops * self.task.share(block)
            return HANGS * usual_s + HANGS_AT_LEAST_S
        return max(self.left_s * 2 / 3, 0.0)


class AnswersDifferError(Exception):
    """A remedy's answers are not the baseline's."""
