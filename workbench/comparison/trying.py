"""The second step of a comparison: rivals are tried in turn, the best-predicted first, and checked."""

from __future__ import annotations

import math
from functools import partial

from workbench.comparison.bench import AnswersDifferError, Bench
from workbench.comparison.forecast import Wave
from workbench.comparison.plan import SEARCHED, Best, hopeless, next_to_try
from workbench.comparison.search import search_workers
from workbench.comparison.statistics import FIRST_LOOK
from workbench.comparison.trial import Trial
from workbench.errors import MissingExtraError, NotApplicableError
from workbench.masking import get_logger

#: The share of the budget after which no further rival is tried, so that what was tried gets its rounds.
TRIED = 0.6
#: A rival whose items can't be refused does one part in so many of those that were looked at first.
FIRST_FEW = 8
#: A remedy that takes longer to start is not asked whether it applies before it is tried.
ASKED_S = 1.0

logger = get_logger(__name__)


class Tries:
    """Finds out of each rival whether it applies, with how many workers, and whether its answers are the same."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._task = bench.task

    def refuse(self) -> None:
        """Leave out the rivals that do not apply to this task."""
        for trial in self._bench.rivals:
            if why := self._refusal(trial):
                trial.end("skipped", why)

    def try_all(self) -> None:
        """Try the rivals, the best-predicted first; those that can't win any more, or don't fit, are not tried."""
        bench = self._bench
        waiting = list(bench.active)
        while waiting:
            trial = waiting.pop(next_to_try([(each.predicted, each.remedy.traits) for each in waiting]))
            if not bench.named and (why := hopeless(trial.predicted, trial.remedy.traits, self._best())):
                trial.end("passed over", why)
            elif bench.left_running:
                trial.end("not tried", f"{bench.left_running}, and nothing is timed beside it")
            elif self._comes_too_late(trial):
                trial.end("not tried", f"no time was left to start it and try it in the budget of {bench.budget_s:g} s")
            else:
                bench.guarded(trial, self._try)

    def _refusal(self, trial: Trial) -> str:
        """Return why a remedy does not apply, as far as that can be known without starting anything."""
        traits, impure = trial.remedy.traits, self._task.conduct.impure
        if traits.pure and impure:
            return f"not a pure function: {impure}"
        if traits.start_s >= ASKED_S:
            return ""
        try:
            trial.remedy.run(self._task.func, [], workers=1)
        except (NotApplicableError, MissingExtraError) as error:
            return str(error)
        except Exception as error:  # it may not like to have no items
            logger.debug("%s without items: %s", trial.remedy.name, error)
        return ""

    def _comes_too_late(self, trial: Trial) -> bool:
        bench = self._bench
        takes_s = trial.remedy.traits.start_s + self._task.item_s
        best, predicted = self._best(), trial.predicted
        if best is None or (predicted is not None and not predicted.bound and predicted.low > best.speedup):
            return takes_s > bench.left_s
        return bench.elapsed_s + takes_s > TRIED * bench.budget_s

    def _best(self) -> Best | None:
        tried = [
            trial for trial in self._bench.active if trial.estimate_s < math.inf and not trial.remedy.traits.assumes
        ]
        best = min(tried, key=lambda trial: trial.estimate_s, default=None)
        if best is None:
            return None
        gain = self._task.whole_s / best.estimate_s
        return Best(best.remedy.name, best.estimate_s, gain, best.remedy.traits.effort)

    def _try(self, trial: Trial) -> None:
        bench = self._bench
        if trial.remedy.traits.scales and trial.workers is None:
            if not bench.once:
                self._search(trial)
            elif bench.forecast:
                trial.workers = bench.forecast.enough_workers(trial.remedy, max(1, len(self._task.items) // FIRST_LOOK))
        self._check(trial)
        if bench.forecast and trial.predicted and not trial.predicted.bound:
            trial.predicted = bench.forecast.predict(trial.remedy, trial.workers, trial.waves)

    def _search(self, trial: Trial) -> None:
        bench = self._bench
        until_s = bench.elapsed_s + min(bench.budget_s / SEARCHED, bench.left_s / 2) + trial.remedy.traits.start_s
        found = search_workers(
            partial(self._wave_s, trial),
            len(self._task.items),
            item_s=self._task.item_s,
            left_s=lambda: until_s - bench.elapsed_s,
            uneven=self._task.uneven,
            start_s=trial.remedy.traits.start_s,
            hoped=bench.forecast.enough_workers(trial.remedy, len(self._task.items)) if bench.forecast else 2,
        )
        trial.curve, trial.workers = found.curve, found.fewest_good()
        trial.estimate_s = found.curve[trial.workers]
        if found.ended:
            trial.notes.append(f"the search for workers ended: {found.ended}")

    def _wave_s(self, trial: Trial, workers: int, count: int) -> tuple[float, float]:
        block = self._task.block(0, count)
        took_s, answers = self._bench.run(trial, block, workers=workers)
        if differs := self._task.difference(block, answers):
            raise AnswersDifferError(differs)
        quickest_s = min(took_s, trial.waves[workers].took_s) if workers in trial.waves else took_s
        trial.waves[workers] = Wave(block, quickest_s)
        return took_s, took_s / self._task.share(block)

    def _check(self, trial: Trial) -> None:
        """Do the items that were looked at, and compare answers and effects with the plain task's.

        Where a few of them show that all would take too long, only these are compared, and by their answers.
        """
        bench = self._bench
        task, block = self._task, bench.looked
        few = block[: max(1, len(block) // FIRST_FEW)]
        if not (trial.curve or bench.once) and len(few) < len(block):
            took_s, answers = bench.run(trial, few)
            if took_s / len(few) * len(block) > bench.left_s / 4:
                # That may have been its start-up, which says nothing about the rounds to come.
                took_s, answers = bench.run(trial, few)
                trial.differs = task.difference(few, answers)
                trial.estimate_s = took_s / task.share(few)
                trial.notes.append(f"checked on {len(few)} of {len(task.items)} items")
                return
        before, items = task.conduct.state(), task.fresh(block)
        took_s, answers = bench.run(trial, block, items=items)
        wrong, note = task.conduct.compared(before, items, block)
        if note:
            trial.notes.append(note)
        if wrong:
            trial.end("wrong", wrong)
            task.mend()
            return
        trial.differs = task.difference(block, answers)
        whole_s = took_s / task.share(block)
        if not (trial.curve or bench.once) and whole_s > task.whole_s and 2 * took_s < bench.left_s / 4:
            took_s, _ = bench.run(trial, block)
            whole_s = took_s / task.share(block)
        trial.estimate_s = min(trial.estimate_s, whole_s)
