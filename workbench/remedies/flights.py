"""One computation for all callers of this process that want the same answer at the same time."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Brought = TypeVar("_Brought")


@dataclass(eq=False)
class Flight(Generic[_Brought]):
    """A computation that several callers wait for; ``landed`` is what its leader brings, or None for "look again"."""

    owner: object
    leads: bool = True
    brings: _Brought | None = None
    landed: Future[_Brought | None] = field(default_factory=Future)


class Flights(Generic[_Brought]):
    """The computations that are under way, by key.

    Examples
    --------
    >>> flights = Flights()
    >>> leader, other = flights.board("key", "me"), flights.board("key", "you")
    >>> with flights.leading("key", leader):
    ...     leader.brings = 42
    >>> other.leads, other.landed.result()
    (False, 42)
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[_Brought]] = {}
        self._lock = threading.Lock()

    def board(self, key: Hashable, owner: object) -> Flight[_Brought] | None:
        """Join the computation of this key, or lead one; None if this owner leads it already.

        ``owner`` is what can't wait for itself: a thread's number or an asyncio task.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight(owner)
                # From here on a waiter that is cancelled can't cancel the computation for the others.
                flight.landed.set_running_or_notify_cancel()
                return flight
        return None if flight.owner == owner else Flight(flight.owner, leads=False, landed=flight.landed)

    @contextmanager
    def leading(self, key: Hashable, flight: Flight[_Brought]) -> Iterator[None]:
        """End a flight, whatever happens: those who wait get the answer, the exception, or look again."""
        try:
            yield
        except Exception as error:
            flight.landed.set_exception(error)
            raise
        else:
            flight.landed.set_result(flight.brings)
        finally:
            with self._lock:
                del self._flights[key]
            if not flight.landed.done():  # interrupted or cancelled: that was meant for the leader alone
                flight.landed.set_result(None)
