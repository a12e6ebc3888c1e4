"""Answers of one function kept on disk by `joblib.Memory`, loaded and saved apart from computing them.

joblib's own wrapper computes where it finds nothing, which leaves no place for computing once for many callers, nor for
awaiting. Here joblib memoizes a stand-in for the function that hands out an answer computed elsewhere.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import UsageError
from workbench.masking import get_logger
from workbench.names import shown_name

logger = get_logger(__name__)


#: An answer that took longer to write is too large to be read while others wait.
SLOW_S = 0.005


class Missing(LookupError):  # noqa: N818 - an answer, not an error
    """There is no answer on disk that may be used."""


class Slow(Exception):  # noqa: N818
    """There is an answer on disk, and reading it may take milliseconds."""


class AnswerFiles:
    """The answers of one function on disk.

    Parameters
    ----------
    func
        Its source is part of what is stored: other source, and its answers are dropped.
    folder
        A folder for `joblib.Memory`; answers of many functions may share it.
    ttl_s
        How long an answer may be used, in seconds; for ever when None.

    Raises
    ------
    UsageError
        The folder can't be written.

    Examples
    --------
    >>> def square(n):
    ...     return n * n
    >>> store = AnswerFiles(square, tmp)
    >>> try:
    ...     answer, until_s = store.load((3,), {})
    ... except Missing:
    ...     until_s = store.save((3,), {}, 9)
    >>> store.load((3,), {})
    (9, inf)
    """

    def __init__(self, func: Callable[..., Any], folder: str | os.PathLike[str], ttl_s: float | None = None) -> None:
        from joblib import Memory, expires_after

        self._ttl_s = math.inf if ttl_s is None else ttl_s
        self._unexpired = expires_after(seconds=ttl_s) if ttl_s is not None else None
        #: What passes between this object and the functions that joblib calls back in the same thread.
        self._passing = threading.local()
        _make_writable(Path(folder))
        memory = Memory(Path(folder), verbose=0)
        self._memorized = memory.cache(self._stand_in(func), cache_validation_callback=self._usable)
        # joblib calls this with a page of traceback when an entry can't be read, then computes.
        self._memorized.warn = self._say_unreadable
        self._name = shown_name(func)

    def load(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, patient: bool = True) -> tuple[Any, float]:
        """Return an answer and the time (seconds since the epoch) until which it may be used.

        Raises
        ------
        Missing
            There is none, it is too old, or it can't be read; the log says so of the last.
        Slow
            There is a large one, and ``patient`` is not set.
        """
        self._passing.answer = None
        self._passing.patient = patient
        self._passing.saved_at_s = time.time()
        answer = self._memorized(*args, **kwargs)
        return answer, self._passing.saved_at_s + self._ttl_s

    def save(self, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> float:
        """Keep an answer that was `Missing`; return the time until which it may be used."""
        self._passing.answer = (answer,)
        try:
            self._memorized.call(*args, **kwargs)
        except ValueError as error:
            # Once the answer is stored, joblib notes the repr of the arguments beside it, and Python refuses that for
            # integers of thousands of digits. Such an answer has no date: with a ttl_s it will not be used.
            logger.debug("no note of the arguments beside an answer of %s: %s", self._name, error)
        finally:
            self._passing.answer = None
        return time.time() + self._ttl_s

    def clear(self) -> None:
        """Drop all answers of this function."""
        self._memorized.clear(warn=False)

    def _stand_in(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that joblib takes for ``func``: same name, signature and source."""
        passing = self._passing

        def answer(*args: Any, **kwargs: Any) -> Any:
            if passing.answer is None:
                raise Missing
            return passing.answer[0]

        functools.update_wrapper(answer, func)
        answer.__signature__ = _signature(func)  # type: ignore[attr-defined]
        original = getattr(func, "__code__", None)
        if original is not None:
            # joblib reads the source from where the code says it is.
            code = answer.__code__.replace(co_filename=original.co_filename, co_firstlineno=original.co_firstlineno)
            answer.__code__ = code
        return answer

    def _usable(self, metadata: dict[str, Any]) -> bool:
        """Judge what joblib wrote beside an answer; called by joblib before it reads the answer itself."""
        if self._unexpired is not None:
            if "time" not in metadata:  # unreadable metadata: its age is unknown
                return False
            self._passing.saved_at_s = metadata["time"]
            if not self._unexpired(metadata):
                return False
        # The stand-in takes no time, so what joblib took for the call's duration is that of writing the answer.
        if not self._passing.patient and metadata.get("duration", math.inf) > SLOW_S:
            raise Slow
        return True

    def _say_unreadable(self, message: str) -> None:
        error = message.strip().splitlines()[-1].strip()
        logger.warning("a stored answer of %s can't be read (%s): it is computed again", self._name, error)


def _signature(func: Callable[..., Any]) -> inspect.Signature:
    """Return a function's signature as joblib can read it: it knows no positional-only parameters."""
    try:
        signature = inspect.signature(func)
    except ValueError:  # a builtin that doesn't tell
        return inspect.Signature([inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)])
    parameters = [
        parameter.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        else parameter
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"can't make the cache folder {folder}: {reason}; pass another folder=") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"can't write to the cache folder {folder}; pass another folder=")
