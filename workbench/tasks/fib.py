"""The CPU-bound example task: to tell whether n is a Fibonacci number.

`is_fib` answers exactly; `is_fib_float` is the formula as people first write it, kept for study.
"""

from __future__ import annotations

import math
import numbers
import sys
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from workbench.tasks.fibonacci import WORD, fibonacci_below

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


def _first_words(bits: int) -> list[int]:
    """Return F(m) mod 2⁶⁴ for all m ≤ 2 to the power of ``bits``."""
    words = [0, 1]
    while len(words) <= 2**bits:
        words.append((words[-2] + words[-1]) % WORD)
    return words


_BELOW_WORD = frozenset(fibonacci_below(WORD))
_LOG2_PHI = math.log2((1 + math.sqrt(5)) / 2)
_LOG2_SQRT5 = math.log2(5) / 2
_LAST_WORD = WORD - 1
_FIRST_WORDS_BITS = 10
_FIRST_WORDS = _first_words(_FIRST_WORDS_BITS)


@overload
def is_fib(n: SupportsIndex) -> bool: ...
@overload
def is_fib(n: pd.Series) -> pd.Series: ...
@overload
def is_fib(n: npt.ArrayLike) -> npt.NDArray[np.bool_]: ...
def is_fib(n: Any) -> Any:
    """Tell whether n is one of 0, 1, 1, 2, 3, 5, …, exactly and for integers of any size.

    Parameters
    ----------
    n
        An integer (Python's of any size, NumPy's or gmpy2's), an array of integers of any dtype, shape and stride, a
        pandas Series of integers, or a list or tuple that NumPy can make such an array of.

    Returns
    -------
    bool, or numpy.ndarray of bool in the shape of n, or pandas.Series of bool with the index of n
        Negative numbers are no Fibonacci numbers.

    Raises
    ------
    TypeError
        For anything else: floats, strings, None, and booleans, which are answers and not numbers to ask about.

    Notes
    -----
    Below 2⁶⁴ there are 93 Fibonacci numbers: one look into a set. Above, Binet's formula F(k) = φᵏ/√5 (rounded; Knuth,
    *The Art of Computer Programming* 1, 1.2.8) leaves a single k to try. Its last 64 bits take O(log k) steps and
    reject nearly every other number; only a match computes F(k) itself.

    Examples
    --------
    >>> is_fib(144), is_fib(145), is_fib(-1)
    (True, False, False)
    >>> is_fib(2**1000)
    False
    >>> is_fib([0, 4, 2971215073])
    array([ True, False,  True])
    """
    if type(n) is int:
        return n in _BELOW_WORD if n < WORD else _is_large_fib(n)
    if isinstance(n, numbers.Integral) and not isinstance(n, bool):
        return is_fib(int(n))
    # Who passes an array or a Series has imported NumPy or pandas already: nobody else waits for them.
    if isinstance(n, list | tuple) or _is_a(n, "numpy", "ndarray"):
        return _are_fib(n)
    if _is_a(n, "pandas", "Series"):
        return n._constructor(_are_fib(n.to_numpy()), index=n.index, name=n.name)
    raise TypeError(f"is_fib takes an integer, or an array, Series or list of integers, not {type(n).__name__}")


def is_fib_float(n: npt.ArrayLike) -> Any:
    """Tell whether 5n² + 4 or 5n² − 4 is a perfect square, with NumPy's floats: wrong, and kept to show how.

    The identity is exact (I. Gessel, 1972); int64 and float64 are not. From F₄₆ = 1836311903 on 5n² overflows, and the
    square makes −1 pass for 1. Use `is_fib`.

    Parameters
    ----------
    n
        An integer or an array of integers; NumPy computes with int64.

    Returns
    -------
    bool or numpy.ndarray of bool
        Right for 0 ≤ n < F₄₆.

    Examples
    --------
    >>> is_fib_float(144), is_fib_float(145)
    (True, False)
    >>> is_fib_float(1836311903), is_fib_float(-1)
    (False, True)
    """
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        square = 5 * np.asarray(n, dtype=np.int64) ** 2
        above = np.sqrt(square + 4)
        below = np.sqrt(square - 4)
    found = (above % 1 == 0) | (below % 1 == 0)
    return found if found.ndim else bool(found)


def _is_a(value: object, module: str, name: str) -> bool:
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _is_large_fib(n: int) -> bool:
    """Answer for n ≥ 2⁶⁴, where the nearest integer to log_φ(n√5) is the only k that F(k) = n can have."""
    import gmpy2

    k = round((math.log2(n) + _LOG2_SQRT5) / _LOG2_PHI)
    return _last_word_of_fib(k) == n & _LAST_WORD and bool(gmpy2.fib(k) == n)


def _last_word_of_fib(k: int) -> int:
    """Return F(k) mod 2⁶⁴ by fast doubling: F(2m) = F(m)(2F(m+1) − F(m)), F(2m+1) = F(m)² + F(m+1)²."""
    doublings = max(0, k.bit_length() - _FIRST_WORDS_BITS)
    m = k >> doublings
    current, following = _FIRST_WORDS[m], _FIRST_WORDS[m + 1]
    for place in range(doublings - 1, -1, -1):
        current, following = (
            current * (2 * following - current) & _LAST_WORD,
            (current * current + following * following) & _LAST_WORD,
        )
        if k >> place & 1:
            current, following = following, (current + following) & _LAST_WORD
    return current


def _are_fib(numbers_: Any) -> npt.NDArray[np.bool_]:
    """Answer for an array or a list of integers."""
    import numpy as np

    array = np.asarray(numbers_)
    if array.dtype.kind in "iu":
        from workbench.tasks.fib_arrays import are_fib

        return are_fib(array)
    # NumPy makes floats of [] and of integers that fit no dtype together: take those one by one, exactly.
    exact = np.asarray(numbers_, dtype=object)
    answers = [is_fib(item) for item in exact.flat]
    return np.array(answers, dtype=bool).reshape(exact.shape)
