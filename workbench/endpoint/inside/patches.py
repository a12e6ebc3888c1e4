"""Fixes as they are tried: each changes Django in this process alone, until the next arm."""

from __future__ import annotations

import hashlib
import sys
from contextlib import ExitStack
from types import FunctionType, ModuleType
from typing import Any, Callable, Optional

from .memo import Memo
from .origins import Origins


class Arm:
    """The fixes that are in force in this process."""

    def __init__(self, driver: Any, origins: Origins) -> None:
        self.driver = driver
        self.origins = origins
        self._undo = ExitStack()
        self._lookups: list[dict[str, Any]] = []

    def set(self, patches: list[dict[str, Any]]) -> None:
        """Undo what was in force, and put these patches in force."""
        self._undo.close()
        self._undo = ExitStack()
        self.driver.make_handler()
        self.origins.follow({patch["model"] for patch in patches if patch.get("model")})
        querysets = [patch for patch in patches if patch["do"] in ("relations", "only", "defer")]
        pages = [patch for patch in patches if patch["do"] == "page_relations"]
        if querysets:
            self._change_querysets(querysets)
        if pages:
            self._change_pages(pages)
        for patch in patches:
            if patch not in querysets and patch not in pages:
                getattr(self, "_" + patch["do"])(patch)

    def _at_each_request(self, forget: Callable[..., None]) -> None:
        from django.core.signals import request_started

        request_started.connect(forget, weak=False)
        self._undo.callback(request_started.disconnect, forget)

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        plain = owner.__dict__[name]
        setattr(owner, name, new)
        self._undo.callback(setattr, owner, name, plain)

    def _change_pages(self, patches: list[dict[str, Any]]) -> None:
        """Prefetch for the page alone that is cut from a list of objects that was fetched before."""
        from django.db.models import prefetch_related_objects
        from django.db.models.query import QuerySet

        getitem = QuerySet.__getitem__

        def __getitem__(this: Any, key: Any) -> Any:
            was_fetched = this._result_cache is not None
            found = getitem(this, key)
            if was_fetched and isinstance(key, slice):
                for patch in patches:
                    if _is_of(this, patch):
                        prefetch_related_objects(found, *patch["prefetch"])
            return found

        self._replace(QuerySet, "__getitem__", __getitem__)

    def _change_querysets(self, patches: list[dict[str, Any]]) -> None:
        """Add relations to the querysets of some lines, or limit their columns, just before they are fetched."""
        from django.db.models.query import QuerySet

        fetch_all = QuerySet._fetch_all
        models = {patch["model"] for patch in patches}

        def _fetch_all(this: Any) -> Any:
            if this._result_cache is None and this.model._meta.label in models and this._fields is None:
                for patch in patches:
                    if _is_of(this, patch):
                        _change(this, patch)
            return fetch_all(this)

        self._replace(QuerySet, "_fetch_all", _fetch_all)

    def _memo(self, patch: dict[str, Any]) -> None:
        """Answer equal queries of a request once: what is asked for the second time comes from the first."""
        memo = Memo(self.origins.places, patch["model"], patch["line"])

        def forget(**_: Any) -> None:
            memo.forget()

        self._at_each_request(forget)
        for owner, name, make in memo.hooks():
            self._replace(owner, name, make(owner.__dict__[name]))

    def _preload(self, patch: dict[str, Any]) -> None:
        """Stand in for ``in_bulk``: the first ``get`` by a field fetches what the last request asked for."""
        from django.db.models.query import QuerySet

        wanted: set[Any] = set()
        kept: dict[Any, Any] = {}
        get = QuerySet.get
        model = patch["model"]

        def forget(**_: Any) -> None:
            kept.clear()

        self._at_each_request(forget)

        def _get(this: Any, *args: Any, **options: Any) -> Any:
            if this.model._meta.label != model or args or len(options) != 1 or this.query.where.children:
                return get(this, *args, **options)
            ((name, value),) = options.items()
            try:
                value = this.model._meta.get_field(this.model._meta.pk.name if name == "pk" else name).to_python(value)
            except Exception:
                return get(this, *args, **options)
            if not kept and len(wanted) > 1:
                attribute = "pk" if name == "pk" else name
                for found in this.filter(**{f"{name}__in": list(wanted)}):
                    kept[(name, getattr(found, attribute))] = found
            wanted.add(value)
            if (name, value) not in kept:
                kept[(name, value)] = get(this, *args, **options)
            return kept[(name, value)]

        self._replace(QuerySet, "get", _get)

    def _size(self, patch: dict[str, Any]) -> None:
        """``len(queryset)`` counts, ``bool(queryset)`` asks whether there is one."""
        from django.db.models.query import QuerySet

        sized, truth = QuerySet.__len__, QuerySet.__bool__

        def __len__(this: Any) -> int:
            if this._result_cache is None and _is_of(this, patch):
                return int(this.count())
            return int(sized(this))

        def __bool__(this: Any) -> bool:
            if this._result_cache is None and _is_of(this, patch):
                return bool(this.exists())
            return bool(truth(this))

        self._replace(QuerySet, "__len__", __len__)
        self._replace(QuerySet, "__bool__", __bool__)

    def _kept_count(self, patch: dict[str, Any]) -> None:
        """Stand in for a count that is kept in a cache."""
        from django.db.models.query import QuerySet

        counted, kept = QuerySet.count, list[int]()

        def count(this: Any) -> int:
            if this._result_cache is not None or not _is_of(this, patch):
                return int(counted(this))
            if not kept:
                kept.append(int(counted(this)))
            return kept[0]

        self._replace(QuerySet, "count", count)

    def _counts(self, patch: dict[str, Any]) -> None:
        """Count what is related to each object of a queryset by one grouped query, when these are fetched."""
        from django.apps import apps
        from django.db.models import Count
        from django.db.models.query import QuerySet

        model = apps.get_model(patch["model"])
        name, related = _query_name(model, patch["relation"])
        fetch_all, counted = QuerySet._fetch_all, QuerySet.count

        def _fetch_all(this: Any) -> Any:
            fresh = this._result_cache is None and _is_of(this, patch)
            fetch_all(this)
            if fresh and this._result_cache and this._fields is None:
                keys = [one.pk for one in this._result_cache]
                grouped = model._base_manager.using(this.db).filter(pk__in=keys).values_list("pk")
                found = dict(grouped.annotate(Count(name, distinct=False)).order_by())
                for one in this._result_cache:
                    one._state.wb_count = found.get(one.pk, 0)
            return None

        def count(this: Any) -> int:
            owner = this._hints.get("instance")
            if this.model is related and this._result_cache is None and isinstance(owner, model):
                known = getattr(owner._state, "wb_count", None)
                if known is not None and len(this.query.where.children) <= 1 and not this.query.is_sliced:
                    return int(known)
            return int(counted(this))

        self._replace(QuerySet, "_fetch_all", _fetch_all)
        self._replace(QuerySet, "count", count)

    def _limit(self, patch: dict[str, Any]) -> None:
        """Fetch the first rows alone."""
        from django.db.models.query import QuerySet

        fetch_all = QuerySet._fetch_all

        def _fetch_all(this: Any) -> Any:
            if this._result_cache is None and not this.query.is_sliced and _is_of(this, patch):
                this.query.set_limits(high=patch["rows"])
            return fetch_all(this)

        self._replace(QuerySet, "_fetch_all", _fetch_all)

    def _keyset(self, patch: dict[str, Any]) -> None:
        """Stand in for a page that begins behind the last key of the one before: the first request tells that key."""
        from django.db.models import Q
        from django.db.models.query import QuerySet

        fetch_all = QuerySet._fetch_all
        name, descends = patch["order"]
        first_keys: dict[int, Any] = {}

        def _fetch_all(this: Any) -> Any:
            query, offset = this.query, this.query.low_mark
            if this._result_cache is not None or not offset or not _is_of(this, patch):
                return fetch_all(this)
            if offset not in first_keys:
                fetch_all(this)
                if this._result_cache and this._fields is None:
                    first_keys[offset] = getattr(this._result_cache[0], name)
                return None
            size = None if query.high_mark is None else query.high_mark - offset
            query.clear_limits()
            query.add_q(Q(**{f"{name}__{'lte' if descends else 'gte'}": first_keys[offset]}))
            query.set_limits(high=size)
            return fetch_all(this)

        self._replace(QuerySet, "_fetch_all", _fetch_all)

    def _kept_node(self, patch: dict[str, Any]) -> None:
        """Keep what a part of a template makes, for one request or for all: the loader keeps the part itself."""
        from django.template.base import Node

        render = Node.render_annotated
        kept: list[Any] = []

        def forget(**_: Any) -> None:
            kept.clear()

        def is_it(this: Any) -> bool:
            place = getattr(this, "token", None), getattr(getattr(this, "origin", None), "name", "")
            known = type(this).__name__, getattr(place[0], "lineno", 0), str(place[1])
            return known == (patch["node"], patch["line"], patch["template"])

        def find(this: Any, context: Any) -> Any:
            if not is_it(this):
                return render(this, context)

            def again(context: Any) -> Any:
                if not kept:
                    kept.append(render(this, context))
                return kept[0]

            Node.render_annotated = render  # found: to look on would cost
            this.render_annotated = again
            self._undo.callback(this.__dict__.pop, "render_annotated", None)
            return again(context)

        self._replace(Node, "render_annotated", find)
        if patch["once"]:
            self._at_each_request(forget)

    def _persistent(self, patch: dict[str, Any]) -> None:
        """Keep the connection to a database from request to request."""
        from django.db import connections

        connection = connections[patch["alias"]]
        plain = connection.settings_dict["CONN_MAX_AGE"]

        def keep_for(seconds: Optional[int]) -> None:
            connection.settings_dict["CONN_MAX_AGE"] = seconds
            connection.close()

        keep_for(600)
        self._undo.callback(keep_for, plain)

    def _no_prefetch(self, patch: dict[str, Any]) -> None:
        from django.db.models.query import QuerySet

        fetch_all = QuerySet._fetch_all
        unused = set(patch["lookups"])

        def _fetch_all(this: Any) -> Any:
            if this._result_cache is None and this._prefetch_related_lookups and _is_of(this, patch):
                this._prefetch_related_lookups = tuple(
                    one
                    for one in this._prefetch_related_lookups
                    if str(getattr(one, "prefetch_to", one)).partition("__")[0] not in unused
                )
            return fetch_all(this)

        self._replace(QuerySet, "_fetch_all", _fetch_all)

    def _index(self, patch: dict[str, Any]) -> None:
        """Make an index on the copy, and drop it in the end."""
        from django.db import connection

        quote = connection.ops.quote_name
        columns = ", ".join(map(quote, patch["columns"]))
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE INDEX workbench_try ON {quote(patch['table'])} ({columns})")

        def drop() -> None:
            with connection.cursor() as cursor:
                cursor.execute("DROP INDEX workbench_try")

        self._undo.callback(drop)

    def _wrap(self, patch: dict[str, Any]) -> None:
        """Put one of Django's own middlewares around all others."""
        from django.conf import settings
        from django.core.cache import caches

        plain = list(settings.MIDDLEWARE)
        settings.MIDDLEWARE = [*patch["first"], *plain, *patch.get("last", [])]
        kept_s = settings.CACHE_MIDDLEWARE_SECONDS
        settings.CACHE_MIDDLEWARE_SECONDS = 600
        try:
            caches[settings.CACHE_MIDDLEWARE_ALIAS].clear()
            self.driver.make_handler()
        finally:
            settings.MIDDLEWARE, settings.CACHE_MIDDLEWARE_SECONDS = plain, kept_s
        self._undo.callback(caches[settings.CACHE_MIDDLEWARE_ALIAS].clear)

    def _session_engine(self, patch: dict[str, Any]) -> None:
        from django.conf import settings

        plain = settings.SESSION_ENGINE
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
        try:
            self.driver.make_handler()
        finally:
            settings.SESSION_ENGINE = plain

    def _cached_loader(self, patch: dict[str, Any]) -> None:
        from django.template import engines
        from django.template.backends.django import DjangoTemplates
        from django.template.loaders.cached import Loader

        for backend in engines.all():
            if isinstance(backend, DjangoTemplates):
                plain = backend.engine.template_loaders
                if any(isinstance(loader, Loader) for loader in plain):
                    continue
                cached = Loader(backend.engine, [])
                cached.loaders = plain
                backend.engine.__dict__["template_loaders"] = [cached]
                self._undo.callback(backend.engine.__dict__.__setitem__, "template_loaders", plain)

    def _cached_function(self, patch: dict[str, Any]) -> None:
        """Keep what a function of a module returns in Django's cache, for each of its arguments."""
        from django.core.cache import cache

        plain = _function_at(patch["function"], patch["name"])

        def cached(*args: Any, **options: Any) -> Any:
            asked = hashlib.sha256(repr((patch["name"], args, options)).encode()).hexdigest()
            return cache.get_or_set(f"workbench-{asked}", lambda: plain(*args, **options), 600)

        for module in list(sys.modules.values()):
            for name, value in list(vars(module).items()) if isinstance(module, ModuleType) else ():
                if value is plain:
                    self._replace(module, name, cached)
        self._undo.callback(cache.clear)


def _query_name(model: Any, accessor: str) -> tuple[str, Any]:
    """Return what queries call a relation, and the model at its other end."""
    for field in model._meta.get_fields():
        called = field.get_accessor_name() if hasattr(field, "get_accessor_name") else field.name
        if called == accessor and field.related_model is not None:
            return field.name, field.related_model
    raise LookupError(f"{model.__name__} has no relation {accessor}")


def _is_of(queryset: Any, patch: dict[str, Any]) -> bool:
    """Say whether a queryset is the one of a patch: of its model, made at its line."""
    line: Optional[Any] = patch.get("line")
    if queryset.model._meta.label != patch["model"]:
        return False
    if "sliced" in patch and patch["sliced"] != queryset.query.is_sliced:
        return False
    made, last = queryset.__dict__.get("_wb_born"), queryset.__dict__.get("_wb_line")
    if "last" in patch and (list(last) if last else None) != patch["last"]:
        return False
    return (list(made) if made else None) == line


def _function_at(line: list[Any], name: str) -> Callable[..., Any]:
    """Return the function of a module that begins at a line.

    Raises
    ------
    LookupError
        It is a method, is made anew for each request, or hides behind a decorator.
    """
    for module in list(sys.modules.values()):
        found = getattr(module, name, None) if isinstance(module, ModuleType) else None
        if isinstance(found, FunctionType) and [found.__code__.co_filename, found.__code__.co_firstlineno] == line:
            return found
    raise LookupError(f"{name} is no plain function of a module: keep what it returns by hand")


def _change(queryset: Any, patch: dict[str, Any]) -> None:
    query = queryset.query
    if patch.get("all"):
        query.clear_deferred_loading()
    elif patch.get("fields") is not None:
        query.add_immediate_loading(patch["fields"])
    known = query.select_related
    if patch.get("select") and known is not True:
        query.select_related = known or {}
        fields = [*_paths(known or {}), *patch["select"]]
        query.add_select_related(fields)
    if patch.get("prefetch"):
        have = {str(getattr(one, "prefetch_to", one)) for one in queryset._prefetch_related_lookups}
        new = tuple(one for one in patch["prefetch"] if one not in have)
        queryset._prefetch_related_lookups = (*queryset._prefetch_related_lookups, *new)


def _paths(tree: dict[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for name, below in tree.items():
        path = f"{above}__{name}" if above else name
        found += [path, *_paths(below, path)]
    return found
