"""What `memoize` does between a caller and the disk: the warm tier, and one computation for many callers.

Nothing here waits, awaits or computes, so that the plain and the async shell in `workbench.remedies.memo` share it.
"""

from __future__ import annotations

import functools
import math
import os
import pickle
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from workbench.errors import UsageError
from workbench.masking import get_logger
from workbench.names import shown_name
from workbench.remedies.flights import Flight, Flights
from workbench.remedies.store import AnswerFiles

logger = get_logger(__name__)

#: An answer that takes more stays on disk only, so that maxsize answers take at most as many megabytes.
LARGEST_WARM_BYTES = 1_000_000
#: Values of these types can't change, and equal ones of one type are the same argument.
ATOMS = frozenset({str, bytes, int, bool, type(None)})
#: Of floats that holds too, but for 0.0 and -0.0.
ATOMS_AND_FLOAT = ATOMS | {float}


class MemoInfo(NamedTuple):
    """How often a memoized function answered from memory, from disk, from another caller's call, or by computing."""

    warm_hits: int
    stored_hits: int
    shared: int
    misses: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """An answer that no caller can change: its pickle, or the value itself where its type allows no change."""

    value: Any
    buffers: tuple[bytes, ...] | None
    expires_s: float

    def thaw(self) -> Any:
        """Return an answer that belongs to the caller alone."""
        if self.buffers is None:
            return self.value
        if not self.buffers:  # the usual case, and half a microsecond quicker
            return pickle.loads(self.value)
        return pickle.loads(self.value, buffers=map(bytearray, self.buffers))


class Tiers:
    """The answers of one function: the latest used ones in memory, all of them on disk.

    Parameters
    ----------
    func, folder, ttl_s, maxsize
        As for `workbench.memoize`.
    """

    def __init__(
        self, func: Callable[..., Any], folder: str | os.PathLike[str], ttl_s: float | None, maxsize: int | None
    ) -> None:
        self._func = func
        self._folder = folder
        self._ttl_s = ttl_s
        self._maxsize = sys.maxsize if maxsize is None else maxsize
        self._answers: OrderedDict[Hashable, Frozen] = OrderedDict()
        self._flights: Flights[Frozen] = Flights()
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(MemoInfo._fields, 0)

    @functools.cached_property
    def store(self) -> AnswerFiles:
        """The disk; made at the first call, so that decorating a function costs nothing."""
        return AnswerFiles(self._func, self._folder, self._ttl_s)

    def info(self) -> MemoInfo:
        """Return the counts of hits and misses."""
        with self._lock:
            return MemoInfo(**self._counts)

    def clear(self) -> None:
        """Forget all answers and counts."""
        with self._lock:
            self._answers.clear()
            self._counts = dict.fromkeys(MemoInfo._fields, 0)
        self.store.clear()

    def warm(self, key: Hashable) -> Frozen | None:
        """Return an answer from memory."""
        with self._lock:
            found = self._answers.get(key)
            if found is None:
                return None
            if found.expires_s < math.inf and found.expires_s <= time.time():
                del self._answers[key]
                return None
            self._answers.move_to_end(key)
            self._counts["warm_hits"] += 1
            return found

    def board(self, key: Hashable, owner: object) -> Flight[Frozen] | None:
        """Join the computation of this key, or lead one; None if this owner leads it already: see `Flights`."""
        return self._flights.board(key, owner)

    def share(self, found: Frozen | None) -> Frozen | None:
        """Count an answer that another caller's computation brought."""
        if found is not None:
            self._count("shared")
        return found

    @contextmanager
    def leading(self, key: Hashable, flight: Flight[Frozen]) -> Iterator[None]:
        """End a flight, whatever happens: those who wait get the answer, the exception, or look again."""
        with self._flights.leading(key, flight):
            yield
            with self._lock:
                flight.brings = self._answers.get(key)

    def load(self, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any], *, patient: bool = True) -> Any:
        """Return an answer from disk and keep it in memory.

        Raises
        ------
        Missing
            There is none that may be used.
        Slow
            There is a large one, and ``patient`` is not set.
        """
        answer, expires_s = self.store.load(args, kwargs, patient=patient)
        self._count("stored_hits")
        self._warm_up(key, answer, expires_s)
        return answer

    def keep(self, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
        """Keep a computed answer on disk and in memory, if it pickles."""
        self._count("misses")
        try:
            pickle.dumps(answer, protocol=5, buffer_callback=lambda buffer: None)
        except Exception as error:  # whatever its __reduce__ raises
            name = shown_name(self._func)
            logger.warning("an answer of %s doesn't pickle, so it is not remembered (%s)", name, error)
            return
        self._warm_up(key, answer, self.store.save(args, kwargs, answer))

    def _warm_up(self, key: Hashable, answer: Any, expires_s: float) -> None:
        frozen = freeze(answer, expires_s)
        with self._lock:
            if frozen is not None:
                self._answers[key] = frozen
                self._answers.move_to_end(key)
            while len(self._answers) > self._maxsize:
                self._answers.popitem(last=False)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


def freeze(answer: Any, expires_s: float) -> Frozen | None:
    """Return an answer as the warm tier keeps it, or None if it is too large."""
    if _is_immutable(answer):
        return Frozen(answer, None, expires_s) if sys.getsizeof(answer) <= LARGEST_WARM_BYTES else None
    views: list[pickle.PickleBuffer] = []
    # Arrays hand out views of their memory, so a large one is found to be too large without a copy.
    pickled = pickle.dumps(answer, protocol=5, buffer_callback=views.append)
    if len(pickled) + sum(view.raw().nbytes for view in views) > LARGEST_WARM_BYTES:
        return None
    return Frozen(pickled, tuple(bytes(view) for view in views), expires_s)


def call_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    """Return what tells the arguments of one call from another's; ``1``, ``1.0`` and ``True`` differ.

    Raises
    ------
    UsageError
        An argument doesn't pickle.

    Examples
    --------
    >>> call_key((1,), {}) == call_key((1.0,), {}), call_key(([1, 2],), {}) == call_key(([1, 2],), {})
    (False, True)
    """
    parts = args
    if kwargs:
        for named in sorted(kwargs.items()):
            parts += named
    types = tuple(map(type, parts))
    if ATOMS.issuperset(types) or (ATOMS_AND_FLOAT.issuperset(types) and 0 not in parts):
        return parts, types, len(args)
    import joblib

    try:
        # By value, and type by type all the way down, as joblib tells calls apart on disk.
        digest: str = joblib.hash((args, kwargs))
    except Exception as error:  # whatever an argument's __reduce__ raises
        culprit = ", ".join(dict.fromkeys(kind.__name__ for kind in types if kind not in ATOMS_AND_FLOAT))
        raise UsageError(f"a call can't be remembered: its argument doesn't pickle (one of {culprit})") from error
    return digest


def _is_immutable(answer: Any) -> bool:
    if type(answer) in (tuple, frozenset):
        return all(map(_is_immutable, answer))
    return type(answer) in ATOMS or type(answer) in (float, complex)
