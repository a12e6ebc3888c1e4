"""The first step of a comparison: some items are done by the baseline, and what remedies would gain is predicted."""

from __future__ import annotations

import inspect
import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from workbench.comparison.bench import Bench
from workbench.comparison.conduct import Block
from workbench.comparison.failures import Raised, tolerant
from workbench.comparison.forecast import Forecast
from workbench.comparison.plan import LOOKED
from workbench.comparison.task import awaiting, noting
from workbench.coroutines import run_coroutine
from workbench.diagnosis import Diagnosing
from workbench.errors import MissingExtraError, NotApplicableError, TaskError, UsageError, one_line
from workbench.results import Diagnosis

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


class Look:
    """Does items for the first time, notes what they do and take, and predicts from that."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._task = bench.task
        #: The items that were diagnosed, and how long their calls took: the rest of that time is the looking's own.
        self._diagnosed: list[int] = []
        self._called_s = 0.0
        self._noted_s: list[float] = []

    def take(self, *, may_diagnose: bool) -> Diagnosis | None:
        """Do some items once, one after the other, and some of them once more; return a diagnosis, if they took long.

        Raises
        ------
        TaskError
            Every item raises, or the baseline itself fails.
        """
        bench, task = self._bench, self._task
        try:
            with Diagnosing("first item") if may_diagnose else nullcontext() as block, self._watched():
                self._look_at(task.block(0, 1))
            # The first call may pay for imports and connections: its own diagnosis counts only where it stays alone.
            self._diagnosed, found = [*bench.looked], block and block.result
            until_s = bench.elapsed_s + max(bench.budget_s / LOOKED, min(task.item_s, bench.budget_s / 4))
            if self._affordable(until_s) > 0:
                self._called_s = 0.0
                with Diagnosing("other items") if may_diagnose else nullcontext() as block, self._watched():
                    self._look_on(until_s)
                self._diagnosed, found = bench.looked[1:], block and block.result
            if task.raises:
                raise TaskError(f"the task itself fails: {next(iter(task.answers.values()))}")
            if bench.repeats:
                self._look_again()
        except (TaskError, NotApplicableError, MissingExtraError, UsageError):
            raise
        except Exception as error:
            raise TaskError(f"the task itself fails: {one_line(error)}") from error
        return found if found and (found.wall_s >= DIAGNOSED_S or not bench.repeats) else None

    def _affordable(self, until_s: float) -> int:
        """Return how many of the other items may be looked at until then; of those with effects a few."""
        bench = self._bench
        items = len(self._task.items)
        most = 1 + FEW if bench.stops_at_effects else items // ONCE_LOOKED if bench.once else items
        left = min(items, most) - len(bench.looked)
        return min(left, math.floor((until_s - bench.elapsed_s) / self._task.item_s)) if self._task.item_s else left

    def _look_on(self, until_s: float) -> None:
        count = 1
        while (affordable := self._affordable(until_s)) > 0:
            self._look_at(self._task.block(len(self._bench.looked), min(count, affordable)))
            count *= 2

    def _watched(self) -> AbstractContextManager[None]:
        return self._task.conduct.first_run(at=lambda: len(self._bench.looked) + len(self._noted_s))

    def _look_at(self, block: Block) -> None:
        """Do items for the first time: their answers are what all others are compared with."""
        bench = self._bench
        task, plain = self._task, bench.baseline.remedy
        times_s = self._noted_s = []
        items = [task.items[index] for index in block]
        start_s = bench.clock()
        if not bench.looked and plain.traits.in_order:
            answers = [self._first_answer(items[0])]
        else:
            answers = plain.run(
                tolerant(noting(task.func, times_s, bench.clock)), items, workers=bench.baseline.workers
            )
        took_s = bench.clock() - start_s
        if any(isinstance(answer, Raised) for answer in answers):
            task.tolerate()
        alone = plain.traits.in_order and len(times_s) == len(items)
        if not alone:
            times_s = [took_s / len(items)] * len(items)
        task.learn(block, answers, times_s)
        self._called_s += math.fsum(times_s)
        bench.looked += block
        self._noted_s = []
        task.conduct.done(block, len(bench.looked))

    def _first_answer(self, item: Any) -> Any:
        """Call the function for the first time; what a plain one gives to await is awaited, now and from now on."""
        func = tolerant(self._task.func)
        if inspect.iscoroutinefunction(func):
            return run_coroutine(func(item))
        answer = func(item)
        if inspect.isawaitable(answer):
            self._task.func = awaiting(self._task.func)
            return run_coroutine(tolerant(awaiting(lambda _: answer))(item))
        return answer

    def _look_again(self) -> None:
        """Do some items once more, where that takes little: whether answers change, and what happens each time."""
        bench = self._bench
        task, plain = self._task, bench.baseline.remedy
        most = math.floor(bench.budget_s / AGAIN / task.item_s) if task.item_s else len(bench.looked)
        # The blocks of the look were of 1, 1, 2, 4, … items: after each of these effects can be compared.
        count = len(bench.looked) if most >= len(bench.looked) else 2 ** (most.bit_length() - 1) if most else 0
        if not count:
            return
        block, times_s = bench.looked[:count], list[float]()
        items = task.fresh(block)
        with task.conduct.second_run(count, whole=count == len(bench.looked)):
            answers = plain.run(noting(task.func, times_s, bench.clock), items, workers=bench.baseline.workers)
        if plain.traits.in_order:  # the first call of all may have paid for imports and connections
            task.learn(block, answers, times_s)
        task.conduct.unsteady = bench.baseline.differs = task.difference(block, answers)
        task.conduct.clean_up()

    @property
    def predicts(self) -> bool:
        """Whether there are rivals that a model knows, and time enough to diagnose the task for them."""
        bench = self._bench
        return bench.budget_s >= PREDICTED_S and any(trial.remedy.traits.model for trial in bench.rivals)

    def predict(self, diagnosis: Diagnosis | None, *, of_all: bool = False) -> None:
        """Predict what each rival that a model knows would gain if it cost nothing itself."""
        bench, task = self._bench, self._task
        block = task.everything if of_all else self._diagnosed if diagnosis else bench.looked
        try:
            bench.forecast = Forecast.of(
                bench.baseline.remedy.run,
                task,
                block,
                diagnosis=diagnosis,
                called_s=self._called_s if diagnosis and not of_all else None,
                may_repeat=bench.repeats,
                time_s=min(DIAGNOSED_S, bench.budget_s / DIAGNOSED),
            )
        except Exception as error:
            raise TaskError(f"the task itself fails: {one_line(error)}") from error
        for trial in bench.rivals:
            if trial.remedy.traits.model:
                trial.predicted = bench.forecast.at_best(trial.remedy, trial.workers)
