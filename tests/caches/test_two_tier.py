"""Memory in front of a shared cache, with writes from another process."""

import json
import os
import subprocess
import sys
import threading

import cache_listener
import pytest
from waiting import eventually

from workbench.caches import Announcer, Cache, Memory, Redis, TwoTier

pytestmark = pytest.mark.service


class Far(Memory):
    """A far cache in this process, which says how often it was asked."""

    in_process = False
    asked = 0

    def get(self, name):
        self.asked += 1
        return super().get(name)


@pytest.fixture(params=["redis", "rabbitmq"])
def announcer_url(request, shared_service):
    return shared_service(request.param).url


@pytest.fixture
def two_tier():
    made = []

    def make(far, url, **options):
        announcer = Announcer(url, channel=f"test {os.urandom(4).hex()}")
        made.append(Cache(TwoTier(far, announcer, **options)))
        assert announcer.wait()
        return made[-1], announcer

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def other_process(shared_service, announcer_url):
    command = [sys.executable, cache_listener.__file__, shared_service("redis").url, announcer_url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(what, *args):
        process.stdin.write(json.dumps({"do": what, "with": args}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield do
    process.communicate()


def test_what_was_read_is_not_read_again_until_it_is_written(two_tier, announcer_url):
    far = Far()
    cache, _ = two_tier(far, announcer_url, near_s=600)
    cache.set("a", 1)
    assert [cache.get("a") for _ in range(5)] == [1] * 5
    assert far.asked == 1
    cache.set("a", 2)
    assert [cache.get("a") for _ in range(5)] == [2] * 5
    assert far.asked == 2
    cache.delete("a")
    assert cache.get("a") is None
    assert cache.add("a", 3, 60)
    assert not cache.add("a", 4, 60)
    assert cache.set_many({"b": 5, "c": 6})
    assert cache.get_many("abcd") == {"a": 3, "b": 5, "c": 6}
    asked = far.asked
    assert cache.get_many("abc") == {"a": 3, "b": 5, "c": 6}
    assert far.asked == asked
    cache.clear()
    assert cache.get_many("abc") == {}


def test_a_write_in_another_process_is_seen(two_tier, shared_service, announcer_url, other_process):
    announcer = Announcer(announcer_url)
    cache = Cache(TwoTier(Redis(shared_service("redis").url), announcer, near_s=600))
    try:
        assert announcer.wait()
        for number in range(20):
            assert other_process("set", "two tiers", number)
            eventually(lambda number=number: cache.get("two tiers") == number)
            assert cache.set("two tiers back", number)
            eventually(lambda number=number: other_process("get", "two tiers back") == number)
        other_process("delete", "two tiers")
        eventually(lambda: cache.get("two tiers") is None)
        assert cache.get("two tiers back") == 19
        other_process("clear")
        eventually(lambda: cache.get("two tiers back") is None)
    finally:
        cache.close()


def test_what_was_written_while_it_was_read_is_not_kept(two_tier, announcer_url):
    reading, go = threading.Event(), threading.Event()

    class Slow(Far):
        def get(self, name):
            data = super().get(name)
            reading.set()
            assert go.wait(30)
            return data

    cache, _ = two_tier(Slow(), announcer_url, near_s=600)
    cache.set("a", "old")
    reader = threading.Thread(target=cache.get, args=("a",))
    reader.start()
    assert reading.wait(30)
    cache.set("a", "new")
    go.set()
    reader.join()
    assert cache.get("a") == "new"


@pytest.mark.parametrize("harm", ["kill", "pause"])
@pytest.mark.parametrize("name", ["redis", "rabbitmq"])
def test_without_announcements_the_memory_is_not_used(two_tier, own_service, name, harm, caplog):
    service = own_service(name)
    far = Far()
    cache, announcer = two_tier(far, service.url, near_s=600)
    cache.set("a", 1)
    assert cache.get("a") == 1
    getattr(service, harm)()
    eventually(lambda: not announcer.hears)
    far.set("workbench:a", cache._seal.close("workbench:a", cache._dump(2), 1e12, 1e12), None)  # unheard
    assert cache.get("a") == 2
    assert cache.set("a", 3)
    assert cache.get("a") == 3
    service.restart() if harm == "kill" else service.resume()
    assert announcer.wait(60)
    cache.set("a", 4)
    asked = far.asked
    assert [cache.get("a") for _ in range(5)] == [4] * 5
    assert far.asked == asked + 1


def test_nothing_is_kept_longer_than_a_lost_announcement_may_do_harm(two_tier, announcer_url, skip):
    far = Far()
    cache, _ = two_tier(far, announcer_url, near_s=60)
    cache.set("a", 1)
    assert [cache.get("a") for _ in range(2)] == [1, 1]
    assert far.asked == 1
    skip(61)
    assert cache.get("a") == 1
    assert far.asked == 2
