"""is_fib beside what people would use instead; prints ratios and records them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable

import gmpy2
import numpy as np
from interleave import ratio, times_s

from workbench import Table, is_fib, is_fib_float, records

ELEMENTS = 10**7
SCALARS = 2_000
BIG_BITS = 10**6
FIRST_CALL = f"""
import time
import numpy as np
from workbench import is_fib
array = np.arange({ELEMENTS})
start = time.perf_counter()
is_fib(array)
print(time.perf_counter() - start)
"""


def square_test(n: int) -> bool:
    five_squares = 5 * gmpy2.mpz(n) ** 2
    return gmpy2.is_square(five_squares + 4) or gmpy2.is_square(five_squares - 4)


def over(answer: Callable[[int], object], numbers: list[int]) -> Callable[[], None]:
    def loop() -> None:
        for n in numbers:
            answer(n)

    return loop


def rows() -> list[tuple[str, str, float, str]]:
    array = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, ELEMENTS)
    out = np.empty(ELEMENTS, dtype=bool)
    arrays = times_s({"is_fib": lambda: is_fib(array), "equal": lambda: np.equal(array, 5, out)}, rounds=25)

    rng = random.Random(0)
    numbers = [rng.getrandbits(rng.randint(1, 64)) for _ in range(SCALARS)]
    narrow = [n for n in numbers if n < 2**31]
    scalars = times_s({"is_fib": over(is_fib, numbers), "square": over(square_test, numbers)}, rounds=25)
    floats = times_s({"is_fib": over(is_fib, narrow), "float": over(is_fib_float, narrow)}, rounds=10)

    # How soon the square test gives up depends on the number: take several.
    others = [rng.getrandbits(BIG_BITS) | 1 << (BIG_BITS - 1) for _ in range(5)]
    index = round(BIG_BITS / np.log2((1 + 5**0.5) / 2))
    member = int(gmpy2.fib(index))
    # A non-member takes microseconds: many in a row, so that the square test's milliseconds don't leave cold caches.
    repeats = 100
    strangers = times_s({"is_fib": over(is_fib, others * repeats), "square": over(square_test, others)}, rounds=9)
    members = times_s({"is_fib": over(is_fib, [member]), "square": over(square_test, [member])}, rounds=9)

    first_call_s = float(subprocess.check_output([sys.executable, "-c", FIRST_CALL]))
    return [
        (f"{ELEMENTS:.0e} int64", "time ÷ np.equal(a, 5, out)", ratio(arrays, "is_fib", "equal"), "≤ 1.5"),
        (f"{ELEMENTS:.0e} int64, first call in a process", "seconds", first_call_s, "< 1"),
        ("n < 2⁶⁴", "× faster than gmpy2's square test", ratio(scalars, "square", "is_fib"), "≥ 3"),
        ("n < 2³¹", "× faster than the float formula", ratio(floats, "float", "is_fib"), "≥ 30"),
        (
            f"{BIG_BITS:.0e}-bit non-member",
            "× faster than gmpy2's square test",
            repeats * ratio(strangers, "square", "is_fib"),
            "≥ 300",
        ),
        (f"{BIG_BITS:.0e}-bit member", "× faster than gmpy2's square test", ratio(members, "square", "is_fib"), "≥ 3"),
    ]


def main() -> None:
    table = Table(
        title="is_fib beside what people would use instead",
        columns=("what", "measure", "figure", "bar"),
        rows=tuple(rows()),
    )
    print(table.table().to_string(index=False))
    print(records.save(table, "benchmarks.is-fib", replace=True))


if __name__ == "__main__":
    main()
