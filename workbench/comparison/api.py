"""A task and remedies for it -> a `Comparison` that can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workbench.comparison.answers import Equal
from workbench.comparison.bench import Bench
from workbench.comparison.conclusion import baseline_row, conclude, row
from workbench.comparison.looking import Look
from workbench.comparison.plugins import find_remedies
from workbench.comparison.rounds import Rounds
from workbench.comparison.sides import long_lived_objects_frozen
from workbench.comparison.task import Clock, Task
from workbench.comparison.trial import Trial
from workbench.comparison.trying import Tries
from workbench.errors import UsageError
from workbench.names import shown_name
from workbench.progress import progress_bar
from workbench.records import provenance
from workbench.remedy import Run
from workbench.results import Comparison, Diagnosis

__all__ = ["compare"]

_BAR = "{desc}: {percentage:3.0f}% of {total_fmt} s |{bar}|"


def compare(
    func: Callable[[Any], Any],
    items: Iterable[Any],
    remedies: Iterable[str] | Mapping[str, Run] | None = None,
    *,
    baseline: str = "sequential",
    workers: int | None = None,
    budget_s: float = 30.0,
    precision: float = 0.02,
    equal: Equal | None = None,
    diagnosis: Diagnosis | bool = True,
    repeat_effects: bool = False,
    once: bool = False,
    seed: int = 0,
    progress: bool = True,
    clock: Clock = time.perf_counter,
) -> Comparison:
    """Do a task in several ways, side by side, and say which way is faster.

    The task is ``[func(x) for x in items]``. A few items are done and diagnosed first, and what every remedy would gain
    is predicted. Then the time goes where it can still decide something: the best-predicted remedy first; one that is
    predicted to lose to what was measured is not tried, and its row says so. What is tried does the task again and
    again, in rounds of random order, until its difference from the baseline is clear, or too small to matter, or the
    time is up. Answers are checked in every round. A task of long items is compared on some of them, and scaled. How
    sure the verdicts are, and why looking early does no harm, is told in `workbench.comparison.statistics`: of tables
    of equal code at most 5 % claim a difference.

    A task that writes to the outside with every call (prints, sends a POST, writes a file) is not repeated: then there
    are predictions only, unless ``repeat_effects``. No signal is used, so that no import or clean-up of the task is
    ever cut off.

    Parameters
    ----------
    func
        A function of one item; a coroutine function is awaited.
    items
        What to call it with, one or more.
    remedies
        Names of installed remedies, or a mapping of names to functions ``run(func, items, *, workers) -> list``. All
        that are installed are tried when it is None.
    baseline
        The name of the installed remedy that the others are measured against.
    workers
        How many workers a remedy may use. When it is None, remedies that scale are tried with 1, 2, 4, … workers, until
        twice as many no longer pay, and the fewest that are as good as the best are compared.
    budget_s
        Seconds that the whole comparison may take. Items are handed out while there is time; an item that never
        returns under a remedy leaves a thread behind that the remedy's row names, and nothing is timed beside it.
    precision
        A remedy whose interval is narrower than this (relative half-width) and holds 1 needs no more rounds.
    equal
        ``equal(expected, actual)`` says of one item's answers whether they are near enough; exact equality when None.
    diagnosis
        Of the task as the baseline does it, from which speed-ups are predicted (see `workbench.prediction`)
        and shown beside the measured ones. True makes one, which does some of the items once more, for half a second
        at least; False predicts nothing.
    repeat_effects
        Repeat the task, although each call does something outside.
    once
        Do no item twice under one remedy, where a second call would be another one: of an item that a cache then knows,
        a token that is used up. Rounds are of disjoint blocks, and there are fewer; give it many items. Whether answers
        and effects are the same when an item is done again is then not known.
    seed
        Of the random order.
    progress
        Whether to show a progress bar, in a notebook or at a terminal.
    clock
        For tests: returns seconds, as `time.perf_counter` does.

    Returns
    -------
    Comparison
        One row for each remedy, the baseline first. A remedy that raises has verdict ``failed``, one that says that it
        does not apply ``skipped``, one with other answers or side effects ``wrong``, and one that could not win, or
        for which there was no time, ``not tried``, each with the reason in ``note``. ``recommended`` is a remedy that
        was measured to be faster or, where there was no time for that, one that most likely is.
        The baseline's note tells of items that raise, of answers that change, and of what the task does besides.

    Raises
    ------
    UsageError
        No items, an unknown remedy, a number out of range.
    TaskError
        The baseline fails, on every item.
    KeyboardInterrupt
        Interrupted; what was measured, if the first item was done, is in its attribute ``comparison`` (in IPython:
        ``sys.last_value.comparison``).

    Examples
    --------
    >>> from workbench import compare
    >>> from workbench.remedies import twin
    >>> def sum_loop(n):
    ...     return sum([i for i in range(n)])
    >>> def sum_formula(n):
    ...     return n * (n - 1) // 2
    >>> found = compare(sum_loop, [1_000, 2_000], {"formula": twin(sum_formula)}, progress=False)
    >>> [(row.remedy, row.verdict) for row in found.rows]
    [('sequential', 'baseline'), ('formula', 'faster')]
    """
    items = _checked_items(items, workers=workers, budget_s=budget_s, precision=precision)
    (plain,) = find_remedies([baseline])
    rivals = [Trial(remedy, workers) for remedy in find_remedies(remedies) if remedy.name != baseline]
    task = Task(func, items, equal, seed)
    bench = Bench(
        Trial(plain, workers),
        rivals,
        task,
        budget_s=budget_s,
        precision=precision,
        named=remedies is not None,
        repeat_effects=repeat_effects,
        once=once,
        seed=seed,
        clock=clock,
    )

    def result() -> Comparison:
        rows = [baseline_row(bench), *(row(trial, bench) for trial in rivals)]
        recommended, reason = conclude(rows, bench)
        return Comparison(
            target=shown_name(func),
            items=len(items),
            baseline=baseline,
            rows=tuple(rows),
            recommended=recommended,
            reason=reason,
            rounds=bench.rounds,
            raw=_raw([bench.baseline, *rivals]),
            provenance=provenance(seed),
        )

    try:
        with progress_bar(budget_s, wanted=progress, desc="look", bar_format=_BAR) as bar:
            look = Look(bench)
            seen = look.take(may_diagnose=diagnosis is True and look.predicts)
            if isinstance(diagnosis, Diagnosis):
                look.predict(diagnosis, of_all=True)
            elif diagnosis and look.predicts:
                look.predict(seen)
            tries = Tries(bench)
            tries.refuse()
            if not bench.stops_at_effects:
                with long_lived_objects_frozen():
                    tries.try_all()
                    for rounds in Rounds(bench).play():
                        bar.set_description(f"round {rounds}", refresh=False)
                        bar.update(min(bench.elapsed_s, budget_s) - bar.n)
            bar.update(budget_s - bar.n)
    except KeyboardInterrupt as interrupt:
        if task.times_s:
            interrupt.comparison = result()  # type: ignore[attr-defined]
        raise
    return result()


def _raw(trials: list[Trial]) -> dict[str, list[float]]:
    """Return all times: one a round by remedy, and by ``remedy@workers`` what the search for their number found."""
    curves = {f"{trial.remedy.name}@{workers}": [time_s] for trial in trials for workers, time_s in trial.curve.items()}
    return {trial.remedy.name: trial.times_s for trial in trials} | curves


def _checked_items(items: Iterable[Any], *, workers: int | None, budget_s: float, precision: float) -> list[Any]:
    found = list(items)
    if not found:
        raise UsageError("there are no items to compare on: pass at least one")
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be 1 or more, or None: got {workers}")
    if not budget_s > 0:
        raise UsageError(f"budget_s must be above 0 seconds: got {budget_s}")
    if not precision > 0:
        raise UsageError(f"precision must be above 0: got {precision}")
    return found
