"""A task and remedies for it -> a `Comparison` that can be trusted."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from workbench.comparison.answers import Equal
from workbench.comparison.failures import raised_by
from workbench.comparison.forecast import Forecast
from workbench.comparison.plugins import find_remedies
from workbench.comparison.search import sample_size
from workbench.comparison.statistics import Interval, interval, is_look, oddities
from workbench.comparison.trials import Clock, Trial, Trials, long_lived_objects_frozen, one_line
from workbench.errors import TaskError, UsageError
from workbench.prediction import Prediction
from workbench.progress import progress_bar
from workbench.records import provenance
from workbench.remedy import Func, Run, Traits
from workbench.results import Comparison, ComparisonRow, Diagnosis

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["compare"]

#: The share of the budget, one part in so many, for which the task is diagnosed.
DIAGNOSED = 20
#: Remedies that are this near to the best are as good, if they are a smaller change.
AS_GOOD = 0.9
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
    seed: int = 0,
    progress: bool = True,
    clock: Clock = time.perf_counter,
) -> Comparison:
    """Do a task in several ways, side by side, and say which way is faster.

    The task is ``[func(x) for x in items]``. After a warm-up every remedy does the whole task once a round, in random
    order, until its difference from the baseline is clear, or too small to matter, or the time is up. Answers are
    checked in every round. How sure the verdicts are, and why looking early does no harm, is told in
    `workbench.comparison.statistics`: of comparisons of equal code at most 5 % claim a difference, counted for each
    row.

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
        Seconds that the whole comparison may take. Where that may be too short for all remedies, a few items show
        which of them get it. In the main thread a first run that takes longer is stopped, and so is a run that hangs.
    precision
        A remedy whose interval is narrower than this (relative half-width) and holds 1 needs no more rounds.
    equal
        ``equal(expected, actual)`` says of one item's answers whether they are near enough; exact equality when None.
    diagnosis
        Of the task as the baseline does it, from which speed-ups are predicted (see `workbench.prediction`)
        and shown beside the measured ones. True makes one, which does some of the items once more, for half a second
        at least; False predicts nothing.
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
        does not apply ``skipped``, one with other answers or side effects ``wrong``, each with the reason in ``note``.
        The baseline's note tells of items that raise, of answers that change, and of what the task does besides.

    Raises
    ------
    UsageError
        No items, an unknown remedy, a number out of range.
    TaskError
        The baseline fails, on every item.
    KeyboardInterrupt
        Interrupted; what was measured is in its attribute ``comparison`` (in IPython: ``sys.last_value.comparison``).

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
    rivals = [remedy for remedy in find_remedies(remedies) if remedy.name != baseline]
    trials = [Trial(remedy, func, workers) for remedy in (plain, *rivals)]
    bench = Trials(trials[0], trials[1:], items, budget_s=budget_s, equal=equal, seed=seed, clock=clock)
    predictions: dict[str, Prediction] = {}

    def result() -> Comparison:
        rows = (
            _baseline_row(bench),
            *(_row(trial, bench, predictions.get(trial.remedy.name)) for trial in bench.rivals),
        )
        recommended, reason = _recommend(rows, {remedy.name: remedy.traits for remedy in rivals})
        return Comparison(
            target=_name(func),
            items=len(items),
            baseline=baseline,
            rows=rows,
            recommended=recommended,
            reason=reason,
            rounds=bench.rounds,
            raw=_raw(trials),
            provenance=provenance(seed),
        )

    try:
        with progress_bar(budget_s, wanted=progress, desc="warm-up", bar_format=_BAR) as bar:
            bench.warm_up()
            modelled = [trial for trial in bench.active if trial.remedy.traits.model]
            if modelled and diagnosis is not False:
                forecast = _forecast(bench, None if diagnosis is True else diagnosis)
                predictions |= {trial.remedy.name: forecast.predict(trial.remedy, trial.workers) for trial in modelled}
            _play(bench, precision, bar)
    except KeyboardInterrupt as interrupt:
        interrupt.comparison = result()  # type: ignore[attr-defined]
        raise
    return result()


def _forecast(bench: Trials, diagnosis: Diagnosis | None) -> Forecast:
    plain = bench.baseline
    items = bench.fresh_items()
    every = max(1, len(items) // sample_size(len(items), plain.cost_s, bench.budget_s / DIAGNOSED))
    run: Run = plain.remedy.run if not bench.conduct.changes else partial(_on_copies, plain.remedy.run)
    try:
        return Forecast.of(
            run,
            plain.func,
            items,
            bench.expected,
            every=every,
            share=bench.conduct.share(slice(None, None, every)),
            item_times_s=bench.conduct.item_times_s if bench.conduct.uneven else (),  # one late item is no unlike one
            diagnosis=diagnosis,
        )
    except Exception as error:
        raise TaskError(f"the task itself fails: {one_line(error)}") from error


def _on_copies(run: Run, func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Run a task that changes its items, for a diagnosis that may repeat it."""
    return run(func, copy.deepcopy(items), workers=workers)


def _play(bench: Trials, precision: float, bar: tqdm[Any]) -> None:
    with long_lived_objects_frozen():
        for rounds in bench.play():
            bar.set_description(f"round {rounds}", refresh=False)
            bar.update(min(bench.elapsed_s, bench.budget_s) - bar.n)
            if is_look(rounds) and not bench.last:
                _settle(bench, precision)


def _settle(bench: Trials, precision: float) -> None:
    for trial in bench.active:
        if _interval(trial, bench, last=False).settled(precision):
            trial.ended = "settled"


def _interval(trial: Trial, bench: Trials, *, last: bool) -> Interval:
    rounds = len(trial.times_s)
    return interval(bench.baseline.times_s[:rounds], trial.times_s, last=last)


def _baseline_row(bench: Trials) -> ComparisonRow:
    trial = bench.baseline
    notes = (
        trial.note,
        raised_by(bench.expected),
        f"its own answers change: {trial.differs}; pass equal=" if trial.differs else "",
        *bench.conduct.notes,
    )
    return ComparisonRow(
        remedy=trial.remedy.name,
        median_s=median(trial.times_s) if trial.times_s else None,
        speedup=1.0 if trial.times_s else None,
        same_answer=not trial.differs,
        verdict="failed" if trial.ended else "baseline",
        note="; ".join(filter(None, (*notes, oddities(trial.times_s)))),
    )


def _row(trial: Trial, bench: Trials, predicted: Prediction | None) -> ComparisonRow:
    name, traits = trial.remedy.name, trial.remedy.traits
    if traits.pure and bench.baseline.differs:
        return ComparisonRow(remedy=name, verdict="skipped", note="not a pure function: its answers change")
    if trial.ended == "wrong":
        return ComparisonRow(remedy=name, verdict="wrong", same_answer=False, note=trial.note)
    if trial.ended in ("failed", "skipped") or not trial.times_s:
        return ComparisonRow(remedy=name, verdict=trial.ended or "skipped", note=trial.note or "not measured yet")
    # A trial that settled did so at a planned look; for all others this is the last one.
    found = _interval(trial, bench, last=trial.ended != "settled")
    one_round = len(trial.times_s) == 1
    unsure = bool(bench.baseline.differs)
    notes = (
        "" if unsure else trial.differs,
        "its answers can't be checked, for the task's own change" if unsure else "",
        trial.note,
        traits.assumes and f"assumes that {traits.assumes}",
        "no time for a warm-up: its first run counts" if bench.first_is_warm_up else "",
        "one round tells no interval: raise budget_s" if one_round else "",
        oddities(trial.times_s),
    )
    return ComparisonRow(
        remedy=name,
        workers=trial.workers if traits.scales else None,
        median_s=median(trial.times_s),
        speedup=found.speedup,
        ci_low=None if one_round else found.low,
        ci_high=None if one_round else found.high,
        predicted=predicted.speedup if predicted else None,
        predicted_low=predicted.low if predicted else None,
        predicted_high=predicted.high if predicted else None,
        same_answer=None if unsure else not trial.differs,
        verdict="wrong" if trial.differs and not unsure else found.verdict,
        note="; ".join(filter(None, notes)),
    )


def _recommend(rows: tuple[ComparisonRow, ...], traits: Mapping[str, Traits]) -> tuple[str | None, str]:
    faster = [row for row in rows if row.verdict == "faster" and not traits[row.remedy].assumes]
    if not faster:
        untold = any(row.verdict == "no significant difference" and row.ci_low is None for row in rows)
        hint = " There was time for one round alone, which shows nothing: raise budget_s." if untold else ""
        return None, f"Keep it as it is: no remedy with the same answers was shown to be faster.{hint}"
    best = max(faster, key=_speedup)
    if not best.same_answer:
        how = f"{_with_workers(best)} was {best.speedup:.3g} times faster"
        return None, f"Keep it as it is, or pass equal=: its answers change, so none can be checked. {how}."
    # As fast as far as these rounds can tell, and nearly so by what they measured: then the smaller change is better.
    good = [row for row in faster if _speedup(row) >= AS_GOOD * _speedup(best) and (row.ci_high or 0) >= _speedup(best)]
    chosen = min([best, *good], key=lambda row: (traits[row.remedy].effort, -_speedup(row)))
    sure = f"{chosen.ci_low:.3g} to {chosen.ci_high:.3g}"
    better = f" {_with_workers(best)} is as fast and a larger change." if chosen is not best else ""
    price = f" Its price: {traits[chosen.remedy].price}." if traits[chosen.remedy].price else ""
    reason = f"{_with_workers(chosen)} is {chosen.speedup:.3g} times faster ({sure}), same answers.{better}{price}"
    return chosen.remedy, reason


def _speedup(row: ComparisonRow) -> float:
    return row.speedup or 0.0


def _with_workers(row: ComparisonRow) -> str:
    return f"{row.remedy} ({row.workers} workers)" if row.workers else row.remedy


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


def _name(func: Callable[..., Any]) -> str:
    name = getattr(func, "__qualname__", type(func).__qualname__)
    module = getattr(func, "__module__", None) or "?"
    return name if module == "__main__" else f"{module}:{name}"
