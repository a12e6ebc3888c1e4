"""The last step of a comparison: the baseline and those rivals that may win are timed in turn, in blocks of items."""

from __future__ import annotations

import math
from collections.abc import Iterator

from workbench.comparison.bench import Bench
from workbench.comparison.plan import SPARE, plan_blocks
from workbench.comparison.statistics import is_look
from workbench.comparison.trial import Trial

#: A timed run lasts at least this long; a quicker task is looped, as timeit does, so that the clock's own cost and
#: resolution (some 50 ns) and a single interrupt of the kernel stay small beside it.
SHORTEST_RUN_S = 1e-3
#: No comparison needs more rounds; with this many a difference of about a hundredth of the noise is found.
MOST_ROUNDS = 1024


class Rounds:
    """Plays rounds until all is settled or the budget used up."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._task = bench.task

    def play(self) -> Iterator[int]:
        """Play rounds until the budget is used up or no rival takes part any more; yield the number of rounds so far.

        An interrupt leaves the rounds played so far whole.
        """
        bench = self._bench
        self._plan_rounds()
        bench.entered = max(1, len(bench.active))
        while bench.active and bench.rounds < MOST_ROUNDS and not bench.baseline.state and not bench.left_running:
            if bench.once and self._some_side_is_done():
                return
            if bench.rounds and self._round_s() > bench.left_s + SPARE * bench.budget_s / 2:
                return
            if self._play_round():
                yield bench.rounds
            if is_look(bench.rounds):
                self._settle()

    def _plan_rounds(self) -> None:
        """Find out how many items each side does in a round; rivals for which there is no time are left out."""
        bench, task = self._bench, self._task
        while rivals := sorted(bench.active, key=lambda trial: trial.estimate_s):
            sizes = [(trial.estimate_s, trial.workers or 1) for trial in rivals]
            undone = len(task.items) - len(bench.looked) if bench.once else None
            blocks = plan_blocks(len(task.items), task.item_s, sizes, bench.left_s, once=undone)
            if blocks is not None:
                bench.baseline.count = blocks.baseline
                for trial, count in zip(rivals, blocks.rivals, strict=True):
                    trial.count = count
                return
            rivals[-1].end("not tried", f"no time was left for a round; by what was tried {self._gain(rivals[-1])}")

    def _done(self, trial: Trial) -> int:
        """Return how many items a side has done; those of rounds alone, where items may be done twice."""
        bench = self._bench
        return bench.rounds * trial.count + (len(bench.looked) if bench.once else 0)

    def _some_side_is_done(self) -> bool:
        bench = self._bench
        return any(self._done(side) + side.count > len(self._task.items) for side in (bench.baseline, *bench.active))

    def _gain(self, trial: Trial) -> str:
        return f"it is about {self._task.whole_s / trial.estimate_s:.2g} times as fast"

    def _round_s(self) -> float:
        """Return what a round takes, by the last one."""
        bench, task = self._bench, self._task
        plain_s = bench.baseline.times_s[-1] * bench.baseline.loops * bench.baseline.count / len(task.items)
        rivals = (trial.times_s[-1] * trial.loops * trial.count / len(task.items) for trial in bench.active)
        return plain_s + sum(rivals)

    def _play_round(self) -> bool:
        bench = self._bench
        order = [bench.baseline, *bench.active]
        bench.random.shuffle(order)
        timed = {trial: bench.guarded(trial, self._timed) for trial in order}
        if timed[bench.baseline] is None:
            return False
        for trial, time_s in timed.items():
            if time_s is not None:
                trial.times_s.append(time_s)
        return True

    def _timed(self, trial: Trial) -> float:
        """Return the seconds for all items by those of this round; answers are checked: a race shows in some alone."""
        bench, task = self._bench, self._task
        block = task.block(self._done(trial), trial.count)
        while True:
            took_s, answers = bench.run(trial, block)
            if took_s >= SHORTEST_RUN_S or len(block) < len(task.items) or bench.once:
                break
            # At most ten times more at once: the first run of a quick task says little about the next ones.
            loops = math.ceil(trial.loops * min(10, 1.2 * SHORTEST_RUN_S / max(took_s, 1e-9)))
            if bench.rounds or loops == trial.loops:
                break
            trial.loops = loops
        if trial is bench.baseline and not trial.differs:
            task.learn(block, answers, ())
        trial.differs = trial.differs or task.difference(block, answers)
        return took_s / trial.loops / task.share(block)

    def _settle(self) -> None:
        bench = self._bench
        for trial in bench.active:
            if bench.interval(trial, last=False).settled(bench.precision):
                trial.state = "settled"
