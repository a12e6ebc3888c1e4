"""What one line asks for again and again, kept for the length of a request.

It stands in for a variable before the loop, so it must cost next to nothing: from the second time on, the line gets
the queryset of the first, which returns itself from whatever it is narrowed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Optional

from .places import Places

_ASKING = ("get", "first", "last", "count", "exists")
_NARROWING = (
    "all", "filter", "exclude", "order_by", "reverse", "distinct", "select_related", "prefetch_related", "only",
    "defer", "annotate", "alias", "using", "complex_filter", "values", "values_list",
)  # fmt: skip


class Memo:
    """Answers of one line about one model; every query of the line was the same one when it was recorded."""

    def __init__(self, places: Places, model: str, line: list[Any]) -> None:
        self.places = places
        self.model = model
        self.line = tuple(line)
        self._answers: dict[str, Any] = {}
        self._queryset: Any = None
        self._classes: dict[Any, Any] = {}

    def forget(self) -> None:
        """Begin a request."""
        self._answers.clear()
        self._queryset = None

    def hooks(self) -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
        """Return what to replace: the owner, the name, and what makes the new from the old."""
        from django.db.models.manager import BaseManager
        from django.db.models.query import QuerySet

        yield QuerySet, "_fetch_all", self._fetching
        for name in _ASKING:
            yield QuerySet, name, self._asking
        for name in ("get_queryset", "all"):
            yield BaseManager, name, self._managing

    def _managing(self, plain: Any) -> Any:
        def make(this: Any) -> Any:
            if self._queryset is not None and this.model._meta.label == self.model and self._is_line(None):
                return self._queryset
            return plain(this)

        return make

    def _is_line(self, before: Optional[tuple[Any, ...]]) -> bool:
        found = self.places.origin(before, 3)
        return found is not None and tuple(found) == self.line

    def _is_here(self, queryset: Any) -> bool:
        if queryset._result_cache is not None or queryset.model._meta.label != self.model:
            return False
        made = queryset.__dict__.get("_wb_line")
        return made == self.line or self._is_line(made)

    def _asking(self, plain: Any) -> Any:
        name = plain.__name__

        def ask(this: Any, *args: Any, **options: Any) -> Any:
            if not self._is_here(this):
                return plain(this, *args, **options)
            if name not in self._answers:
                answer = plain(this, *args, **options)
                self._keep(this)
                self._answers[name] = answer
            return self._answers[name]

        return ask

    def _fetching(self, plain: Any) -> Any:
        def _fetch_all(this: Any) -> Any:
            if not self._is_here(this):
                return plain(this)
            this._result_cache = self._answers.get("rows")
            plain(this)
            self._answers["rows"] = this._result_cache
            self._keep(this)
            return None

        return _fetch_all

    def _keep(self, queryset: Any) -> None:
        """Keep a queryset whose answer is known, as one that can't be narrowed any more."""
        if self._queryset is None:
            kind = type(queryset)
            made = self._classes.get(kind)
            if made is None:
                made = self._classes[kind] = _closed(kind, self._answers)
            self._queryset = made.__new__(made)
            self._queryset.__dict__.update(queryset.__dict__)


def _closed(kind: Any, answers: dict[str, Any]) -> Any:
    """Return a class of querysets that are narrowed already, and whose answers are known."""

    def itself(this: Any, *_: Any, **__: Any) -> Any:
        return this

    def asking(name: str) -> Any:
        def ask(this: Any, *args: Any, **options: Any) -> Any:
            if name not in answers:
                answers[name] = getattr(_open(this), name)(*args, **options)
            return answers[name]

        return ask

    def _open(this: Any) -> Any:
        plain = kind.__new__(kind)
        plain.__dict__.update(this.__dict__)
        return plain

    def _clone(this: Any) -> Any:
        return _open(this)._clone()

    members: dict[str, Any] = dict.fromkeys(_NARROWING, itself)
    members |= {name: asking(name) for name in _ASKING}
    return type("Kept" + kind.__name__, (kind,), {**members, "_clone": _clone})
