"""The ways to diagnose from Python: a call, a coroutine, a ``with`` block."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any, Literal, overload

from workbench.coroutines import loop_runs, run_coroutine
from workbench.diagnosis.assemble import assemble
from workbench.diagnosis.recorder import REPEAT_UNTIL_S, Recorder
from workbench.errors import UsageError, one_line
from workbench.masking import masked
from workbench.names import module_and_name, shown_name
from workbench.results import Diagnosis

Lines = Literal["sampled", "exact"]


class Diagnosing:
    """A ``with`` block that is diagnosed; ``result`` is the `Diagnosis` once it has ended, also by an exception.

    Examples
    --------
    >>> import time
    >>> from workbench import diagnose
    >>> with diagnose() as block:
    ...     time.sleep(0.1)
    >>> block.result.bound_by
    'sleep'
    """

    def __init__(self, target: str = "with block") -> None:
        self.target = target
        self.runs = 0
        self._result: Diagnosis | None = None
        self._recorder = Recorder()

    def __enter__(self) -> Diagnosing:
        self._recorder.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        recording = self._recorder.stop()
        failure = one_line(error) if error is not None else None
        self._result = assemble(recording, self.target, max(1, self.runs), failure)
        if error is not None:
            error.diagnosis = self._result  # type: ignore[attr-defined]

    @property
    def result(self) -> Diagnosis:
        """The diagnosis.

        Raises
        ------
        UsageError
            The block has not ended yet.
        """
        if self._result is None:
            raise UsageError("the block is still running: read .result after the 'with'")
        return self._result

    def until_told(self, repeat: int | None) -> Iterator[None]:
        """Yield before each run of the task: ``repeat`` times, or until `REPEAT_UNTIL_S` have passed."""
        start = time.perf_counter()
        while self.runs == 0 or self.runs < (repeat or 0) or (repeat is None and _since(start) < REPEAT_UNTIL_S):
            self.runs += 1
            yield


@overload
def diagnose() -> Diagnosing: ...
@overload
def diagnose(
    func: Callable[..., Coroutine[Any, Any, Any]],
    /,
    *args: Any,
    repeat: int | None = ...,
    lines: Lines = ...,
    **kwargs: Any,
) -> Any: ...
@overload
def diagnose(
    func: Callable[..., Any], /, *args: Any, repeat: int | None = ..., lines: Lines = ..., **kwargs: Any
) -> Diagnosis: ...
@overload
def diagnose(func: Awaitable[Any], /) -> Any: ...


def diagnose(
    func: Callable[..., Any] | Awaitable[Any] | None = None,
    /,
    *args: Any,
    repeat: int | None = None,
    lines: Lines = "sampled",
    **kwargs: Any,
) -> Any:
    """Run a task and say what bounds it: the CPU, or waiting, and for what.

    A process of its own looks at the threads and children of this one some hundred times a second, so next to
    nothing is added to the task. Where ``/proc`` is closed only clocks and counters are read, and the reasons say so.

    Parameters
    ----------
    func
        A function, a coroutine function, or something awaitable. Without it, ``with diagnose() as d:`` diagnoses a
        block, and ``d.result`` is its diagnosis.
    args, kwargs
        Passed to the function.
    repeat
        How often to run it. By default a task shorter than 0.5 s is run again until it has run for that long in all;
        pass 1 when running it twice would do harm. Something awaitable runs once.
    lines
        ``"exact"`` runs the task once more under line_profiler, which is slow, for exact shares of its lines; the
        reasons say what that cost.

    Returns
    -------
    Diagnosis
        Its ``answer`` is what the (last) run returned; a generator is run to its end, and gives a list. With an event
        loop running, a coroutine function or awaitable
        gives something to await: ``await diagnose(fetch, url)``.

    Raises
    ------
    UsageError
        What is passed can't be run.
    BaseException
        Whatever the task raises, unchanged; the diagnosis of what ran is its attribute ``diagnosis``.

    Examples
    --------
    >>> import time
    >>> from workbench import diagnose
    >>> diagnose(time.sleep, 0.1, repeat=1).verdict
    'idle'
    >>> with diagnose() as d:
    ...     answer = sum(number * number for number in range(3_000_000))
    >>> max(d.result.parts, key=d.result.parts.get) in ("python", "runqueue")  # or no core was free
    True
    """
    if func is None:
        if args or kwargs:
            raise UsageError("diagnose() got arguments but no function: diagnose(func, *args)")
        return Diagnosing()
    if repeat is not None and repeat < 1:
        raise UsageError(f"repeat={repeat!r}: pass 1 or more, or None to repeat short tasks")
    if lines not in ("sampled", "exact"):
        raise UsageError(f"lines={lines!r}: pass 'sampled' or 'exact'")
    if inspect.isawaitable(func):
        return _run_or_await(_diagnose_awaitable(func))
    if not callable(func):
        raise UsageError(f"can't run {masked(repr(func)):.60}: pass a function, a coroutine function or an awaitable")
    if inspect.iscoroutinefunction(func):
        return _run_or_await(_diagnose_coroutine(func, args, kwargs, repeat))
    block = Diagnosing(shown_name(func))
    with block:
        for _ in block.until_told(repeat):
            answer = func(*args, **kwargs)
            if inspect.isgenerator(answer):  # its work is done while it is read
                answer = list(answer)
    result = replace(block.result, answer=answer)
    if lines == "exact":
        from workbench.diagnosis.exact import with_exact_lines

        return with_exact_lines(result, func, args, kwargs)
    return result


async def _diagnose_coroutine(func: Any, args: Any, kwargs: Any, repeat: int | None) -> Diagnosis:
    block = Diagnosing(shown_name(func))
    with block:
        for _ in block.until_told(repeat):
            answer = await func(*args, **kwargs)
    return replace(block.result, answer=answer)


async def _diagnose_awaitable(awaitable: Awaitable[Any]) -> Diagnosis:
    block = Diagnosing(module_and_name(awaitable)[1])  # a coroutine knows the name of its function alone
    with block:
        answer = await awaitable
    return replace(block.result, answer=answer)


def _run_or_await(coroutine: Coroutine[Any, Any, Diagnosis]) -> Diagnosis | Coroutine[Any, Any, Diagnosis]:
    return coroutine if loop_runs() else run_coroutine(coroutine)


def _since(start: float) -> float:
    return time.perf_counter() - start
