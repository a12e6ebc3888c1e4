"""A baseline and its rivals on one task: looked at, predicted, tried and timed in rounds, within a time budget.

This file owns the clock. Where the time goes is for `workbench.comparison.plan` to say, what the times mean for
`workbench.comparison.statistics`, and what follows for `workbench.comparison.conclusion`.
"""

from __future__ import annotations

import gc
import inspect
import math
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import Any, Literal

from workbench.comparison import sides
from workbench.comparison.conduct import Block
from workbench.comparison.failures import Raised, tolerant
from workbench.comparison.forecast import Forecast, Wave
from workbench.comparison.plan import LOOKED, SEARCHED, SPARE, Best, hopeless, next_to_try, plan_blocks
from workbench.comparison.search import search_workers
from workbench.comparison.statistics import FIRST_LOOK, Interval, interval, is_look
from workbench.comparison.task import Clock, Task, awaiting, noting
from workbench.coroutines import run_coroutine
from workbench.diagnosis import Diagnosing
from workbench.errors import MissingExtraError, NotApplicableError, TaskError, UsageError, one_line
from workbench.masking import get_logger
from workbench.prediction import Prediction
from workbench.remedy import Remedy
from workbench.results import Diagnosis

#: A timed run lasts at least this long; a quicker task is looped, as timeit does, so that the clock's own cost and
#: resolution (some 50 ns) and a single interrupt of the kernel stay small beside it.
SHORTEST_RUN_S = 1e-3
#: No comparison needs more rounds; with this many a difference of about a hundredth of the noise is found.
MOST_ROUNDS = 1024
#: How long a task is diagnosed where that takes little, and the share of the budget that it may take.
DIAGNOSED_S, DIAGNOSED = 0.5, 20
#: With a smaller budget nothing is predicted, for a diagnosis would take too much of it.
PREDICTED_S = 2.0
#: The share of the budget that doing some items once more may take.
AGAIN = 40
#: Items that are looked at of a task whose every call does something outside.
FEW = 5
#: Where no item may be done twice, one part in so many of them is looked at, so that rounds have the others.
ONCE_LOOKED = 10
#: How long what was abandoned may take to end once its workers are gone.
ENDS_S = 1.0
#: The share of the budget after which no further rival is tried, so that what was tried gets its rounds.
TRIED = 0.6
#: A rival whose items can't be refused does one part in so many of those that were looked at first.
FIRST_FEW = 8
#: How much longer than expected a run may take before it counts as hanging.
HANGS, HANGS_AT_LEAST_S = 10, 1.0

#: A remedy that takes longer to start is not asked whether it applies before it is tried.
ASKED_S = 1.0

logger = get_logger(__name__)

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


class Bench:
    """Compares within a budget.

    Parameters
    ----------
    baseline, rivals
        What to try.
    task
        What to try it on.
    budget_s
        Seconds for everything.
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
        self._precision = precision
        self._named = named
        self._repeat_effects = repeat_effects
        self._once = once
        self._random = random.Random(seed)
        self._clock = clock
        self._start_s = clock()
        #: The items that were looked at, in the order in which they were done, and those among them diagnosed.
        self._looked: list[int] = []
        self._diagnosed: list[int] = []
        #: How long the calls took that were diagnosed: the rest of that time is the looking's own.
        self._called_s = 0.0
        self._noted_s: list[float] = []

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
        return self._clock() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds that may still be spent."""
        return self.budget_s * (1 - SPARE) - self.elapsed_s

    @property
    def stops_at_effects(self) -> bool:
        """Whether the task does something outside with every call, so that nothing is done twice."""
        return bool(self.task.conduct.outward) and not self._repeat_effects

    @property
    def _repeats(self) -> bool:
        """Whether an item may be done again in the same way."""
        return not (self.stops_at_effects or self._once)

    @property
    def left_running(self) -> str:
        """What still runs though nobody waits for it, in words: nothing is timed beside that."""
        return next((f"a thread of {name} still runs" for name, thread in self._abandoned if thread.is_alive()), "")

    # Looking

    def look(self, *, may_diagnose: bool) -> Diagnosis | None:
        """Do some items once, one after the other, and some of them once more; return a diagnosis, if they took long.

        Raises
        ------
        TaskError
            Every item raises, or the baseline itself fails.
        """
        task = self.task
        try:
            with Diagnosing("first item") if may_diagnose else nullcontext() as block, self._watched():
                self._look_at(task.block(0, 1))
            # The first call may pay for imports and connections: its own diagnosis counts only where it stays alone.
            self._diagnosed, found = [*self._looked], block and block.result
            until_s = self.elapsed_s + max(self.budget_s / LOOKED, min(task.item_s, self.budget_s / 4))
            if self._affordable(until_s) > 0:
                self._called_s = 0.0
                with Diagnosing("other items") if may_diagnose else nullcontext() as block, self._watched():
                    self._look_on(until_s)
                self._diagnosed, found = self._looked[1:], block and block.result
            if task.raises:
                raise TaskError(f"the task itself fails: {next(iter(task.answers.values()))}")
            if self._repeats:
                self._look_again()
        except (TaskError, NotApplicableError, MissingExtraError, UsageError):
            raise
        except Exception as error:
            raise TaskError(f"the task itself fails: {one_line(error)}") from error
        return found if found and (found.wall_s >= DIAGNOSED_S or not self._repeats) else None

    def _affordable(self, until_s: float) -> int:
        """Return how many of the other items may be looked at until then; of those with effects a few."""
        items = len(self.task.items)
        most = 1 + FEW if self.stops_at_effects else items // ONCE_LOOKED if self._once else items
        left = min(items, most) - len(self._looked)
        return min(left, math.floor((until_s - self.elapsed_s) / self.task.item_s)) if self.task.item_s else left

    def _look_on(self, until_s: float) -> None:
        count = 1
        while (affordable := self._affordable(until_s)) > 0:
            self._look_at(self.task.block(len(self._looked), min(count, affordable)))
            count *= 2

    def _watched(self) -> AbstractContextManager[None]:
        return self.task.conduct.first_run(at=lambda: len(self._looked) + len(self._noted_s))

    def _look_at(self, block: Block) -> None:
        """Do items for the first time: their answers are what all others are compared with."""
        task, plain = self.task, self.baseline.remedy
        times_s = self._noted_s = []
        items = [task.items[index] for index in block]
        start_s = self._clock()
        if not self._looked and plain.traits.in_order:
            answers = [self._first_answer(items[0])]
        else:
            answers = plain.run(tolerant(noting(task.func, times_s, self._clock)), items, workers=self.baseline.workers)
        took_s = self._clock() - start_s
        if any(isinstance(answer, Raised) for answer in answers):
            task.tolerate()
        alone = plain.traits.in_order and len(times_s) == len(items)
        if not alone:
            times_s = [took_s / len(items)] * len(items)
        task.learn(block, answers, times_s)
        self._called_s += math.fsum(times_s)
        self._looked += block
        self._noted_s = []
        task.conduct.done(block, len(self._looked))

    def _first_answer(self, item: Any) -> Any:
        """Call the function for the first time; what a plain one gives to await is awaited, now and from now on."""
        func = tolerant(self.task.func)
        if inspect.iscoroutinefunction(func):
            return run_coroutine(func(item))
        answer = func(item)
        if inspect.isawaitable(answer):
            self.task.func = awaiting(self.task.func)
            return run_coroutine(tolerant(awaiting(lambda _: answer))(item))
        return answer

    def _look_again(self) -> None:
        """Do some items once more, where that takes little: whether answers change, and what happens each time."""
        task, plain = self.task, self.baseline.remedy
        most = math.floor(self.budget_s / AGAIN / task.item_s) if task.item_s else len(self._looked)
        # The blocks of the look were of 1, 1, 2, 4, … items: after each of these effects can be compared.
        count = len(self._looked) if most >= len(self._looked) else 2 ** (most.bit_length() - 1) if most else 0
        if not count:
            return
        block, times_s = self._looked[:count], list[float]()
        items = task.fresh(block)
        with task.conduct.second_run(count, whole=count == len(self._looked)):
            answers = plain.run(noting(task.func, times_s, self._clock), items, workers=self.baseline.workers)
        if plain.traits.in_order:  # the first call of all may have paid for imports and connections
            task.learn(block, answers, times_s)
        task.conduct.unsteady = self.baseline.differs = task.difference(block, answers)
        task.conduct.clean_up()

    # Predicting

    @property
    def predicts(self) -> bool:
        """Whether there are rivals that a model knows, and time enough to diagnose the task for them."""
        return self.budget_s >= PREDICTED_S and any(trial.remedy.traits.model for trial in self.rivals)

    def predict(self, diagnosis: Diagnosis | None, *, of_all: bool = False) -> None:
        """Predict what each rival that a model knows would gain if it cost nothing itself."""
        task = self.task
        block = task.everything if of_all else self._diagnosed if diagnosis else self._looked
        try:
            self.forecast = Forecast.of(
                self.baseline.remedy.run,
                task,
                block,
                diagnosis=diagnosis,
                called_s=self._called_s if diagnosis and not of_all else None,
                may_repeat=self._repeats,
                time_s=min(DIAGNOSED_S, self.budget_s / DIAGNOSED),
            )
        except Exception as error:
            raise TaskError(f"the task itself fails: {one_line(error)}") from error
        for trial in self.rivals:
            if trial.remedy.traits.model:
                trial.predicted = self.forecast.at_best(trial.remedy, trial.workers)

    # Trying

    def refuse(self) -> None:
        """Leave out the rivals that do not apply to this task."""
        for trial in self.rivals:
            if why := self._refusal(trial):
                trial.end("skipped", why)

    def try_all(self) -> None:
        """Try the rivals, the best-predicted first; those that can't win any more, or don't fit, are not tried."""
        waiting = list(self.active)
        while waiting:
            trial = waiting.pop(next_to_try([(each.predicted, each.remedy.traits) for each in waiting]))
            if not self._named and (why := hopeless(trial.predicted, trial.remedy.traits, self._best())):
                trial.end("passed over", why)
            elif self.left_running:
                trial.end("not tried", f"{self.left_running}, and nothing is timed beside it")
            elif self._comes_too_late(trial):
                trial.end("not tried", f"no time was left to start it and try it in the budget of {self.budget_s:g} s")
            else:
                self._guarded(trial, self._try)

    def _refusal(self, trial: Trial) -> str:
        """Return why a remedy does not apply, as far as that can be known without starting anything."""
        traits, impure = trial.remedy.traits, self.task.conduct.impure
        if traits.pure and impure:
            return f"not a pure function: {impure}"
        if traits.start_s >= ASKED_S:
            return ""
        try:
            trial.remedy.run(self.task.func, [], workers=1)
        except (NotApplicableError, MissingExtraError) as error:
            return str(error)
        except Exception as error:  # it may not like to have no items
            logger.debug("%s without items: %s", trial.remedy.name, error)
        return ""

    def _comes_too_late(self, trial: Trial) -> bool:
        takes_s = trial.remedy.traits.start_s + self.task.item_s
        if self._best():
            return self.elapsed_s + takes_s > TRIED * self.budget_s
        return takes_s > self.left_s

    def _best(self) -> Best | None:
        tried = [trial for trial in self.active if trial.estimate_s < math.inf and not trial.remedy.traits.assumes]
        best = min(tried, key=lambda trial: trial.estimate_s, default=None)
        if best is None:
            return None
        gain = self.task.whole_s / best.estimate_s
        return Best(best.remedy.name, best.estimate_s, gain, best.remedy.traits.effort)

    def _try(self, trial: Trial) -> None:
        if trial.remedy.traits.scales and trial.workers is None:
            if not self._once:
                self._search(trial)
            elif self.forecast:
                trial.workers = self.forecast.enough_workers(trial.remedy, max(1, len(self.task.items) // FIRST_LOOK))
        self._check(trial)
        if self.forecast and trial.predicted and not trial.predicted.bound:
            trial.predicted = self.forecast.predict(trial.remedy, trial.workers, trial.waves)

    def _search(self, trial: Trial) -> None:
        until_s = self.elapsed_s + min(self.budget_s / SEARCHED, self.left_s / 2) + trial.remedy.traits.start_s
        found = search_workers(
            partial(self._wave_s, trial),
            len(self.task.items),
            item_s=self.task.item_s,
            left_s=lambda: until_s - self.elapsed_s,
            uneven=self.task.uneven,
            hoped=self.forecast.enough_workers(trial.remedy, len(self.task.items)) if self.forecast else 2,
        )
        trial.curve, trial.workers = found.curve, found.fewest_good()
        trial.estimate_s = found.curve[trial.workers]
        if found.ended:
            trial.notes.append(f"the search for workers ended: {found.ended}")

    def _wave_s(self, trial: Trial, workers: int, count: int) -> tuple[float, float]:
        block = self.task.block(0, count)
        took_s, answers = self._run(trial, block, workers=workers)
        if differs := self.task.difference(block, answers):
            raise AnswersDifferError(differs)
        quickest_s = min(took_s, trial.waves[workers].took_s) if workers in trial.waves else took_s
        trial.waves[workers] = Wave(block, quickest_s)
        return took_s, took_s / self.task.share(block)

    def _check(self, trial: Trial) -> None:
        """Do the items that were looked at, and compare answers and effects with the plain task's.

        Where a few of them show that all would take too long, only these are compared, and by their answers.
        """
        task, block = self.task, self._looked
        few = block[: max(1, len(block) // FIRST_FEW)]
        if not (trial.curve or self._once) and len(few) < len(block):
            took_s, answers = self._run(trial, few)
            if took_s / len(few) * len(block) > self.left_s / 4:
                # That may have been its start-up, which says nothing about the rounds to come.
                took_s, answers = self._run(trial, few)
                trial.differs = task.difference(few, answers)
                trial.estimate_s = took_s / task.share(few)
                trial.notes.append(f"checked on {len(few)} of {len(task.items)} items")
                return
        before, items = task.conduct.state(), task.fresh(block)
        took_s, answers = self._run(trial, block, items=items)
        wrong, note = task.conduct.compared(before, items, block)
        if note:
            trial.notes.append(note)
        if wrong:
            trial.end("wrong", wrong)
            task.mend()
            return
        trial.differs = task.difference(block, answers)
        whole_s = took_s / task.share(block)
        if not (trial.curve or self._once) and whole_s > task.whole_s and 2 * took_s < self.left_s / 4:
            took_s, _ = self._run(trial, block)
            whole_s = took_s / task.share(block)
        trial.estimate_s = min(trial.estimate_s, whole_s)

    # Rounds

    def play(self) -> Iterator[int]:
        """Play rounds until the budget is used up or no rival takes part any more; yield the number of rounds so far.

        An interrupt leaves the rounds played so far whole.
        """
        self._plan_rounds()
        self.entered = max(1, len(self.active))
        while self.active and self.rounds < MOST_ROUNDS and not self.baseline.state and not self.left_running:
            if self._once and self._some_side_is_done():
                return
            if self.rounds and self._round_s() > self.left_s + SPARE * self.budget_s / 2:
                return
            if self._play_round():
                yield self.rounds
            if is_look(self.rounds):
                self._settle()

    def _plan_rounds(self) -> None:
        """Find out how many items each side does in a round; rivals for which there is no time are left out."""
        task = self.task
        while rivals := sorted(self.active, key=lambda trial: trial.estimate_s):
            sizes = [(trial.estimate_s, trial.workers or 1) for trial in rivals]
            undone = len(task.items) - len(self._looked) if self._once else None
            blocks = plan_blocks(len(task.items), task.item_s, sizes, self.left_s, once=undone)
            if blocks is not None:
                self.baseline.count = blocks.baseline
                for trial, count in zip(rivals, blocks.rivals, strict=True):
                    trial.count = count
                return
            rivals[-1].end("not tried", f"no time was left for a round; by what was tried {self._gain(rivals[-1])}")

    def _done(self, trial: Trial) -> int:
        """Return how many items a side has done; those of rounds alone, where items may be done twice."""
        return self.rounds * trial.count + (len(self._looked) if self._once else 0)

    def _some_side_is_done(self) -> bool:
        return any(self._done(side) + side.count > len(self.task.items) for side in (self.baseline, *self.active))

    def _gain(self, trial: Trial) -> str:
        return f"it is about {self.task.whole_s / trial.estimate_s:.2g} times as fast"

    def _round_s(self) -> float:
        """Return what a round takes, by the last one."""
        task = self.task
        plain_s = self.baseline.times_s[-1] * self.baseline.loops * self.baseline.count / len(task.items)
        rivals = (trial.times_s[-1] * trial.loops * trial.count / len(task.items) for trial in self.active)
        return plain_s + sum(rivals)

    def _play_round(self) -> bool:
        order = [self.baseline, *self.active]
        self._random.shuffle(order)
        timed = {trial: self._guarded(trial, self._timed) for trial in order}
        if timed[self.baseline] is None:
            return False
        for trial, time_s in timed.items():
            if time_s is not None:
                trial.times_s.append(time_s)
        return True

    def _timed(self, trial: Trial) -> float:
        """Return the seconds for all items by those of this round; answers are checked: a race shows in some alone."""
        task = self.task
        block = task.block(self._done(trial), trial.count)
        while True:
            took_s, answers = self._run(trial, block)
            if took_s >= SHORTEST_RUN_S or len(block) < len(task.items) or self._once:
                break
            # At most ten times more at once: the first run of a quick task says little about the next ones.
            loops = math.ceil(trial.loops * min(10, 1.2 * SHORTEST_RUN_S / max(took_s, 1e-9)))
            if self.rounds or loops == trial.loops:
                break
            trial.loops = loops
        if trial is self.baseline and not trial.differs:
            task.learn(block, answers, ())
        trial.differs = trial.differs or task.difference(block, answers)
        return took_s / trial.loops / task.share(block)

    def _settle(self) -> None:
        for trial in self.active:
            if self.interval(trial, last=False).settled(self._precision):
                trial.state = "settled"

    def interval(self, trial: Trial, *, last: bool) -> Interval:
        """Return a rival's speed-up by its rounds."""
        plain_s = self.baseline.times_s[: len(trial.times_s)]
        return interval(plain_s, trial.times_s, last=last, rivals=self.entered)

    # Running

    def _guarded(self, trial: Trial, action: Callable[[Trial], Any]) -> Any:
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

    def _run(
        self, trial: Trial, block: Block, *, workers: int | None = None, items: list[Any] | None = None
    ) -> tuple[float, list[Any]]:
        """Return the seconds that all loops of a block took together, and the answers of the last one."""
        task, remedy, clock = self.task, trial.remedy, self._clock
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
