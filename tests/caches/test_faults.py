"""Servers that are killed, frozen and started anew while they are used."""

import asyncio

import pytest
from cache_makers import SERVERS, make_backend
from waiting import eventually

from workbench import memoize
from workbench.caches import AsyncCache, Cache
from workbench.caches.breaker import Breaker

#: How long a server may take here, where some never answer.
TIMEOUT_S = 0.5


@pytest.fixture
def served(own_service, tmp_path):
    """Return a function that starts a server for this test, and makes a cache on it."""
    made = []

    def make(kind):
        service = own_service(SERVERS[kind])
        made.append(Cache(make_backend(kind, str(tmp_path), service.url, TIMEOUT_S), retry_s=0.1))
        return service, made[-1]

    yield make
    for cache in made:
        cache.close()


def messages(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "workbench.caches.breaker"]


@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_a_server_that_fails_is_a_miss_told_once_and_used_again_when_it_is_back(served, served_kind, harm, caplog):
    service, cache = served(served_kind)
    eventually(lambda: cache.set("a", 1) and cache.get("a") == 1)
    caplog.clear()
    getattr(service, harm)()
    for _ in range(5):
        assert cache.get("a", "missed") == "missed"
        assert not cache.set("a", 2)
        assert cache.add("b", 1, 60) is None
        assert cache.get_many(["a"]) == {}
        cache.delete("a")
    assert cache.fails
    assert len(messages(caplog)) == 1
    assert "fails" in messages(caplog)[0]
    service.restart() if harm == "kill" else service.resume()
    eventually(lambda: cache.set("a", 3))
    eventually(lambda: cache.get("a") == 3)
    assert not cache.fails
    assert "works again" in messages(caplog)[1]
    assert cache.counts().errors >= 1


@pytest.mark.parametrize("way", ["plain", "async"])
@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_memoized_answers_are_right_whatever_happens_to_the_server(served, served_kind, harm, way):
    service, cache = served(served_kind)
    calls = []

    def square(n):
        calls.append(n)
        return n * n

    async def square_later(n):
        return square(n)

    memoized = memoize(square if way == "plain" else square_later, cache=cache, ttl_s=60)
    call = memoized if way == "plain" else lambda n: asyncio.run(memoized(n))

    def remembers(n):
        before = len(calls)
        return call(n) == n * n and len(calls) == before

    assert [call(n) for n in (1, 2)] == [1, 4]
    eventually(lambda: remembers(1))
    calls.clear()
    getattr(service, harm)()
    assert [call(n) for n in (1, 2, 3, 1, 2, 3)] == [1, 4, 9, 1, 4, 9]
    assert calls == [1, 2, 3, 1, 2, 3]
    service.restart() if harm == "kill" else service.resume()
    eventually(lambda: remembers(4))


def test_many_coroutines_do_not_wait_one_after_the_other(served):
    """However many wait when a server stops to answer, each gets its answer."""
    service, cache = served("redis")
    cache.set("a", 1)
    service.pause()

    async def main():
        return await asyncio.gather(*(AsyncCache(cache).get("a", "missed") for _ in range(200)))

    assert asyncio.run(main()) == ["missed"] * 200
    service.resume()


def test_a_breaker_lets_one_try_at_a_time():
    now_s = [0.0]
    breaker = Breaker("it", retry_s=1, clock=lambda: now_s[0])
    assert breaker.allows()
    breaker.failed(OSError("gone"))
    assert [breaker.allows() for _ in range(3)] == [False] * 3
    now_s[0] = 1.5
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed(OSError("still"))
    now_s[0] = 2.0
    assert not breaker.allows()
    now_s[0] = 2.5
    assert breaker.allows()
    breaker.worked()
    assert [breaker.allows() for _ in range(3)] == [True] * 3
