"""is_fib against the sequence itself, on every kind of integer that a person may pass."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench import is_fib, is_fib_float
from workbench.tasks.fib import fibonacci_below

FIBS = fibonacci_below(2**300)
MEMBERS = frozenset(FIBS)
INTEGER_DTYPES = [f"{order}{kind}{width}" for order in "<>" for kind in "iu" for width in (1, 2, 4, 8)]


def fib(k: int) -> int:
    """F(k) by plain addition: slow, and hard to get wrong."""
    current, following = 0, 1
    for _ in range(k):
        current, following = following, current + following
    return current


def test_the_sequence_is_what_the_definition_says() -> None:
    assert FIBS[:8] == [0, 1, 2, 3, 5, 8, 13, 21]
    assert all(FIBS[i] == FIBS[i - 1] + FIBS[i - 2] for i in range(3, len(FIBS)))
    assert [fibonacci_below(limit) for limit in (0, 1, 2, 3)] == [[], [0], [0, 1], [0, 1, 2]]


def test_every_small_integer() -> None:
    assert [n for n in range(-1000, 100_000) if is_fib(n)] == [n for n in FIBS if n < 100_000]


@pytest.mark.parametrize("k", [*range(2, 400), 5_000, 20_001, 100_000])
def test_members_and_their_neighbours(k: int) -> None:
    member = fib(k)
    assert is_fib(member)
    assert not is_fib(-member)
    if k > 5:
        assert not is_fib(member - 1)
        assert not is_fib(member + 1)


def test_a_number_that_shares_the_last_word_of_a_member_is_refused() -> None:
    assert not is_fib(fib(1000) + 2**64)
    assert not is_fib(fib(1000) + 2**600)


@given(st.integers(min_value=-(2**300), max_value=2**300 - 1))
def test_any_integer(n: int) -> None:
    assert is_fib(n) is (n in MEMBERS)


@given(st.integers(min_value=300, max_value=4000), st.integers(min_value=0))
def test_random_big_integers(bits: int, noise: int) -> None:
    n = (1 << bits) | (noise % (1 << bits))
    index = 0
    current, following = 0, 1
    while current < n:
        current, following, index = following, current + following, index + 1
    assert is_fib(n) is (current == n)
    assert is_fib(current)


@given(st.sampled_from(INTEGER_DTYPES).flatmap(lambda dtype: hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_side=0))))
def test_arrays_of_any_dtype_and_shape(array: np.ndarray) -> None:
    answer = is_fib(array)
    assert answer.dtype == bool
    assert answer.shape == array.shape
    assert answer.ravel().tolist() == [n in MEMBERS for n in array.ravel().tolist()]


@pytest.mark.parametrize("dtype", INTEGER_DTYPES)
def test_the_extremes_of_each_dtype(dtype: str) -> None:
    info = np.iinfo(dtype)
    near = [n for f in FIBS for n in (f - 1, f, f + 1) if info.min <= n <= info.max]
    values = [info.min, info.min + 1, -1 if info.min else 0, 0, info.max - 1, info.max, *near]
    assert is_fib(np.array(values, dtype=dtype)).tolist() == [n in MEMBERS for n in values]


def test_f93_fits_only_an_unsigned_word() -> None:
    f93 = fib(93)
    assert 2**63 < f93 < 2**64
    assert is_fib(np.array([f93], dtype=np.uint64)).tolist() == [True]
    assert is_fib(np.array([f93 - 2**64], dtype=np.int64)).tolist() == [False]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32"])
def test_large_arrays_run_compiled_and_agree(dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 2**31 - 1, 300_000).astype(dtype)
    array[::1000] = [n for n in FIBS if n < 2**31][20]
    expected = np.isin(array, [n for n in FIBS if n < 2**31])
    assert expected.any()
    assert (is_fib(array) == expected).all()
    assert (is_fib(array[::-2]) == expected[::-2]).all()


def test_strides_and_layouts() -> None:
    array = np.arange(60, dtype=np.int32).reshape(3, 4, 5)
    expected = np.vectorize(MEMBERS.__contains__)(array)
    assert (is_fib(np.asfortranarray(array)) == expected).all()
    assert (is_fib(array[::-1, 1:, ::2]) == expected[::-1, 1:, ::2]).all()
    assert (is_fib(np.broadcast_to(array[0, 0], (2, 5))) == expected[0, 0]).all()


def test_a_readonly_array_is_fine() -> None:
    array = np.arange(5)
    array.flags.writeable = False
    assert is_fib(array).tolist() == [True, True, True, True, False]


def test_numpy_scalars_and_zero_dimensions() -> None:
    assert is_fib(np.int8(-1)) is False
    assert is_fib(np.uint64(fib(93))) is True
    assert is_fib(np.array(8)).shape == ()
    assert is_fib(np.array(8)) == np.True_


def test_gmpy2_integers() -> None:
    import gmpy2

    assert is_fib(gmpy2.mpz(fib(500))) is True


def test_series_keep_index_and_name() -> None:
    series = pd.Series([1, 4, 8], index=["a", "b", "c"], name="n")
    pd.testing.assert_series_equal(is_fib(series), pd.Series([True, False, True], index=["a", "b", "c"], name="n"))
    nullable = pd.Series([1, 4], dtype="Int64")
    assert is_fib(nullable).tolist() == [True, False]


def test_lists_hold_what_no_dtype_can() -> None:
    assert is_fib([]).tolist() == []
    assert is_fib(((1, 2), (4, 5))).tolist() == [[True, True], [False, True]]
    assert is_fib([2**63, -1, fib(200)]).tolist() == [False, False, True]


@pytest.mark.parametrize(
    "wrong",
    [1.0, "8", None, True, np.True_, np.float64(8), [1.0, 2.0], np.array([1.5]), np.array([True]), [1, None],
     np.array([1, "x"], dtype=object), pd.Series([1.0]), pd.Series([1, None], dtype="Int64"), 1j, {1}, b"8"],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_pass(wrong: object) -> None:
    with pytest.raises(TypeError, match="takes an integer, or an array, Series or list of integers, not "):
        is_fib(wrong)


def test_a_scalar_answer_needs_neither_numpy_nor_numba() -> None:
    import subprocess

    code = "import sys, workbench; workbench.is_fib(144); print({'numpy', 'numba', 'gmpy2'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


class TestTheFloatFormula:
    @settings(deadline=None)
    @given(st.integers(min_value=0, max_value=fib(46) - 1))
    def test_is_right_below_f46(self, n: int) -> None:
        assert is_fib_float(n) == is_fib(n)

    def test_is_wrong_from_f46_on_and_for_minus_one(self) -> None:
        assert is_fib(fib(45))
        assert is_fib_float(fib(45))
        assert is_fib(fib(46))
        assert not is_fib_float(fib(46))
        assert is_fib_float(-1)
        assert not is_fib(-1)

    def test_takes_arrays(self) -> None:
        assert is_fib_float(np.arange(6)).tolist() == [True, True, True, True, False, True]
