"""Exact shares of the lines of a task, by running it once more under line_profiler."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from types import CodeType, FunctionType
from typing import Any

from workbench.errors import UsageError
from workbench.results import Diagnosis, Line


def with_exact_lines(
    diagnosis: Diagnosis, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Diagnosis:
    """Return the diagnosis with a row for every line that ran in ``func`` and in what it calls.

    That is the functions of its module, and those of other files in which samples found the task.

    line_profiler says what share of the time each line took. The seconds are these shares of the wall time of a run
    without it; they are split into Python, native and waiting as the samples of that line were.
    """
    from line_profiler import LineProfiler

    functions = _functions(func, {line.file for line in diagnosis.lines})
    if not functions:
        raise UsageError(f"lines='exact' needs a Python function, and {diagnosis.target} is none")
    profiler = LineProfiler(*functions)
    start = time.perf_counter()
    profiler.runcall(func, *args, **kwargs)  # type: ignore[no-untyped-call]
    exact_s = time.perf_counter() - start
    once_s = diagnosis.wall_s / diagnosis.runs
    cost = f"lines are exact, from a run under line_profiler that took {exact_s / once_s:.1f} times as long"
    stats = profiler.get_stats()
    return replace(
        diagnosis,
        lines=tuple(_lines(diagnosis, stats.timings, stats.unit)),
        reasons=(*diagnosis.reasons, cost),
    )


def _functions(func: Callable[..., Any], files: Set[str]) -> list[FunctionType]:
    """Return the function and those that it can call by a global name, of its own module or these files."""
    function = getattr(func, "__func__", func)
    if not isinstance(function, FunctionType):
        return []
    found: dict[CodeType, FunctionType] = {}
    open_functions = [function]
    while open_functions:
        current = open_functions.pop()
        if current.__code__ in found:
            continue
        found[current.__code__] = current
        called = (current.__globals__.get(name) for name in _names(current.__code__))
        open_functions += [
            item
            for item in called
            if isinstance(item, FunctionType)
            and (item.__module__ == function.__module__ or item.__code__.co_filename in files)
        ]
    return list(found.values())


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names in a function and in the generators and functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _lines(diagnosis: Diagnosis, timings: Mapping[Any, Any], unit: float) -> list[Line]:
    sampled = {(line.file, line.line): line for line in diagnosis.lines}
    # A line that calls a profiled function holds that function's time: the outermost function's total is all of it.
    total_s = max(sum(ticks for _, _, ticks in rows) * unit for rows in timings.values()) or 1.0
    lines = []
    for (file, _, function), rows in timings.items():
        for number, _, ticks in rows:
            seconds = ticks * unit / total_s * diagnosis.wall_s
            seen = sampled.get((file, number))
            shares = (seen.python_s, seen.native_s, seen.wait_s) if seen else (1.0, 0.0, 0.0)
            scale = seconds / (sum(shares) or 1.0)
            python_s, native_s, wait_s = (share * scale for share in shares)
            lines.append(
                Line(
                    file=file,
                    line=number,
                    function=function,
                    python_s=python_s,
                    native_s=native_s,
                    wait_s=wait_s,
                )
            )
    return sorted(lines, key=lambda line: -(line.python_s + line.native_s + line.wait_s))
