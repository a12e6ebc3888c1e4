"""Every queryset knows the line of the user's that made it, from the import of the project on."""

from __future__ import annotations

from typing import Any, Optional

from .places import Line, Places


class Origins:
    """Follows querysets from the line that made them; ``models`` limits that to some, None means all."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.models: Optional[set[Any]] = None
        self._plain: Optional[tuple[Any, Any, Any]] = None

    def follow(self, models: Optional[set[str]]) -> None:
        """Follow the querysets of these models alone, by their labels; of none: unhook, for hooks cost time."""
        from django.apps import apps

        self.models = models if models is None else {apps.get_model(label) for label in models}
        if self.models is None or self.models:
            self.install()
        else:
            self.uninstall()

    def uninstall(self) -> None:
        """Undo the hooks."""
        from django.db.models.manager import BaseManager
        from django.db.models.query import QuerySet

        if self._plain is not None:
            QuerySet._chain, BaseManager.get_queryset, BaseManager.all = self._plain
            self._plain = None

    def install(self) -> None:
        """Follow both ways to make a queryset: from a manager, and from another queryset."""
        from django.db.models.manager import BaseManager
        from django.db.models.query import QuerySet

        if self._plain is not None:
            return
        chain, of_manager, all_of = self._plain = QuerySet._chain, BaseManager.get_queryset, BaseManager.all

        def _chain(this: Any) -> Any:
            clone = chain(this)
            if self.models is not None and this.model not in self.models:
                return clone
            made = this.__dict__
            if "_wb_relation" in made:
                clone._wb_relation = made["_wb_relation"]
            if "_wb_made_s" in made:
                clone._wb_made_s = made["_wb_made_s"]
            self._mark(clone, made)
            return clone

        def get_queryset(this: Any) -> Any:
            made = of_manager(this)
            self._mark(made, made.__dict__)
            return made

        def all_(this: Any) -> Any:
            made = all_of(this)
            self._mark(made, made.__dict__)
            return made

        QuerySet._chain, BaseManager.get_queryset, BaseManager.all = _chain, get_queryset, all_

    def _mark(self, queryset: Any, before: dict[str, Any]) -> None:
        """Note the first line and the last: the caller's where it is the user's own, else the one before."""
        if self.models is not None and queryset.model not in self.models:
            return
        last: Optional[Line] = self.places.origin(before.get("_wb_line"), 2)
        queryset._wb_line = last
        queryset._wb_born = before.get("_wb_born") or last
