"""What holds for every cache, whatever keeps the bytes."""

import asyncio
import json
import math
import pickle
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cache_makers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import eventually

from workbench import UsageError
from workbench.caches import AsyncCache, Cache, CacheCounts, Hit, Memory
from workbench.caches.sealing import Seal, UntrustedError
from workbench.caches.serializers import find_serializer

#: The folder of what the processes below import.
HELPERS = Path(cache_makers.__file__).parent
SECRET = b"known to the tests alone"

# Three quarters of a minute for all of them: for `make test`, not for the quick loop.
pytestmark = pytest.mark.slow


def test_a_value_comes_back_until_it_is_deleted(make, kind):
    cache = make(kind)
    assert cache.get("a") is None
    assert cache.get("a", "nothing") == "nothing"
    assert cache.set("a", {"n": [1, 2.5, None, "ü", b"\0"]})
    assert cache.get("a") == {"n": [1, 2.5, None, "ü", b"\0"]}
    assert cache.set("a", 2)
    assert cache.get("a") == 2
    cache.delete("a")
    cache.delete("a")
    assert cache.get("a") is None
    assert cache.counts() == CacheCounts(hits=2, stale=0, misses=3, errors=0)


def test_many_at_once(make, kind):
    cache = make(kind)
    values = {f"key {number}": [number] * 3 for number in range(150)}
    assert cache.set_many(values, 60)
    assert cache.get_many([*values, "another"]) == values
    assert cache.get("key 7") == [7] * 3
    assert cache.get_many([]) == {}
    assert cache.set_many({})
    assert cache.counts() == CacheCounts(hits=151, stale=0, misses=1, errors=0)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "ü", "\n", "\r\nflush_all\r\n", "x" * 1000, "a:*[b]?\\", "\ud800", "#"]
)
def test_any_text_is_a_key_of_its_own(make, kind, key):
    cache = make(kind)
    cache.set("other", "other")
    assert cache.get(key) is None
    assert cache.set(key, "value")
    assert (cache.get(key), cache.get("other"), cache.get(key + "x")) == ("value", "other", None)


def test_a_value_ends_with_its_time_and_is_stale_before_that_if_wanted(make, kind, skip):
    cache = make(kind)
    cache.set("short", 1, 60)
    cache.set("stale", 2, 60, stale_s=600)
    cache.set("long", 3, 600)
    skip(61)
    assert cache.get("short") is None
    assert cache.look("short") is None
    assert cache.get("stale") is None
    assert cache.look("stale") == Hit(2, stale=True)
    assert cache.look("long") == Hit(3, stale=False)
    assert cache.get_many(["short", "stale", "long"]) == {"long": 3}
    assert cache.counts().stale == 3


def test_a_cache_has_a_time_of_its_own(make, kind, skip):
    cache = make(kind, ttl_s=60)
    cache.set("a", 1)
    cache.set("b", 1, 600)
    skip(61)
    assert cache.get_many(["a", "b"]) == {"b": 1}


def test_one_of_many_adds(make, kind):
    cache = make(kind)
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(10):
            added = list(pool.map(lambda number, key=attempt: cache.add(f"{key}", number, 60), range(8)))
            assert sorted(added) == [False] * 7 + [True]
            assert cache.get(f"{attempt}") == added.index(True)
    cache.delete("1")
    assert cache.add("1", "again", 60)


def test_what_ended_can_be_added_anew(make, kind):
    """After a second in truth, as servers have clocks of their own."""
    cache = make(kind)
    start_s = time.monotonic()
    assert cache.add("a", 1, 1)
    assert cache.add("a", 2, 1) is False or time.monotonic() - start_s > 1  # on a machine that is too busy
    eventually(lambda: cache.add("a", 3, 60))


def test_clearing_leaves_others_alone(make, kind):
    cache, other = make(kind), make(kind, prefix="other:")
    cache.set_many({"a:1": 1, "a:2": 2, "b*": 3})
    other.set("a:1", 4)
    if not kind.startswith("django"):  # Django can't list its names
        cache.clear("a:")
        assert cache.get_many(["a:1", "a:2", "b*"]) == {"b*": 3}
        cache.clear()
        assert other.get("a:1") == 4
    cache.clear()
    assert cache.get("b*") is None
    assert cache.counts() == CacheCounts(0, 0, 1, 0)


def test_everybody_gets_a_value_of_their_own(make, kind):
    cache = make(kind)
    value = [1]
    cache.set("a", value)
    value.append(2)
    cache.get("a").append(3)
    assert cache.get("a") == [1]


def test_coroutines_use_the_same_cache(make, kind):
    cache = make(kind)

    async def main():
        later = AsyncCache(cache)
        assert await later.set("a", 1, 60)
        assert await later.set_many({"b": 2}, 60, stale_s=1)
        assert await later.add("c", 3, 60)
        assert await later.get_many("abc") == {"a": 1, "b": 2, "c": 3}
        await later.delete("a")
        assert await later.get("a", "nothing") == "nothing"
        assert await later.look("b") == Hit(2, stale=False)
        assert await asyncio.gather(*(later.get("b") for _ in range(50))) == [2] * 50
        assert later.counts().hits == 54
        await later.clear()
        return await later.get("b")

    assert asyncio.run(main()) is None


def test_threads_share_a_cache(make, kind):
    cache = make(kind)

    def use(number):
        for each in range(30):
            cache.set(f"{number}", each)
            assert cache.get(f"{number}") == each

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    assert cache.counts().errors == 0


def test_a_forked_child_uses_it_too(make, shared_kind, place):
    """In a process without threads, as Python asks for; both then use what was made before the fork."""
    code = f"""
import os
from cache_makers import make_backend
from workbench.caches import Cache
cache = Cache(make_backend({shared_kind!r}, *{place(shared_kind)!r}))
cache.set("a", 1)
pid = os.fork()
for number in range(200):
    cache.set(str(pid == 0), number)
    assert cache.get(str(pid == 0)) == number, number
if pid == 0:
    os._exit(0 if cache.counts().errors == 0 else 1)
assert os.waitpid(pid, 0)[1] == 0
assert cache.get("True") == 199 and cache.counts().errors == 0, cache.counts()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100, cwd=HELPERS)


def test_other_processes_see_it(make, shared_kind, place):
    cache = make(shared_kind)
    cache.set("from here", 1)
    code = f"""
from cache_makers import make_backend
from workbench.caches import Cache
cache = Cache(make_backend({shared_kind!r}, *{place(shared_kind)!r}))
print(cache.get("from here"), cache.set("from there", (2,)))
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, check=True, timeout=100, capture_output=True, text=True, cwd=HELPERS)
    assert run.stdout == "1 True\n"
    assert cache.get("from there") == (2,)


# What can't be trusted.


class Trap:
    """Runs code where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def spoilt(name, data, path):
    """Bytes that somebody could find, or put, in a cache's place."""
    yield "nothing", b""
    yield "a pickle", pickle.dumps(Trap(path))
    yield "text", b"hello" * 100
    yield "cut short", data[: len(data) // 2]
    yield "cut in the header", data[:10]
    yield "more", data + b"\0"
    yield "an older version", b"WB\x00" + data[3:]
    yield "sealed for another name", Seal(1).close("another", find_serializer("msgpack").dump("evil"), 1e12, 1e12)
    yield "a pickle, sealed", Seal(3).close(name, pickle.dumps(Trap(path)), 1e12, 1e12)
    yield "a pickle, sealed as msgpack", Seal(1).close(name, pickle.dumps(Trap(path)), 1e12, 1e12)
    yield "too large", Seal(1).close(name, find_serializer("msgpack").dump("x" * 2000), 1e12, 1e12)
    yield "too deep", Seal(1).close(name, b"\x91" * 1500, 1e12, 1e12)
    yield "an unknown extension", Seal(1).close(name, b"\xd4\x63\x00", 1e12, 1e12)
    yield "a huge length", Seal(1).close(name, b"\xdd\xff\xff\xff\xff", 1e12, 1e12)
    yield "a time that is none", data[:8] + struct.pack("<dd", math.nan, math.nan) + data[24:]
    for position in range(len(data)):
        yield f"bit {position}", data[:position] + bytes([data[position] ^ (1 << position % 8)]) + data[position + 1 :]


def test_nothing_is_served_that_was_not_kept(make, kind, tmp_path, caplog):
    cache = make(kind, largest_bytes=1000)
    cache.set("a", "right")
    name = cache._name("a")
    data = cache.backend.get(name)
    trap = tmp_path / "sprung"
    wrong = list(spoilt(name, data, trap))
    for number, (what, planted) in enumerate(wrong, 1):
        cache.backend.set(name, planted, None)
        assert cache.get("a", "missed") == "missed", what
        assert cache.counts().errors == number, what
    assert not trap.exists()
    assert cache.counts().misses == len(wrong)
    told = [record.getMessage() for record in caplog.records if record.name == "workbench.caches.cache"]
    assert len(told) == 1
    assert "can't be trusted" in told[0]
    cache.set("a", "right again")
    assert cache.get("a") == "right again"


@pytest.mark.parametrize("serializer", ["msgpack", "json", "pickle"])
def test_with_a_secret_only_what_it_signed_is_served(serializer, tmp_path):
    memory = Memory()
    cache = Cache(memory, serializer=serializer, secret=SECRET)
    stranger = Cache(memory, serializer=serializer, secret=b"another one, of a stranger")
    cache.set("a", [1, "x"])
    assert cache.get("a") == [1, "x"]
    stranger.set("a", Trap(tmp_path / "sprung") if serializer == "pickle" else "evil")
    assert cache.get("a") is None
    memory.set(
        cache._name("a"), Seal(3).close(cache._name("a"), pickle.dumps(Trap(tmp_path / "sprung")), 1e12, 1e12), None
    )
    assert cache.get("a") is None
    assert not (tmp_path / "sprung").exists()
    assert cache.counts().errors == 2


def test_a_value_that_is_too_large_or_of_no_known_type_is_not_kept_and_ends_the_old_one(make, kind, caplog):
    cache = make(kind, largest_bytes=100)
    for refused in ("x" * 101, object(), [1, {2: threading.Lock()}]):
        cache.set("a", "old")
        assert not cache.set("a", refused)
        assert cache.get("a") is None
        assert not cache.set_many({"a": refused, "b": 1})
        assert cache.get("b") == 1
    assert cache.counts().errors == 6
    assert len(caplog.records) == 1


# What was opened before.


def test_what_was_opened_is_not_opened_again_but_where_it_is_replaced(make, kind, monkeypatch, skip):
    cache = make(kind)
    opened = []
    monkeypatch.setattr(cache, "_seal", Spy(cache._seal, opened))
    cache.set("a", "one")
    assert [cache.get("a") for _ in range(3)] == ["one"] * 3
    assert len(opened) == (1 if cache.backend.repeats else 3)
    cache.set("a", "two", 60, stale_s=600)
    assert cache.get("a") == "two"
    skip(61)
    assert cache.look("a") == Hit("two", stale=True)
    cache.delete("a")
    assert cache.get("a") is None


class Spy:
    """A seal that notes what it opens."""

    def __init__(self, seal, opened):
        self.close, self._open, self._opened = seal.close, seal.open, opened

    def open(self, name, data):
        self._opened.append(name)
        return self._open(name, data)


@pytest.mark.parametrize("limits", [{"MOST_OPENED": 2}, {"MOST_OPENED_BYTES": 300}])
def test_not_all_that_was_opened_is_kept(limits, monkeypatch):
    for name, limit in limits.items():
        monkeypatch.setattr(f"workbench.caches.cache.{name}", limit)
    cache = Cache(Memory())
    values = {f"{number}": "x" * 100 for number in range(10)}
    cache.set_many(values)
    for _ in range(2):
        assert {key: cache.get(key) for key in values} == values
        assert len(cache._opened) == 2
    assert cache._opened_bytes == sum(len(key) + len(data) for key, (_, data, _, _) in cache._opened.items())


# Serializers and seals.

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.text()), inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=20,
)


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and str(one) == str(other) if isinstance(one, float) else one == other


@given(PLAIN)
def test_msgpack_gives_back_what_it_was_given_types_and_all(value):
    by = find_serializer("msgpack")
    assert same(by.load(by.dump(value)), value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.array(3),
        np.float64(2.5),
        np.array(["a", "bc"]),
        np.array([], dtype="i2"),
        np.array(["2024-01-01"], "M8[D]"),
    ],
)
def test_msgpack_knows_arrays(array):
    by = find_serializer("msgpack")
    back = by.load(by.dump({"array": array}))["array"]
    assert type(back) is type(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array)
    if array.ndim:
        back[...] = back[...]  # it can be written to


def test_msgpack_gives_back_a_bytearray_as_bytes():
    by = find_serializer("msgpack")
    assert by.load(by.dump([bytearray(b"a")])) == [b"a"]


@pytest.mark.parametrize("value", [np.array([object()]), np.array([(1, 2)], "i4,i4"), {1, Path}, print])
def test_msgpack_refuses_what_it_could_not_give_back(value):
    with pytest.raises(TypeError, match="can't keep a"):
        find_serializer("msgpack").dump(value)


def test_json_is_plain_json():
    by = find_serializer("json")
    assert json.loads(by.dump({"ü": (1, 2)})) == by.load(by.dump({"ü": (1, 2)})) == {"ü": [1, 2]}


@pytest.mark.parametrize("secret", [None, SECRET])
@given(
    value=st.binary(),
    name=st.text(),
    fresh_s=st.floats(0, 1e12),
    position=st.integers(min_value=0),
    bit=st.integers(0, 7),
)
def test_a_seal_finds_every_change(secret, value, name, fresh_s, position, bit):
    seal = Seal(1, secret)
    data = seal.close(name, value, fresh_s, fresh_s + 1)
    opened, *times = seal.open(name, data)
    assert (bytes(opened), *times) == (value, fresh_s, fresh_s + 1)
    position %= len(data)
    changed = data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]
    with pytest.raises(UntrustedError):
        seal.open(name, changed)
    with pytest.raises(UntrustedError):
        seal.open(name + "x", data)


def test_a_large_value_is_sealed_as_a_small_one_is():
    seal = Seal(1)
    data = bytearray(seal.close("a", bytes(100_000), 1.0, 2.0))
    assert bytes(seal.open("a", bytes(data))[0]) == bytes(100_000)
    data[-1] ^= 1
    with pytest.raises(UntrustedError, match="checksum"):
        seal.open("a", bytes(data))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"serializer": "yaml"}, "there is no serializer 'yaml': pass 'msgpack', 'json' or 'pickle'"),
        ({"serializer": "pickle"}, "pickle can run code: pass a secret="),
        ({"secret": b"short"}, "a secret of 5 bytes can be guessed"),
        ({"prefix": "a b"}, "the prefix 'a b' is not"),
        ({"prefix": "x" * 101}, "up to 100 printable"),
        ({"ttl_s": 0}, "ttl_s must be above 0 seconds, or None: got 0"),
        ({"largest_bytes": 0}, "largest_bytes must be 1 or more: got 0"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(UsageError, match=message):
        Cache(Memory(), **options)


def test_wrong_times_are_told():
    with pytest.raises(UsageError, match="above 0 seconds"):
        Cache(Memory()).set("a", 1, -1)
