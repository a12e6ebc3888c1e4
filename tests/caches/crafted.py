"""Load and dump what somebody might craft, in a thread with little stack: ``python crafted.py HOW_MANY SEED``.

Prints how many were loaded and refused, and the most memory that this took, in MB; ends with an error if anything but
TypeError or ValueError came of a dump, or but ValueError of a load.
"""

import json
import random
import resource
import sys
import threading

import msgpack
import numpy as np

from workbench.caches.serializers import find_serializer

STACK_BYTES = 512 * 1024
DEPTHS = (1, 2, 12, 40, 200, 500, 511, 512, 900, 999, 1_000, 1_001, 1_022, 1_023, 1_024, 1_025, 10_000, 100_000)
#: What stands before a value with Python's own types, without and with marks in it.
HEADS = (b"", b"\xc1\0", b"\xc1\1", b"\xc1\2", b"\xc1\4", b"\xc1\5", b"\xc1\7", b"\xc1\xff")
#: One more level, in msgpack: of lists and dicts, as a value and as a key, and of tuples and sets.
LEVELS = (
    b"\x91", b"\x92\1", b"\xdc\0\1", b"\xdd\0\0\0\1", b"\x81\xa1a", b"\x81", b"\xde\0\1\1", b"\xdf\0\0\0\1\1",
    b"\x92\xc7\0\1", b"\x92\xc7\0\2", b"\x92\xc7\0\3", b"\x93\xc7\0\1\1", b"\xdd\0\0\0\2\5",
    b"\xdc\x27\x10", b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff\1", b"\xdd\0\0\xff\xff",
)  # fmt: skip
LEVELS_JSON = (b"[", b'{"a":', b'["[", ', b'[["\\"]"], ', b" [1,")
ENDS = (
    b"",
    b"\0",
    b"\xc0",
    b"\xa1x",
    b"\x90",
    b"\x80",
    b"\xc7\0\1",
    b"\xc1",
    b"\xd6\xff\0\0\0\0",
    b"\xcb\x7f\xf8\0\0\0\0\0\0",
)
#: What arrays, and other extensions, are made of.
PARTS = (
    "<f8", "<U2", "|O", "O", "(" * 5_000, "<f8, <f8", "(2,3)f8", "<M8[D]", "|V0", "<U0", "|S9999999999", "<U2147483647",
    "<c99", "", None, 5, -1, 2**62, 1.5, [], [-1], [2**40], [2**62, 2**62], [0, 2**62], [1] * 65, [1] * 100_000, ["x"],
    [2**31, "x"], [[1]], {}, b"", bytes(8), b"\xff" * 8, "text" * 2,
)  # fmt: skip


def nested(value, level, depth):
    for _ in range(depth):
        value = level(value)
    return value


def plain(rng, leaves=8):
    """Return a random value that can be kept."""
    if leaves < 1 or rng.random() < 0.2:
        return rng.choice(
            [None, True, 0, -1, 2**63, 2**80, -(2**90), 1.5, 1e300, "", "ü", "x" * 300, b"\xdd", 2j, np.float64(1.5)]
        )
    inner = [plain(rng, leaves // 2) for _ in range(rng.randrange(4))]
    kind = rng.randrange(6)
    if kind == 0:
        return inner
    if kind == 1:
        return tuple(inner)
    if kind == 2:
        return {rng.choice([number, f"{number}", (number, "a")]): each for number, each in enumerate(inner)}
    if kind == 3:
        return {*range(rng.randrange(5))}
    if kind == 4:
        return frozenset({("a", number) for number in range(rng.randrange(5))})
    return np.arange(rng.randrange(10), dtype=rng.choice(["<f8", ">i4", "|u1"]))


def changed(rng, data):
    """Return bytes with something cut off, put in, left out or turned."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = rng.choice([*LEVELS, *ENDS, rng.randbytes(3)]) * rng.choice([1, 1, 2, 30])
            case 2:
                del data[at : at + rng.randrange(4)]
            case 3 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
    return bytes(data)


def crafted_msgpack(rng, dump):
    match rng.randrange(8):
        case 0:
            return rng.choice(HEADS) + rng.randbytes(rng.randrange(200))
        case 1:
            depth = rng.choice(DEPTHS)
            return rng.choice(HEADS) + rng.choice(LEVELS) * depth + rng.choice(ENDS)
        case 2:
            levels = [rng.choice(LEVELS) for _ in range(rng.choice(DEPTHS[:-2]))]
            return rng.choice(HEADS) + b"".join(levels) + rng.choice(ENDS)
        case 3:  # extensions in extensions, as they once were
            data = b"\xc0"
            for _ in range(rng.choice([1, 40, 200, 2_000])):
                data = msgpack.packb(msgpack.ExtType(rng.choice([1, 1, 1, 2, 6]), data))
            return data
        case 4:
            parts = [rng.choice(PARTS) for _ in range(rng.choice([0, 1, 2, 3, 3, 3, 3, 4]))]
            return msgpack.packb([msgpack.ExtType(rng.choice([6, 6, 6, 7, 8, 99]), msgpack.packb(parts))])
        case 5:
            mark = msgpack.ExtType(rng.randrange(9), b"")
            parts = rng.choices([*PARTS, mark], k=3)
            return rng.choice(HEADS) + msgpack.packb([rng.choice([mark, None]), *parts])
        case _:
            return changed(rng, dump(plain(rng)))


def crafted_json(rng):
    match rng.randrange(5):
        case 0:
            depth = rng.choice(DEPTHS)
            return rng.choice(LEVELS_JSON) * depth + b"1" + rng.choice([b"", b"]" * depth, b"}" * depth])
        case 1:
            return b"".join(
                rng.choices([*LEVELS_JSON, b"]", b"}", b'"', b"\\", b",", b":", b"1"], k=rng.choice(DEPTHS))
            )
        case 2:
            return b"1" * rng.choice(DEPTHS) + rng.choice([b"", b".5", b"e400"])
        case 3:
            return rng.randbytes(rng.randrange(100))
        case _:
            return changed(rng, json.dumps({"a": [1, {"b": '[\\"'}]}).encode())


def deep_values(depth):
    yield nested(None, lambda value: [value], depth)
    yield nested(None, lambda value: (value,), depth)
    yield nested(None, lambda value: {"a": value}, depth)
    yield nested(None, lambda value: [1, (value, 2)], depth)
    yield nested(None, lambda value: [value, value], min(depth, 12))
    if depth <= 1_000:  # to hash what is deeper takes down Python itself
        yield nested((), lambda value: (value, 1), depth)
        yield nested(frozenset(), lambda value: frozenset({value}), depth)
        yield nested(0, lambda value: frozenset({(1, value)}), depth // 2)
    itself = {}
    itself["a"] = [itself]
    yield itself


def main(how_many, seed, deep):
    rng = random.Random(seed)
    by = {name: find_serializer(name) for name in ("msgpack", "json", "pickle")}
    counts = {"loaded": 0, "refused": 0, "dumped": 0, "not dumped": 0}
    start_mb = peak_mb()

    def load(name, data):
        try:
            value = by[name].load(data)
        except ValueError as error:
            counts["refused"] += 1
            reason = f"{error}"
        else:
            counts["loaded"] += 1
            reason = "none"
            dump(name, value)
        if not reason or "\n" in reason:
            raise AssertionError(f"not one line: {reason!r} of {data[:100]!r}")

    def dump(name, value):
        try:
            data = by[name].dump(value)
        except (TypeError, ValueError):
            counts["not dumped"] += 1
            return None
        counts["dumped"] += 1
        return data

    for _ in range(how_many):
        if rng.random() < 0.8:
            load("msgpack", crafted_msgpack(rng, by["msgpack"].dump))
        else:
            load("json", crafted_json(rng))
    for depth, value in deep:
        for name in by:
            data = dump(name, value)
            if data is not None and dump(name, by[name].load(data)) != data:
                raise AssertionError(f"{name} gave back another value of {depth} levels")
    sys.stdout.write(json.dumps({**counts, "mb": peak_mb() - start_mb}))


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    how_many, seed = map(int, sys.argv[1:])
    # Not in the thread: to let go of a deep dict takes much stack in Python 3.13.
    deep = [(depth, value) for depth in DEPTHS for value in deep_values(depth)]
    failed = []
    threading.excepthook = lambda args: failed.append(args) or sys.__excepthook__(*args[:3])
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=main, args=(how_many, seed, deep))
    thread.start()
    thread.join()
    sys.exit(bool(failed))
