"""What a program of the corpus is known to be bound by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Label:
    """The truth about one program.

    ``shares`` are parts of the wall time that its duty cycle fixes; ``waits`` are ``(kind, what its target holds,
    function that waits)``. Where a program fixes no single answer, several verdicts or parts are right.
    """

    verdict: tuple[str, ...]
    bound_by: tuple[str, ...]
    shares: dict[str, float] = field(default_factory=dict)
    wait: tuple[str, str, str] | None = None


#: The truth by the name of the program.
LABELS: dict[str, Label] = {}


def known(
    verdict: str, bound_by: str, *, wait: tuple[str, str, str] | None = None, **shares: float
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Label a program: ``@known("IO-bound", "network", wait=("network", "SITE", "fetch"))``; ``|`` means or."""

    def note(program: Callable[..., Any]) -> Callable[..., Any]:
        LABELS[program.__name__] = Label(tuple(verdict.split("|")), tuple(bound_by.split("|")), shares, wait)
        return program

    return note
