"""What is measured of a cache, not how long it took."""

import threading

import pytest

from workbench import UsageError
from workbench.caches import Cache, CacheCounts, Memory, time_cache, watch_calls


def test_as_many_hits_are_timed_as_asked_for_and_nothing_is_left():
    cache = Cache(Memory())
    cache.set("a", 1)
    timing = time_cache(cache, value_bytes=10, clients=3, count=30)
    assert cache.counts() == CacheCounts(hits=33, stale=0, misses=0, errors=0)
    assert 0 < timing.hit_p50_us <= timing.hit_p95_us <= timing.hit_p99_us
    assert min(timing.hits_per_s, timing.set_us) > 0
    assert list(cache.backend._values) == [cache._name("a")]


def test_a_cache_that_does_not_keep_the_value_is_told():
    with pytest.raises(UsageError, match="the cache in this process doesn't keep 1000 bytes"):
        time_cache(Cache(Memory(), largest_bytes=100), value_bytes=1000, clients=2)


@pytest.mark.parametrize("wrong", [{"clients": 0}, {"value_bytes": -1}, {"clients": 3, "count": 5}])
def test_wrong_numbers_are_told(wrong):
    with pytest.raises(UsageError, match="a cache is timed with"):
        time_cache(Cache(Memory()), **wrong)


def test_calls_go_on_while_things_happen_in_their_order():
    happened = []
    called = threading.Event()

    def square(number):
        called.set()
        return number * number

    events = {0.02: lambda: happened.append("then"), 0.0: lambda: called.wait(30) and happened.append("first")}
    calls = watch_calls(square, range(5), wall_s=0.03, events=events, clients=2)
    assert happened == ["first", "then"]
    assert calls[-1].start_s > 0.02
    assert all(call.answer == call.item**2 and call.wall_s >= 0 for call in calls)
    assert {call.item for call in calls} == set(range(5))
    assert calls == sorted(calls, key=lambda call: call.start_s)


def test_an_exception_is_raised_in_the_end():
    with pytest.raises(ZeroDivisionError):
        watch_calls(lambda number: 1 / number, [0], wall_s=0, events={})
