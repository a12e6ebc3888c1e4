"""What follows from a comparison: its rows, and one of three conclusions with its reason.

*Use X*: measured, with an interval. *X most likely pays*: predicted or seen once, and why no more was measured. *Keep
it as it is*: measured. A table whose remedies were not measured never says the third.
"""

from __future__ import annotations

from statistics import median

from workbench.comparison.bench import Bench
from workbench.comparison.effects import some
from workbench.comparison.failures import raised_by
from workbench.comparison.plan import AS_GOOD, STARTS_IN
from workbench.comparison.statistics import oddities
from workbench.comparison.trial import Trial
from workbench.remedy import Traits
from workbench.results import COULD_NOT_WIN, ComparisonRow

#: The share of what a start-up may take on a slow machine that it takes at the very least: of a pool, some hundredths.
STARTS_AT_BEST = 1 / 30
#: A remedy that gains less is not worth its price, nor a recommendation without a measurement.
WORTH = 1.1


def baseline_row(bench: Bench) -> ComparisonRow:
    """Return the row of the baseline, with what was seen of the task besides its answers."""
    trial, task = bench.baseline, bench.task
    whole_s = median(trial.times_s) if trial.times_s else task.whole_s if task.times_s else None
    seen = len(task.answers)
    notes = (
        *trial.notes,
        raised_by([task.answers[index] for index in sorted(task.answers)], sorted(task.answers)),
        f"its own answers change: {trial.differs}; pass equal=" if trial.differs else "",
        f"{seen} of {len(task.items)} items were done, the rest is scaled" if 0 < seen < len(task.items) else "",
        *task.conduct.notes,
        oddities(trial.times_s),
    )
    return ComparisonRow(
        remedy=trial.remedy.name,
        median_s=whole_s,
        speedup=1.0 if whole_s else None,
        same_answer=not trial.differs,
        verdict="failed" if trial.state == "failed" else "baseline",
        note=_joined(notes),
    )


def row(trial: Trial, bench: Bench) -> ComparisonRow:
    """Return the row of a rival: what was measured, what was predicted, and why there is no more."""
    traits = trial.remedy.traits
    unsure = bool(bench.baseline.differs)
    if traits.pure and unsure:
        return _unmeasured(trial, "skipped", "not a pure function: its answers change")
    if trial.state == "passed over":
        return _unmeasured(trial, "not tried", COULD_NOT_WIN)
    if trial.state in ("failed", "skipped", "not tried") or not trial.times_s:
        if trial.state == "wrong" or (trial.differs and not unsure):
            return _unmeasured(trial, "wrong", trial.differs, same_answer=False)
        return _unmeasured(trial, trial.state or "not tried", "" if trial.state else "not measured yet")
    if trial.state == "wrong":
        return _unmeasured(trial, "wrong", "", same_answer=False)
    # A trial that settled did so at a planned look; for all others this is the last one.
    found = bench.interval(trial, last=trial.state != "settled")
    one_round = len(trial.times_s) == 1
    items = len(bench.task.items)
    notes = (
        "" if unsure else trial.differs,
        "its answers can't be checked, for the task's own change" if unsure else "",
        *trial.notes,
        traits.assumes and f"assumes that {traits.assumes}",
        f"timed on {trial.count} of {items} items a round, and scaled" if trial.count < items else "",
        "one round tells no interval: raise budget_s" if one_round else "",
        oddities(trial.times_s),
    )
    return ComparisonRow(
        remedy=trial.remedy.name,
        workers=trial.workers if traits.scales else None,
        median_s=median(trial.times_s),
        speedup=found.speedup,
        ci_low=None if one_round else found.low,
        ci_high=None if one_round else found.high,
        same_answer=None if unsure else not trial.differs,
        verdict="wrong" if trial.differs and not unsure else found.verdict,
        note=_joined(notes),
        **_predicted(trial),
    )


def _unmeasured(trial: Trial, verdict: str, note: str, same_answer: bool | None = None) -> ComparisonRow:
    return ComparisonRow(
        remedy=trial.remedy.name,
        workers=trial.workers if trial.remedy.traits.scales else None,
        verdict=verdict,
        same_answer=same_answer,
        note=_joined((note, *trial.notes)),
        **_predicted(trial),
    )


def _predicted(trial: Trial) -> dict[str, float]:
    found = trial.predicted
    if found is None or found.bound:
        return {}
    return {"predicted": found.speedup, "predicted_low": found.low, "predicted_high": found.high}


def conclude(rows: list[ComparisonRow], bench: Bench) -> tuple[str | None, str]:
    """Return the remedy to use, if any, and one of the three conclusions as a sentence."""
    traits = {trial.remedy.name: trial.remedy.traits for trial in bench.rivals}
    fair = [each for each in rows if each.remedy in traits and not traits[each.remedy].assumes]
    faster = [each for each in fair if each.verdict == "faster"]
    saving = [each for each in faster if _saves_its_start(each, rows[0], traits[each.remedy])]
    if faster and not saving:
        best = max(faster, key=_speedup)
        return None, (
            f"Keep it as it is: {_with_workers(best)} is {best.speedup:.3g} times faster once its workers run, but "
            "starting them takes longer than it saves here. With more or longer items it may pay."
        )
    if saving:
        return _use(saving, traits)
    likely = _likely(fair, bench)
    if likely:
        return likely
    if any(each.verdict in ("no significant difference", "slower") for each in fair):
        return None, "Keep it as it is: no remedy with the same answers was measured to be faster."
    outward = some(map(str, bench.task.conduct.outward)) if bench.stops_at_effects else ""
    why = f"each call {outward}, so nothing was repeated" if outward else "no remedy that applies could be measured"
    return None, f"Nothing was shown to be faster, and nothing is predicted to be: {why}."


def _saves_its_start(each: ComparisonRow, plain: ComparisonRow, traits: Traits) -> bool:
    """Say whether one run of all items saves what getting the workers to work takes at the very least."""
    if each.median_s is None or plain.median_s is None:
        return True
    return plain.median_s - each.median_s >= traits.start_s * STARTS_AT_BEST


def _use(faster: list[ComparisonRow], traits: dict[str, Traits]) -> tuple[str | None, str]:
    best = max(faster, key=_speedup)
    if _speedup(best) < WORTH and all(traits[each.remedy].price for each in faster):
        return None, (
            f"Keep it as it is: {_with_workers(best)} is {best.speedup:.3g} times faster ({best.ci_low:.3g} to "
            f"{best.ci_high:.3g}), which is not worth its price: {traits[best.remedy].price}."
        )
    if not best.same_answer:
        how = f"{_with_workers(best)} was {best.speedup:.3g} times faster"
        return None, f"Keep it as it is, or pass equal=: its answers change, so none can be checked. {how}."
    # As fast as far as these rounds can tell, and nearly so by what they measured: then the smaller change is better.
    good = [each for each in faster if _speedup(each) >= AS_GOOD * _speedup(best)]
    good = [each for each in good if (each.ci_high or 0) >= _speedup(best)]
    chosen = min([best, *good], key=lambda each: (traits[each.remedy].effort, -_speedup(each)))
    better = f" {_with_workers(best)} is as fast and a larger change." if chosen is not best else ""
    return chosen.remedy, (
        f"{_with_workers(chosen)} is {chosen.speedup:.3g} times faster ({chosen.ci_low:.3g} to {chosen.ci_high:.3g}), "
        f"same answers.{better}{_price(chosen, traits)}"
    )


def _likely(fair: list[ComparisonRow], bench: Bench) -> tuple[str, str] | None:
    """Return the remedy that was seen once, or is predicted, to be faster, and why no more is known of it."""
    traits = {trial.remedy.name: trial.remedy.traits for trial in bench.rivals}
    seen = {
        trial.remedy.name: bench.task.whole_s / trial.estimate_s
        for trial in bench.rivals
        if not trial.differs and trial.state not in ("wrong", "failed", "skipped")
    }
    passed_over = {trial.remedy.name for trial in bench.rivals if trial.state == "passed over"}
    whole_s = bench.task.whole_s

    def gain_of(each: ComparisonRow) -> float:
        """Return what was seen, or else is predicted with a start-up; nothing where it changes what can't be shared."""
        elsewhere = traits[each.remedy].model in ("processes", "cluster", "queue")
        if elsewhere and bench.task.conduct.seen.shared:
            return 0.0
        if seen.get(each.remedy):
            return seen[each.remedy]
        if not each.predicted or (each.predicted_low or 0.0) <= 1:
            return 0.0
        return whole_s / (whole_s / each.predicted + traits[each.remedy].start_s * STARTS_IN)

    found = [
        (gain_of(each), each)
        for each in fair
        if each.verdict in ("not tried", "no significant difference") and each.ci_low is None
        if each.remedy not in passed_over
    ]
    gain, best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    if best is None or gain < WORTH:
        return None
    predicted = (
        f"predicted {best.predicted_low:.3g} to {best.predicted_high:.3g} times faster" if best.predicted else ""
    )
    tried = f"about {seen[best.remedy]:.3g} times faster on a few items" if seen.get(best.remedy) else ""
    outward = some(map(str, bench.task.conduct.outward)) if bench.stops_at_effects else ""
    why = (
        f"each call {outward}, so nothing was repeated"
        if outward
        else "there was no time to measure it: raise budget_s"
    )
    told = ", ".join(filter(None, (predicted, tried)))
    return best.remedy, f"{_with_workers(best)} most likely pays: {told}; {why}.{_price(best, traits)}"


def _price(chosen: ComparisonRow, traits: dict[str, Traits]) -> str:
    price = traits[chosen.remedy].price
    return f" Its price: {price}." if price else ""


def _speedup(each: ComparisonRow) -> float:
    return each.speedup or 0.0


def _with_workers(each: ComparisonRow) -> str:
    return f"{each.remedy} ({each.workers} workers)" if each.workers else each.remedy


def _joined(notes: tuple[str, ...]) -> str:
    return "; ".join(filter(None, notes))
