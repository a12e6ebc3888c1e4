"""The same function as machine code, or over a whole array at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from workbench.errors import NotApplicableError
from workbench.remedy import Func, Run, remedy


@remedy(
    effort=2,
    start_s=3.0,
    model="compiled",
    price="numba as a dependency, compiling at the first call, integers of 64 bits that wrap around",
)
def compiled(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
    """Compile ``func`` with numba for the types of the items, then call it with one after the other.

    A function is compiled once; comparisons do that in their warm-up. Compiled integers have 64 bits and wrap around.

    Raises
    ------
    NotApplicableError
        numba can't compile the function: says why.

    Examples
    --------
    >>> def triangle(n):
    ...     total = 0
    ...     for i in range(n):
    ...         total += i
    ...     return total
    >>> compiled(triangle, [3, 10])
    [3, 45]
    """
    from numba.core.errors import NumbaError

    quick = _compile(func)
    try:
        return [quick(item) for item in items]
    except NumbaError as error:
        raise NotApplicableError(f"numba can't compile it: {_reason(error)}") from error


def vectorised(array_func: Callable[..., Any]) -> Run:
    """Make a remedy of a function that takes all items as one array and returns an array of the answers.

    Parameters
    ----------
    array_func
        Takes an array of shape ``(n,)``, returns one whose first axis has length n.

    Examples
    --------
    >>> import numpy as np
    >>> vectorised(np.abs)(abs, [-1, 2])
    [1, 2]
    """

    @remedy(effort=3, price="a second function to maintain, and all items in memory at once")
    def run(func: Func, items: Sequence[Any], *, workers: int | None = None) -> list[Any]:
        import numpy as np

        answers: list[Any] = np.asarray(array_func(np.asarray(items))).tolist()
        return answers

    return run


@lru_cache(maxsize=64)
def _compile(func: Func) -> Callable[..., Any]:
    if not inspect.isfunction(func):
        raise NotApplicableError(f"numba compiles plain Python functions only, not a {type(func).__name__}")
    if inspect.iscoroutinefunction(func):
        raise NotApplicableError("numba compiles plain Python functions only, not coroutines")
    import numba

    quick: Callable[..., Any] = numba.njit(func)
    return quick


def _reason(error: Exception) -> str:
    """Pick the line that tells most from numba's page of text."""
    lines = [line.strip(" >-\t") for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("Failed in", "During:", "File "))]
    return telling[0] if telling else type(error).__name__
