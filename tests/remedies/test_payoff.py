"""From when on a cache pays, by figures that are given."""

import functools
import time

import pytest

from workbench import UsageError, compare
from workbench.caches import Cache, Memory
from workbench.remedies import CallCosts, cached, call_costs


def test_at_the_hit_rate_from_which_it_pays_nothing_is_gained():
    costs = CallCosts(hit_s=0.001, miss_s=0.003)
    for task_s in (0.0011, 0.01, 10.0):
        rate = costs.pays_from(task_s)
        assert 0 < rate < 1
        assert costs.speedup(task_s, rate) == pytest.approx(1)
        assert costs.speedup(task_s, rate / 2) < 1 < costs.speedup(task_s, (1 + rate) / 2)


def test_what_is_quicker_than_a_hit_is_never_worth_a_cache():
    assert CallCosts(hit_s=0.001, miss_s=0.003).pays_from(0.001) is None


def test_costs_are_those_of_misses_and_of_hits_and_nothing_is_left():
    cache = Cache(Memory())
    cache.set("a", 1)
    costs = call_costs(cache, answer="x" * 1000, count=10)
    assert min(costs.hit_s, costs.miss_s) > 0
    assert list(cache.backend._values) == [cache._name("a")]


def test_an_answer_that_is_not_kept_is_told():
    with pytest.raises(UsageError, match="doesn't keep this answer"):
        call_costs(Cache(Memory(), largest_bytes=100), answer="x" * 1000, count=10)
    with pytest.raises(UsageError, match="count must be 1 or more: got 0"):
        call_costs(Cache(Memory()), count=0)


@pytest.mark.parametrize("call", [functools.partial(pow, 2), (2).__pow__])
def test_a_run_over_a_cache_takes_any_callable(call):
    cache = Cache(Memory())
    assert cached(cache)(call, [3, 4, 3]) == [8, 16, 8]
    assert cache.counts().hits + cache.counts().stale == 0  # cleared in the end
    assert not cache.backend._values


@pytest.mark.slow
def test_a_run_over_a_cache_is_predicted_beside_what_was_measured():
    func = lambda item: time.sleep(0.002) or item  # noqa: E731 - of a notebook
    options = {"budget_s": 20, "precision": 0.3, "progress": False}
    found = compare(func, [1, 2, 3, 4] * 5, {"cached": cached(Cache(Memory()))}, **options)
    row = next(row for row in found.rows if row.remedy == "cached")
    assert row.same_answer
    assert row.predicted is not None
    assert row.predicted > 1
