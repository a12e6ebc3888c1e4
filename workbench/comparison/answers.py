"""Is the remedy's answer the baseline's? Asked before any speed counts."""

from __future__ import annotations

import cmath
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.errors import UsageError, one_line
from workbench.masking import masked

Equal = Callable[[Any, Any], bool]
#: Of the repr of a value that is shown in part, so much is looked through for secrets.
MOST_READ = 2_000


def difference(
    expected: Sequence[Any], actual: Any, equal: Equal | None = None, numbers: Sequence[int] | None = None
) -> str:
    """Return the first difference between a remedy's answers and the baseline's in one line, or ``""``.

    Parameters
    ----------
    expected
        The baseline's answers, one for each item.
    actual
        What the remedy returned.
    equal
        Says of one answer whether it is near enough: ``equal(expected, actual)``. None asks for `same`.
    numbers
        Of the items, where they are some of many.

    Examples
    --------
    >>> difference([1.0, float("nan")], [1.0, float("nan")])
    ''
    >>> difference([1.0, 2.0], [1.0, 2.5])
    'item 1: 2.5 instead of 2.0'
    >>> import math
    >>> difference([1.0, 2.0], [1.0, 2.0000000001], equal=math.isclose)
    ''
    """
    if not isinstance(actual, list | tuple):
        return f"a {type(actual).__name__} instead of a list of {len(expected)} answers"
    if len(actual) != len(expected):
        return f"{len(actual)} answers instead of {len(expected)}"
    for index, wanted, found in zip(numbers or range(len(expected)), expected, actual, strict=True):
        try:
            agree = equal(wanted, found) if equal else same(wanted, found)
        except Exception as error:
            return f"item {index}: can't be compared, {one_line(error)}; pass equal="
        if not agree:
            return f"item {index}: {_short(found)} instead of {_short(wanted)}{_hint(wanted, equal)}"
    return ""


def approximately(tolerance: float) -> Equal:
    """Return an ``equal`` that lets numbers differ by so much, relative to the larger one, wherever they stand.

    Examples
    --------
    >>> approximately(1e-9)({"a": [1.0]}, {"a": [1.0 + 1e-12]}), approximately(1e-9)([1.0], [1.1])
    (True, False)
    """
    if not 0 <= tolerance < 1:
        raise UsageError(f"a relative difference of {tolerance}: pass 0 or more, and less than 1")
    return functools.partial(same, tolerance=tolerance)


def same(expected: Any, actual: Any, tolerance: float = 0.0) -> bool:
    """Return whether two answers are equal as ``==`` sees them, all the way down.

    NaN equals NaN. NumPy arrays must agree in shape and values, pandas objects in values, index and types, lists,
    tuples and mappings in their type and element by element. Floats may differ by the relative tolerance, but for those
    in pandas objects.

    Examples
    --------
    >>> same({"a": [1, float("nan")]}, {"a": [1, float("nan")]}), same([1, 2], (1, 2))
    (True, False)
    """
    alike = functools.partial(same, tolerance=tolerance)
    if expected is actual:
        return True
    if _is_pandas(expected):
        return type(expected) is type(actual) and bool(expected.equals(actual))
    if _is_array(expected) or _is_array(actual):
        return _is_array(expected) and _is_array(actual) and _same_array(expected, actual, tolerance)
    if isinstance(expected, Mapping):
        return (
            type(expected) is type(actual)
            and expected.keys() == actual.keys()
            and all(alike(value, actual[key]) for key, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        return type(expected) is type(actual) and len(expected) == len(actual) and all(map(alike, expected, actual))
    if tolerance and isinstance(expected, float | complex) and isinstance(actual, float | complex):
        return cmath.isclose(expected, actual, rel_tol=tolerance) or (_is_nan(expected) and _is_nan(actual))
    return bool(expected == actual) or (_is_nan(expected) and _is_nan(actual))


def _same_array(expected: Any, actual: Any, tolerance: float) -> bool:
    import numpy as np

    if expected.shape != actual.shape:
        return False
    if expected.dtype.hasobject or actual.dtype.hasobject:
        return all(map(same, expected.ravel().tolist(), actual.ravel().tolist()))
    if tolerance and expected.dtype.kind in "fc" and actual.dtype.kind in "fc":
        return bool(np.allclose(expected, actual, rtol=tolerance, atol=0, equal_nan=True))
    has_nan = expected.dtype.kind in "fcmM" and actual.dtype.kind in "fcmM"
    return bool(np.array_equal(expected, actual, equal_nan=has_nan))


def _is_array(value: Any) -> bool:
    # Whoever made an array has imported NumPy: asking so keeps comparisons of plain values from importing it.
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_pandas(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series | pandas.Index)


def _is_nan(value: Any) -> bool:
    return bool(value != value)


def _short(value: Any) -> str:
    text = masked(" ".join(repr(value)[:MOST_READ].split()))
    return text if len(text) <= 60 else text[:57] + "..."


def _hint(value: Any, equal: Equal | None) -> str:
    # A class without an == of its own compares by identity: a copy from another process is never equal.
    compares = any("__eq__" in vars(kind) for kind in type(value).__mro__[:-1])
    return "" if equal or compares else f" ({type(value).__name__} has no ==; pass equal=)"
