"""Exact times by a fake clock: every test says what the table must hold, to the last digit."""

import gc
import queue
import random

import pytest

from workbench import NotApplicableError, TaskError, UsageError, compare
from workbench.comparison.rounds import MOST_ROUNDS
from workbench.remedies import remedy as mark


class Unseen:
    """A value where nobody looks for effects of the task, so that a test may change it there."""

    def __init__(self, value):
        self._place = queue.SimpleQueue()
        self._place.put(value)

    def get(self):
        value = self._place.get()
        self._place.put(value)
        return value

    def set(self, value):
        self._place.get()
        self._place.put(value)

    def __next__(self):
        self.set(self.get() + 1)
        return self.get() - 1


class FakeClock:
    """A clock that only moves when a task takes time."""

    __module__ = "time"  # as Python's own clocks: what a task does to it is no effect

    def __init__(self):
        self._time = Unseen(0.0)

    @property
    def now_s(self):
        return self._time.get()

    @now_s.setter
    def now_s(self, now_s):
        self._time.set(now_s)

    def __call__(self):
        return self.now_s

    def remedy(self, *seconds, answer=lambda items: list(items)):
        """Make a remedy whose runs take these seconds, the last of them for ever."""
        left = list(seconds)

        def run(func, items, *, workers):
            self.now_s += left.pop(0) if len(left) > 1 else left[0]
            return answer(items)

        return run


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def run(clock):
    """Compare remedies with a baseline that takes one fake second a run."""

    def slow(item):
        clock.now_s += 1.0
        return item

    def run(remedies, **options):
        options = {"budget_s": 100.0, **options}
        return compare(slow, ["x"], remedies, clock=clock, diagnosis=False, progress=False, **options)

    return run


def row(found, name):
    return next(row for row in found.rows if row.remedy == name)


def test_exact_times_make_an_exact_row(run, clock):
    found = run({"half": clock.remedy(0.5), "double": clock.remedy(2.0), "twin": clock.remedy(1.0)})
    assert [(r.remedy, r.median_s, r.speedup, r.verdict) for r in found.rows] == [
        ("sequential", 1.0, 1.0, "baseline"),
        ("half", 0.5, pytest.approx(2.0), "faster"),
        ("double", 2.0, pytest.approx(0.5), "slower"),
        ("twin", 1.0, pytest.approx(1.0), "no significant difference"),
    ]
    assert found.recommended == "half"
    assert found.rounds == 8
    assert found.raw["half"] == [0.5] * 8


def test_the_warm_up_is_not_measured(run, clock):
    found = run({"imports first": clock.remedy(5.0, 5.0, 0.5)})
    assert set(found.raw["imports first"]) == {0.5}


def test_of_two_as_fast_the_smaller_change_is_recommended(run, clock):
    large, small, slow = clock.remedy(0.5), clock.remedy(0.51), clock.remedy(0.8)
    mark(effort=3)(large)
    mark(effort=2)(small)
    mark(effort=1)(slow)
    wobble = random.Random(2)
    noise = clock.remedy(*[wobble.uniform(0.45, 0.56) for _ in range(60)])
    mark(effort=2)(noise)
    found = run({"large": large, "noise": noise, "slow": slow})
    assert found.recommended == "noise"
    assert "large is as fast and a larger change" in found.reason


def test_drift_and_outliers_are_told(run, clock):
    seconds = [0.5] * 2 + [round(0.9 * 1.05**n, 3) for n in range(40)]
    found = run({"tiring": clock.remedy(*seconds), "half": clock.remedy(0.5)}, precision=1e-6)
    assert "drift: the last third" in row(found, "tiring").note
    assert "drift" not in row(found, "half").note


def test_a_settled_remedy_makes_room_for_the_others(run, clock):
    wobble = random.Random(1)
    noisy = clock.remedy(*[wobble.uniform(0.5, 1.9) for _ in range(80)])
    found = run({"half": clock.remedy(0.5), "noisy": noisy})
    assert len(found.raw["half"]) == 8
    assert len(found.raw["noisy"]) == found.rounds == len(found.raw["sequential"]) > 30


@pytest.mark.parametrize("budget_s", [7.0, 40.0, 100.0])
def test_the_budget_is_kept(run, clock, budget_s):
    wobble = random.Random(1)
    noisy = clock.remedy(*[wobble.uniform(0.5, 1.9) for _ in range(200)])
    run({"noisy": noisy}, budget_s=budget_s)
    assert clock.now_s <= budget_s + 1.4  # a round may take longer than the one before


def test_without_time_for_a_round_it_is_told_what_most_likely_pays(run, clock):
    found = run({"tenth": clock.remedy(0.1)}, budget_s=2.3)
    tenth = row(found, "tenth")
    assert (tenth.speedup, tenth.verdict) == (None, "not tried")
    assert "no time was left for a round; by what was tried it is about 10 times as fast" in tenth.note
    assert found.recommended == "tenth"
    assert found.reason.startswith("tenth most likely pays: about 10 times faster on a few items; there was no time")


def test_one_round_tells_no_interval_and_claims_nothing_measured(run, clock):
    found = run({"tenth": clock.remedy(0.1)}, budget_s=2.6)
    tenth = row(found, "tenth")
    assert (tenth.speedup, tenth.ci_low, tenth.ci_high) == (pytest.approx(10), None, None)
    assert "one round tells no interval: raise budget_s" in tenth.note
    assert (found.recommended, "most likely pays" in found.reason) == ("tenth", True)


def test_two_rounds_in_the_budget_show_a_large_gain(run, clock):
    assert row(run({"tenth": clock.remedy(0.1)}, budget_s=4.0), "tenth").verdict == "faster"


def test_remedies_that_the_budget_never_reached_are_told(run, clock):
    late = row(run({"slow": clock.remedy(10.0), "late": clock.remedy(0.1)}, budget_s=3.0), "late")
    assert (late.verdict, late.note) == (
        "not tried",
        "no time was left to start it and try it in the budget of 3 s",
    )


def test_keep_it_as_it_is_needs_a_measurement(run, clock):
    assert run({"same": clock.remedy(1.0)}).reason.startswith("Keep it as it is: no remedy with the same answers was")
    nothing = run({"slow": clock.remedy(10.0)}, budget_s=2.0)
    assert (nothing.recommended, nothing.reason.startswith("Nothing was shown to be faster")) == (None, True)


def test_where_there_is_no_time_a_remedy_that_does_not_apply_says_so(run, clock):
    def picky(func, items, *, workers):
        raise NotApplicableError("needs another Python")

    mark(effort=9)(picky)
    found = run({"slow": clock.remedy(10.0), "picky": picky}, budget_s=3.0)
    assert row(found, "picky").note == "needs another Python"


def test_a_quick_task_is_looped(run, clock):
    found = run({"quick": clock.remedy(1e-5)})
    assert found.raw["quick"] == [pytest.approx(1e-5)] * found.rounds


def test_equal_noise_never_plays_for_ever(clock):
    def noisy(item):
        clock.now_s += noise.uniform(1, 2)

    noise = random.Random(3)
    found = compare(
        noisy, [1], {"same": lambda f, items, *, workers: [noisy(1)]},
        clock=clock, budget_s=1e9, precision=1e-9, diagnosis=False, progress=False,
    )  # fmt: skip
    assert found.rounds == MOST_ROUNDS


def test_a_remedy_that_raises_fails_alone(run, clock):
    def broken(func, items, *, workers):
        raise ZeroDivisionError("no such luck\nand more")

    found = run({"broken": broken, "half": clock.remedy(0.5)})
    assert (row(found, "broken").verdict, row(found, "broken").note) == ("failed", "ZeroDivisionError: no such luck")
    assert row(found, "half").verdict == "faster"


def test_a_remedy_that_fails_later_fails_alone(run, clock):
    runs = iter(range(100))

    def tiring(func, items, *, workers):
        clock.now_s += 0.1
        if next(runs) == 4:
            raise OSError("too many open files")
        return list(items)

    found = run({"tiring": tiring, "half": clock.remedy(0.5)})
    assert (row(found, "tiring").verdict, row(found, "tiring").speedup) == ("failed", None)
    assert found.raw["half"] == [pytest.approx(0.5)] * 8


def test_a_remedy_that_does_not_apply_is_skipped(run):
    def picky(func, items, *, workers):
        raise NotApplicableError("items don't pickle")

    found = row(run({"picky": picky}), "picky")
    assert (found.verdict, found.note, found.same_answer) == ("skipped", "items don't pickle", None)


def test_a_wrong_answer_is_wrong_however_quick(run, clock):
    found = run({"liar": clock.remedy(0.01, answer=lambda items: ["y"])})
    assert (row(found, "liar").verdict, row(found, "liar").same_answer) == ("wrong", False)
    assert row(found, "liar").note == "item 0: 'y' instead of 'x'"
    assert found.recommended is None


def test_an_answer_that_is_wrong_only_sometimes_is_wrong(run, clock):
    answers = iter([["x"]] * 5 + [["y"]] + [["x"]] * 100)
    found = run({"racy": clock.remedy(0.5, answer=lambda items: next(answers))})
    assert row(found, "racy").verdict == "wrong"


def test_a_baseline_whose_answers_change_is_told(clock):
    answers = Unseen(0)

    def unsteady(item):
        clock.now_s += 1
        return next(answers)

    found = compare(unsteady, [1], {"half": clock.remedy(0.5)}, clock=clock, diagnosis=False, progress=False)
    assert found.rows[0].same_answer is False
    assert "pass equal=" in found.rows[0].note


def test_a_task_that_fails_is_one_line(clock):
    with pytest.raises(TaskError, match=r"^the task itself fails: ZeroDivisionError: division by zero$"):
        compare(lambda item: 1 / item, [0], {"half": clock.remedy(0.5)}, clock=clock, diagnosis=False, progress=False)


def test_a_task_that_fails_later_keeps_what_was_measured(clock):
    runs = Unseen(0)

    def tiring(item):
        clock.now_s += 1
        if next(runs) == 6:
            raise OSError("too many open files")
        return item

    found = compare(tiring, [1], {"half": clock.remedy(0.5)}, clock=clock, diagnosis=False, progress=False)
    assert (found.rows[0].verdict, found.rows[0].note) == ("failed", "OSError: too many open files")
    assert (found.rounds, row(found, "half").verdict) == (5, "faster")


def test_an_interrupt_keeps_what_was_measured(run, clock):
    runs = iter(range(100))

    def interrupted(func, items, *, workers):
        clock.now_s += 0.5
        if next(runs) == 6:
            raise KeyboardInterrupt
        return list(items)

    with pytest.raises(KeyboardInterrupt) as caught:
        run({"half": interrupted, "same": clock.remedy(1.0)})
    found = caught.value.comparison
    assert found.rounds == 4
    assert {len(times) for times in found.raw.values()} == {4}
    assert [(r.remedy, r.verdict) for r in found.rows[1:]] == [
        ("half", "faster"),
        ("same", "no significant difference"),
    ]


def test_an_interrupt_before_the_first_round_says_so(run):
    def interrupted(func, items, *, workers):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run({"half": interrupted})
    assert [(r.verdict, r.note) for r in caught.value.comparison.rows][1] == ("not tried", "not measured yet")


@pytest.mark.slow
def test_the_order_is_random_and_the_seed_repeats_it(run, clock):
    def orders(seed):
        seen = []

        def named(name):
            def remedy(func, items, *, workers):
                seen.append(name)
                clock.now_s += 1.0
                return list(items)

            return remedy

        run({name: named(name) for name in "abc"}, seed=seed)
        return "".join(seen)

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)


def test_the_collector_is_left_as_it_was(run, clock):
    run({"half": clock.remedy(0.5)})
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.freeze()
    try:
        run({"half": clock.remedy(0.5)})
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("items", "options", "message"),
    [
        ([], {}, "there are no items"),
        ([1], {"workers": 0}, "workers must be 1 or more"),
        ([1], {"budget_s": 0}, "budget_s must be above 0"),
        ([1], {"precision": 0}, "precision must be above 0"),
        ([1], {"remedies": ["magic"]}, "no remedy 'magic' is installed; there are asyncio, celery, cluster, "),
        ([1], {"remedies": {"magic": 7}}, "the remedy 'magic' is not callable"),
        ([1], {"remedies": [print]}, "give a remedy of your own a name: pass"),
    ],
)
def test_what_can_not_be_compared_is_refused_in_one_line(items, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        compare(abs, items, progress=False, **options)
    assert "\n" not in str(caught.value)


def test_where_time_is_short_rounds_are_of_a_few_items_and_scaled(clock):
    """Ten seconds for the task, thirty in all."""

    def remedy(item_s):
        def run(func, items, *, workers):
            clock.now_s += item_s * len(items)
            return list(items)

        return run

    def slow(item):
        clock.now_s += 0.05
        return item

    ways = {"no gain": remedy(0.05), "some gain": remedy(0.03), "tenfold": remedy(0.005)}
    found = compare(slow, list(range(200)), ways, clock=clock, progress=False, budget_s=30)
    assert clock.now_s <= 30
    assert row(found, "no gain").speedup == pytest.approx(1.0)
    assert row(found, "tenfold").speedup == pytest.approx(10)
    assert row(found, "tenfold").median_s == pytest.approx(1.0)
    assert "items a round, and scaled" in row(found, "some gain").note
    assert found.recommended == "tenfold"


def test_a_task_longer_than_the_budget_is_compared_on_a_few_of_its_items(clock):
    calls = Unseen(0)

    def long(item):
        next(calls)
        clock.now_s += 1.0
        return item

    @mark(model="threads", scales=True)
    def side_by_side(func, items, *, workers):
        clock.now_s += -(-len(items) // workers)
        return list(items)

    found = compare(long, list(range(100)), {"threads": side_by_side}, clock=clock, progress=False, diagnosis=False)
    assert clock.now_s <= 33
    assert row(found, "threads").verdict == "faster"
    assert row(found, "threads").speedup > 10
    assert next(calls) <= 30


def test_a_search_falls_back_to_the_most_workers_that_worked(clock):
    @mark(scales=True)
    def limited(func, items, *, workers):
        if workers > 8:
            raise OSError("too many at once")
        clock.now_s += len(items) / workers
        return list(items)

    def slow(item):
        clock.now_s += 1.0
        return item

    found = compare(slow, list(range(40)), {"limited": limited}, clock=clock, progress=False, budget_s=200)
    limited_row = row(found, "limited")
    assert (limited_row.workers, limited_row.verdict) == (8, "faster")
    assert "the search for workers ended: with 16 workers: OSError: too many at once" in limited_row.note


def test_the_error_rate_is_shared_by_the_rivals(run, clock):
    """Eight rounds of one sign are enough for one rival; shared by six they are not, by ranks."""
    wobble = random.Random(5)

    def quicker():
        return clock.remedy(*[1 / wobble.uniform(1.001, 1.2) for _ in range(2000)])

    alone = run({"one": quicker()}, precision=1e-9)
    beside = run({str(number): quicker() for number in range(6)}, precision=1e-9)
    assert alone.rounds < beside.rounds
