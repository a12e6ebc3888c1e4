"""Values that would crash or stall who reads them: nested deep, crafted to collide, of untrue lengths and types."""

import json
import subprocess
import sys
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.caches import Cache, Memory, SQLite, nesting
from workbench.caches.collisions import FEW, refuse_colliding
from workbench.caches.nesting import DEEPEST, refuse_deep, refuse_deep_json
from workbench.caches.sealing import Seal
from workbench.caches.serializers import find_serializer

#: Its multiples all have the same hash.
MODULUS = sys.hash_info.modulus


def nested(value, level, depth):
    for _ in range(depth):
        value = level(value)
    return value


# Deep ones.

LEVELS = {
    "lists": lambda value: [value],
    "tuples": lambda value: (value,),
    "dicts": lambda value: {"a": value},
    "beside others": lambda value: [1, {"a": (2, value)}],
}


@pytest.mark.slow
def test_crafted_values_crash_nobody_in_a_thread_with_little_stack_and_take_little_memory():
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("crafted.py"), "10000", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["loaded"] + counts["refused"] == 10_000
    assert counts["loaded"] > 500
    assert counts["dumped"] > 500
    assert counts["mb"] < 200


@pytest.mark.parametrize("serializer", ["msgpack", "json", "pickle"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("depth", [DEEPEST + 2, 100_000])
def test_what_is_nested_too_deep_is_refused_in_one_line(serializer, level, depth):
    with pytest.raises(ValueError, match=r"^it is nested deeper than 1024 levels(, or contains itself)?$"):
        find_serializer(serializer).dump(nested(None, LEVELS[level], depth))


@pytest.mark.parametrize("serializer", ["msgpack", "json", "pickle"])
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_nested_less_deep_comes_back(serializer, level):
    by = find_serializer(serializer)
    value = nested(None, LEVELS[level], 100)
    expected = json.loads(json.dumps(value)) if serializer == "json" else value
    assert by.load(by.dump(value)) == expected


@pytest.mark.parametrize("level", LEVELS)
def test_msgpack_loads_whatever_depth_it_dumps(level):
    by = find_serializer("msgpack")
    dumped = []
    for depth in (100, 300, 330, *range(335, 345), *range(505, 515), *range(1_010, 1_030)):
        value = nested(None, LEVELS[level], depth)
        try:
            data = by.dump(value)
        except ValueError:
            continue
        assert by.dump(by.load(data)) == data
        dumped.append(depth)
    assert max(dumped) > 330


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 100_000,
        b"\xc1\4" + b"\x92\xc7\0\1" * 100_000,
        b"\x81" * 2_000 + b"\xc0",
        b"\x91" * (DEEPEST + 1) + b"\xc0",
    ],
)
def test_msgpack_that_is_nested_too_deep_is_not_loaded(data):
    with pytest.raises(ValueError, match=r"^it (is nested deeper than 1024 levels|is cut short)$"):
        find_serializer("msgpack").load(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 1_025 + b"]" * 1_025, b'["\\"[",' * 1_025])
def test_json_that_is_nested_too_deep_is_not_loaded(data):
    with pytest.raises(ValueError, match=r"^it is nested deeper than 1024 levels$"):
        find_serializer("json").load(data)


def test_a_deep_value_where_python_itself_has_gone_deep_is_refused_too():
    by = find_serializer("json")
    value = nested(None, LEVELS["lists"], 600)
    data = b"[" * 600 + b"]" * 600

    def go_down(levels):
        if levels:
            return go_down(levels - 1)
        for turn, what in ((by.dump, value), (by.load, data), (find_serializer("pickle").dump, value)):
            try:
                turn(what)
            except ValueError as error:
                assert "nested deeper than" in str(error)  # noqa: PT017
        return True

    assert go_down(500)


def test_what_contains_itself_is_refused_in_one_line_but_by_pickle():
    itself = {"a": []}
    itself["a"].append(itself)
    with pytest.raises(ValueError, match=r"^it is nested deeper than 1024 levels, or contains itself$"):
        find_serializer("msgpack").dump(itself)
    with pytest.raises(ValueError, match="contains itself"):
        find_serializer("json").dump(itself)
    by = find_serializer("pickle")
    back = by.load(by.dump(itself))
    assert back["a"][0] is back


def test_one_value_in_many_places_is_not_gone_through_many_times():
    value = nested((), lambda value: [value] * 1_000, 200)
    refuse_deep(value)
    by = find_serializer("pickle")
    assert by.load(by.dump(value))[999][0][5]


JSON = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('[]{}"\\,a')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\', max_size=3), inner, max_size=3),
    max_leaves=12,
)


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list | tuple) else 0


@given(JSON, st.integers(0, 4), st.integers(4, 8))
def test_the_depth_of_a_value_and_of_its_json_is_counted_right(value, more, deepest):
    value = nested(value, LEVELS["lists"], more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nesting, "DEEPEST", deepest)
        for refuse, what in ((refuse_deep, value), (refuse_deep_json, json.dumps(value).encode())):
            try:
                refuse(what)
            except ValueError:
                assert depth_of(value) > deepest
            else:
                assert depth_of(value) <= deepest


# Colliding ones.


CRAFTED = {
    "multiples of the modulus": lambda count: [number * MODULUS for number in range(count)],
    "tuples of them": lambda count: [(1, number * MODULUS) for number in range(count)],
    "complex numbers": lambda count: [complex(-sys.hash_info.imag * number, number) for number in range(count)],
    "integers that wind": lambda count: winding(count),
}


def winding(count):
    """Return integers of different hashes for which a dict looks at a fourth of the others, each, on average.

    Half of them fill the places that a dict goes through one after the other, and the others come to these.
    """
    size = 1 << (3 * count // 2).bit_length()
    mask = np.uint64(size - 1)
    taken = np.zeros(size, bool)
    place, way = 0, []
    for _ in range(count // 2):
        way.append(place)
        place = (5 * place + 1) % size
    taken[way] = True
    keys = np.arange(size, size << 8, dtype=np.uint64)
    rest, places = keys, keys & mask
    comes = taken[places]
    for _ in range(8):
        rest = rest >> np.uint64(5)
        places = (places * np.uint64(5) + rest + np.uint64(1)) & mask
        comes &= taken[places]
    return way + keys[comes][: count - len(way)].tolist()


def packed(keys, of):
    """Return the bytes of a dict, set or frozenset, without making it."""
    items = [find_serializer("msgpack").dump([key]).removeprefix(b"\xc1\4")[1:] for key in keys]
    packer = msgpack.Packer()
    if of is dict:
        return b"\xc1\4" + packer.pack_map_header(len(items)) + b"".join(item + b"\xc0" for item in items)
    return (b"\xc1\6" if of is set else b"\xc1\7") + packer.pack_array_header(len(items)) + b"".join(items)


#: What winds through a dict doesn't through a set, which looks at ten places in a row.
COLLIDING = [
    (name, of) for of in (dict, set, frozenset) for name in CRAFTED if of is dict or name != "integers that wind"
]


@pytest.mark.parametrize(("crafted", "of"), COLLIDING)
def test_keys_that_are_crafted_to_collide_are_refused(crafted, of):
    with pytest.raises(ValueError, match=r"^it can't be unpacked: its keys are crafted to collide$"):
        find_serializer("msgpack").load(packed(CRAFTED[crafted](30_000), of))


@pytest.mark.parametrize("crafted", CRAFTED)
def test_some_keys_that_happen_to_collide_are_no_reason_to_refuse_any(crafted):
    keys = [*range(1, 5_000), *CRAFTED[crafted](30)]
    by = find_serializer("msgpack")
    for value in (dict.fromkeys(keys, 1), set(keys), frozenset(keys)):
        assert by.load(by.dump(value)) == value


HONEST = {
    "numbers in a row": lambda count: range(count),
    "numbers below 0": lambda count: range(-count, 0),
    "every 4096th": lambda count: range(0, count << 12, 1 << 12),
    "identifiers with a time in front": lambda count: range(0, count << 22, 1 << 22),
    "every 2**32th": lambda count: range(0, count << 32, 1 << 32),
    "milliseconds": lambda count: range(1_700_000_000_000, 1_700_000_000_000 + 1_000 * count, 1_000),
    "tenths": lambda count: [number / 10 for number in range(count)],
    "powers of two": lambda count: [2.0**number for number in range(-1_000, min(count, 1_000))],
    "squares": lambda count: [number**2 for number in range(count)],
    "more than 64 bits": lambda count: range(2**64, 2**64 + count),
    "pairs": lambda count: [(number // 300, number % 300) for number in range(count)],
    "texts": lambda count: [f"{number}" for number in range(count)],
    "texts and numbers": lambda count: [*range(count // 2), *map(str, range(count // 2))],
}


@pytest.mark.parametrize("keys", HONEST)
def test_large_dicts_and_sets_come_back(keys):
    by = find_serializer("msgpack")
    keys = list(HONEST[keys](20_000))
    for value in (dict.fromkeys(keys), set(keys)):
        back = by.load(by.dump(value))
        assert back == value
        assert list(back) == list(value) or type(value) is set


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda number: number, lambda number: f"{number}"])
def test_a_million_keys_come_back(make):
    by = find_serializer("msgpack")
    value = {make(number): number for number in range(1_000_000)}
    assert by.load(by.dump(value)) == value


def test_few_keys_are_not_looked_at():
    refuse_colliding([number * MODULUS for number in range(FEW)])
    with pytest.raises(ValueError, match="crafted to collide"):
        refuse_colliding([number * MODULUS for number in range(FEW * 4)], in_set=True)


# Wrong ones.

MARK_OF_A_TUPLE, MARK_OF_A_SET = msgpack.ExtType(1, b""), msgpack.ExtType(2, b"")


def array(*parts):
    return msgpack.packb(msgpack.ExtType(6, msgpack.packb(parts)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\xc1\1",
        b"\xc1\3\x01",  # no items
        b"\xc1\xff\x90",
        b"\xc1\0\x01\x01",  # more than one value
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdd\0\0\x4e\x20" * 1_000,  # lists that claim to be long
        b"\x81\x90\xc0",  # a list as a key
        b"\xc1\2\x91\x90",  # and in a set
        b"\xc1\4" + msgpack.packb([1, MARK_OF_A_TUPLE]),
        b"\xc1\4" + msgpack.packb([MARK_OF_A_TUPLE, MARK_OF_A_SET]),
        b"\xc1\4" + msgpack.packb({"a": MARK_OF_A_TUPLE}),
        b"\xc1\4" + msgpack.packb(MARK_OF_A_TUPLE),
        b"\xc1\4" + msgpack.packb([msgpack.ExtType(9, b""), 1]),
        msgpack.packb([MARK_OF_A_TUPLE, 1]),  # a mark where none was said to be
        msgpack.packb(msgpack.ExtType(1, msgpack.packb([1, 2]))),  # a tuple as it once was
        msgpack.packb(msgpack.ExtType(7, b"twelve")),
        msgpack.packb(msgpack.ExtType(8, b"short")),
        array(),
        array("<f8", [1]),
        array("<f8", [1], 10**9),  # no bytes
        array("<f8", [2], bytes(8)),
        array("<f8", [], bytes(16)),
        array("<f8", [2**62, 2**62], b""),
        array("<f8", [1] * 100_000, bytes(8)),
        array("<f8", ["x", 2**31], bytes(8)),
        array("<f8", [[1]], bytes(8)),
        array("|O", [1], bytes(8)),
        array("(" * 10_000, [1], bytes(8)),
        array("<i4,<i4", [1], bytes(8)),
        array("|V0", [2**40], b""),
        array("<U2147483647", None, b""),
        array("<U1", [1], b"\xff" * 4),
        array(">U1", [1], b"\xff" * 4),
    ],
)
def test_what_no_value_was_turned_into_is_refused_in_one_line(data):
    with pytest.raises(ValueError, match=r"^(it|there) .+$"):
        find_serializer("msgpack").load(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b'{"a"', b"[1]]", b"NaN1", b"1" * 1_000_000, "[1]".encode("utf-16"), b'"\\"', b"]" * 2_000]
)
def test_json_that_is_none_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        find_serializer("json").load(data)


@pytest.mark.parametrize(
    "value",
    [
        np.str_(""),
        np.str_("ü"),
        np.bytes_(b""),
        np.void(b"abc"),
        np.datetime64("2024-01-01T00:00:00.5"),
        np.timedelta64(5),
        np.zeros((0, 3)),
        np.zeros((2, 0, 3), ">i2"),
        np.array([True, False]),
        np.array(["ü", "\U0010ffff"]),
        np.longdouble(1.5),
        np.arange(6).reshape(2, 3).T,
    ],
)
def test_arrays_and_scalars_of_all_kinds_come_back(value):
    by = find_serializer("msgpack")
    back = by.load(by.dump(value))
    assert type(back) is type(value)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert np.array_equal(back, value)


@pytest.mark.parametrize("count", [10_001, 70_000])
def test_long_lists_come_back_wherever_they_are(count):
    by = find_serializer("msgpack")
    for value in (list(range(count)), tuple(range(count)), {"a": [1, list(range(count))]}, [(1,), list(range(count))]):
        assert by.load(by.dump(value)) == value
        assert by.load(memoryview(by.dump(value))) == value


# Through a cache.


@pytest.mark.parametrize("make", [lambda tmp_path: Memory(), lambda tmp_path: SQLite(tmp_path / "cache.sqlite")])
@pytest.mark.parametrize("serializer", ["msgpack", "json"])
def test_a_cache_neither_keeps_nor_serves_such_values(make, serializer, tmp_path, caplog):
    with Cache(make(tmp_path), serializer=serializer) as cache:
        for level in LEVELS.values():
            cache.set("a", 1)
            assert not cache.set("a", nested(None, level, 100_000))
            assert cache.get("a") is None
        mark = {"msgpack": 1, "json": 2}[serializer]
        name = cache._name("a")
        planted = [
            b"\x91" * 100_000,
            b"[" * 100_000,
            b"\xc1\4" + b"\x92\xc7\0\1" * 100_000,
            packed(CRAFTED["multiples of the modulus"](10_000), dict),
        ]
        for data in planted:
            cache.backend.set(name, Seal(mark).close(name, data, 1e12, 1e12), None)
            assert cache.get("a", "missed") == "missed"
        assert cache.counts().errors == 2 * len(LEVELS)
        assert cache.set("a", (1,))
        assert cache.get("a") in ((1,), [1])
    assert "a value can't be kept (it is nested deeper than 1024 levels, or contains itself)" in caplog.text
