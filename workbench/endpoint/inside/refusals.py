"""What the study kept from happening: how often, and which of it made a view fail."""

from __future__ import annotations

from typing import Any, Optional

#: How often each effect was kept from happening, or happened on the copy.
counts: dict[str, int] = {}
#: The first places that were refused, for a note.
refused: dict[str, str] = {}


class Refusal(OSError):  # noqa: N818
    """Raised in the project where the study refuses something; ``does`` it to ``asks``."""

    def __init__(self, *args: Any, asks: str, does: str = "asks") -> None:
        super().__init__(*args)
        self.asks, self.does = asks, does


class RefusedAct(Refusal, PermissionError):  # noqa: N818
    """A program, a signal or a file to write that the study refuses."""


def count(effect: str, where: str = "") -> None:
    """Count an effect."""
    counts[effect] = counts.get(effect, 0) + 1
    if where:
        refused.setdefault(effect, where)


def cause_of(failure: Optional[BaseException]) -> dict[str, str]:
    """Return what the study refused, where a failure comes of that."""
    seen: set[int] = set()
    while failure is not None and id(failure) not in seen:
        if isinstance(failure, Refusal):
            return {"does": failure.does, "asks": failure.asks}
        seen.add(id(failure))
        reason = getattr(failure, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        failure = failure.__cause__ or inner or failure.__context__
    return {}
