"""Fibonacci membership for arrays of fixed-width integers, by a perfect hash.

Multiplying by one odd constant sends each of the 93 Fibonacci numbers below 2⁶⁴ to a slot of its own, so one
multiplication, one look-up and one comparison answer for any word. The same line runs as NumPy code and, for large
arrays, compiled by Numba, where it keeps pace with the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.tasks.fib import WORD, fibonacci_below

Words = npt.NDArray[np.uint64]
Match = Callable[[Any], Any]
Fill = Callable[[Words, npt.NDArray[np.bool_]], object]

_SLOT_BITS = 10
#: Found by trying random odd numbers until no two Fibonacci numbers met in a slot, which `_slots` checks.
_MULTIPLIER = np.uint64(17953335270316389289)
_SHIFT = np.uint64(64 - _SLOT_BITS)
#: Elements below which compiling costs more than it gains.
_WORTH_COMPILING = 2**17
#: Elements taken at a time where they must be converted to words; their buffer stays in the processor's cache.
_BLOCK = 2**15


def _slots(fibs: list[int]) -> Words:
    """Return a table that holds every Fibonacci number in its slot; the others hold 0, whose own slot is the first."""
    slots = np.zeros(2**_SLOT_BITS, dtype=np.uint64)
    words = np.array(fibs, dtype=np.uint64)
    slots[words * _MULTIPLIER >> _SHIFT] = words
    if not set(fibs) <= set(slots.tolist()):
        raise AssertionError("two Fibonacci numbers share a slot: the multiplier is no perfect hash")
    return slots


# A negative int64, read as a word, is at least 2⁶³: without F₉₃ in the table it can't match.
_SIGNED = _slots(fibonacci_below(WORD // 2))
_UNSIGNED = _slots(fibonacci_below(WORD))


def _match_signed(word: Any) -> Any:
    return _SIGNED[word * _MULTIPLIER >> _SHIFT] == word


def _match_unsigned(word: Any) -> Any:
    return _UNSIGNED[word * _MULTIPLIER >> _SHIFT] == word


def are_fib(array: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Tell for each element whether it is a Fibonacci number.

    Parameters
    ----------
    array
        Integers of any width, sign, byte order, shape and stride.

    Returns
    -------
    numpy.ndarray of bool
        In the shape of the array.

    Examples
    --------
    >>> are_fib(np.array([[1, 4], [-1, 8]], dtype=np.int16))
    array([[ True, False],
           [False,  True]])
    """
    signed = array.dtype.kind == "i"
    match = _match_signed if signed else _match_unsigned
    fill = _compiled(match) if array.size >= _WORTH_COMPILING else _interpreted(match)
    found = np.empty(array.shape, dtype=bool)
    blocks = np.nditer(
        [array, found],
        flags=["external_loop", "buffered", "growinner", "zerosize_ok"],
        op_flags=[["readonly"], ["writeonly"]],
        op_dtypes=[np.int64 if signed else np.uint64, bool],
        buffersize=_BLOCK,
    )
    with blocks:
        for block, answer in blocks:
            fill(block.view(np.uint64), answer)
    return found


def _interpreted(match: Match) -> Fill:
    return lambda words, found: np.copyto(found, match(words))


@cache
def _compiled(match: Match) -> Fill:
    """Compile a match to a NumPy ufunc, once for this machine: Numba keeps it on disk."""
    import numba

    ufunc: Fill = numba.vectorize(["boolean(uint64)"], cache=True)(match)  # type: ignore[no-untyped-call]
    return ufunc
