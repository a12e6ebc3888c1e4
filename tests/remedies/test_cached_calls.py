"""`memoize` over a cache that processes may share."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from counted import Counted
from waiting import eventually

from workbench import UsageError, memoize
from workbench.caches import Cache, Memory
from workbench.caches import lease as lease_module
from workbench.caches.lease import Lease
from workbench.remedies import cached_calls
from workbench.remedies.memo import MemoInfo


def shared(kind, cache=None, **options):
    return Counted(kind, cache=Cache(Memory()) if cache is None else cache, **options)


both = pytest.mark.parametrize("kind", ["plain", "async"])


@both
def test_an_answer_is_computed_once(kind):
    square = shared(kind)
    assert square.all((3,), (4,), (3,), (3.0,)) == [9, 16, 9, 9.0]
    assert square.calls == [3, 4, 3.0]
    assert square.memoized.info() == MemoInfo(warm_hits=0, stored_hits=1, shared=0, misses=3)
    assert asyncio.iscoroutinefunction(square.memoized) == (kind == "async")


@both
def test_types_come_back_as_they_were(kind):
    value = {"tuple": (1, 2), "set": {1}, 3: b"x", "none": None}
    give = shared(kind, answer=lambda n: value)
    assert give(1) == give(1) == value
    assert isinstance(give(1)["tuple"], tuple)
    assert len(give.calls) == 1


@both
def test_none_is_an_answer_and_an_exception_is_not(kind):
    def answer(n):
        if n == 0:
            raise LookupError("nothing")
        return

    give = shared(kind, answer=answer)
    assert give(1) is give(1) is None
    for _ in range(2):
        with pytest.raises(LookupError, match="nothing"):
            give(0)
    assert give.calls == [1, 0, 0]


@both
def test_exceptions_are_remembered_where_that_is_wanted(kind, skip):
    def answer(n):
        raise [LookupError, KeyError, ValueError][n]("no", n)

    cache = Cache(Memory())
    give = shared(kind, cache, answer=answer, negative={LookupError: 600, ValueError: 60})
    for number, error in enumerate([LookupError, KeyError, ValueError]):
        for _ in range(2):
            with pytest.raises(error) as caught:
                give(number)
            assert type(caught.value) is error
            assert caught.value.args == ("no", number)
    assert give.calls == [0, 1, 1, 2]
    skip(61)
    with pytest.raises(ValueError, match="no"):
        give(2)
    assert give.calls[-1] == 2
    assert len(give.calls) == 5
    # Without the wish for it, what was remembered doesn't count.
    assert shared(kind, cache, answer=lambda n: "computed")(0) == "computed"


@both
def test_a_stale_answer_is_served_while_one_computes_it_anew(kind, skip):
    answers = iter(range(100))
    give = shared(kind, answer=lambda n: next(answers), ttl_s=60, stale_s=600, jitter=0)
    assert give(1) == 0
    skip(61)
    assert give(1) == 0
    eventually(lambda: len(give.calls) == 2)
    eventually(lambda: give(1) >= 1)


@both
def test_a_refresh_that_fails_leaves_the_stale_answer_and_is_told(kind, caplog, skip):
    answers = iter([1])
    give = shared(kind, answer=lambda n: next(answers, None) or 1 / 0, ttl_s=60, stale_s=600)
    assert give(1) == 1
    skip(61)
    assert give(1) == 1
    eventually(lambda: any("can't be computed anew (ZeroDivisionError" in each.getMessage() for each in caplog.records))
    assert give(1) == 1


@both
def test_times_are_shortened_at_random(kind, monkeypatch):
    kept = []
    cache = Cache(Memory())
    keep = cache.set
    monkeypatch.setattr(
        cache, "set", lambda key, value, ttl_s=None, **more: kept.append(ttl_s) or keep(key, value, ttl_s, **more)
    )
    square = shared(kind, cache, ttl_s=100, jitter=0.2)
    square.all(*[(n,) for n in range(200)])
    assert 80 <= min(kept) < 85
    assert 95 < max(kept) <= 100


@both
def test_what_the_cache_can_not_keep_is_computed_at_every_call_without_waiting_in_line(kind):
    cache = Cache(Memory())
    give = shared(kind, cache, answer=lambda n: object())
    first, second = give(1), give(1)
    assert first is not second
    assert len(give.calls) == 2
    assert cache.get(give.memoized.__wrapped__.__name__) is None


@both
def test_other_source_has_other_answers(kind):
    cache = Cache(Memory())
    first = shared(kind, cache)

    def make(body):
        space = {}
        exec(f"def plain(n):\n    return {body}", space)
        return memoize(space["plain"], cache=cache)

    assert [make("n + 1")(1), make("n + 2")(1), make("n + 1")(1)] == [2, 3, 2]
    assert first(1) == 1


@both
def test_clear_forgets_this_function_alone(kind):
    cache = Cache(Memory())
    square = shared(kind, cache)
    other = memoize(abs, cache=cache)
    square(3)
    other(-3)
    square.memoized.clear()
    assert square.memoized.info() == MemoInfo(0, 0, 0, 0)
    square(3)
    other(-3)
    assert square.calls == [3, 3]
    assert other.info().stored_hits == 1


@both
def test_callers_at_the_same_time_share_one_computation(kind):
    started, go = threading.Event(), threading.Event()

    def answer(n):
        started.set()
        go.wait()
        return n

    give = shared("plain", answer=answer)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(give(1))) for _ in range(20)]
    for thread in threads:
        thread.start()
    started.wait()
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [1] * 20
    assert give.calls == [1]


def test_a_cancelled_leader_leaves_the_computation_to_another():
    calls = []

    async def main():
        go = asyncio.Event()

        async def slow(n):
            calls.append(n)
            await go.wait()
            return n

        memoized = memoize(slow, cache=Cache(Memory()))
        leader = asyncio.create_task(memoized(1))
        while not calls:
            await asyncio.sleep(0.001)
        other = asyncio.create_task(memoized(1))
        await asyncio.sleep(0.01)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        go.set()
        return await other

    assert asyncio.run(main()) == 1
    assert calls == [1, 1]


def test_a_function_that_calls_itself_with_the_same_argument_recurs_as_the_plain_one_does():
    @memoize(cache=Cache(Memory()))
    def endless(n):
        return endless(n)

    with pytest.raises(RecursionError):
        endless(1)


def test_a_computation_outlives_the_time_of_its_lease(monkeypatch, skip):
    eventually(lambda: not lease_module._renewing)  # the thread of earlier tests has seen that it has nothing to do
    monkeypatch.setattr(lease_module, "HOLD_S", 60)
    pause = time.sleep
    monkeypatch.setattr(lease_module, "time", SimpleNamespace(sleep=lambda seconds: pause(seconds / 10_000)))
    cache = Cache(Memory())
    lease, other = Lease(cache, "k"), Lease(cache, "k")
    assert lease.take()
    for _ in range(3):
        skip(30)
        eventually(lambda: cache.backend._values["workbench:k"][1] > time.time() + 31)
    assert other.take() is False
    lease.give_back()
    assert other.take()
    other.give_back()


def test_a_lease_that_was_lost_is_not_anybody_elses_to_give_back(monkeypatch):
    cache = Cache(Memory())
    lease, other = Lease(cache, "k"), Lease(cache, "k")
    assert lease.take()
    cache.delete("k")
    assert other.take()
    lease.give_back()
    assert lease.take() is False
    other.give_back()


def test_waiting_for_another_process_ends_with_its_answer(monkeypatch):
    """Another process is played by one who holds the lease in the same cache."""
    cache = Cache(Memory())
    square = shared("plain", cache)
    square(1)
    key = next(name for name in cache.backend._values if not name.endswith(":lease")).removeprefix("workbench:")
    cache.delete(key)
    holder = Lease(cache, f"{key}:lease")
    assert holder.take()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(square(1)))
    waiting.start()
    time.sleep(0.05)
    assert not answers
    cache.set(key, ["from there"])
    waiting.join()
    assert answers == ["from there"]
    cache.delete(key)
    waiting = threading.Thread(target=lambda: answers.append(square(1)))
    waiting.start()
    time.sleep(0.02)
    cache.set(key, cached_calls.UNKEPT)
    waiting.join()
    holder.give_back()
    assert answers == ["from there", 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folder": "x"}, "not both"),
        ({"stale_s": -1}, "stale_s must be 0 seconds or more: got -1"),
        ({"jitter": 1}, "jitter must be at least 0 and below 1: got 1"),
        ({"negative": {int: 1}}, "negative must map exceptions to seconds"),
        ({"negative": {LookupError: 0}}, "negative must map exceptions to seconds"),
        ({"ttl_s": 0}, "ttl_s must be above 0"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(UsageError, match=message):
        memoize(abs, cache=Cache(Memory()), **options)
    with pytest.raises(UsageError, match="go with a cache"):
        memoize(abs, stale_s=1)
