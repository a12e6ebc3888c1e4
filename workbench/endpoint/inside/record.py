"""Record one request: every query and fetch, who caused it, and where the time went.

What is recorded holds no parameters, bodies or cookies: queries are known by fingerprints, and equal ones by numbers.
"""

from __future__ import annotations

import inspect
import re
import time
from contextlib import ExitStack
from typing import Any, Callable, Optional

from .places import Places, Where
from .refusals import count

#: More events than this are counted, not kept.
MOST_EVENTS = 20_000
#: The database is asked for so many plans.
MOST_PLANS = 50
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_MANY = re.compile(r"\((?:\s*%s\s*,)+\s*%s\s*\)")
_WRITE = re.compile(
    r"\s*(?:insert|update|delete|replace|merge|create|drop|alter|truncate|copy|call)\b"
    r"|\s*with\b.*\b(?:insert\s+into|update|delete\s+from)\b",
    re.IGNORECASE | re.DOTALL,
)
_SAVEPOINT = re.compile(r"\s*(?:savepoint|release|rollback|begin|commit|set\b|show\b|pragma)", re.IGNORECASE)


def fingerprint(sql: str) -> str:
    """Return SQL without what was asked for."""
    return _MANY.sub("(%s, …)", _LITERAL.sub("?", sql))


class Clock:
    """Wall and CPU seconds by what is at work: each second counts once, for the innermost."""

    def __init__(self) -> None:
        self.stack = ["middleware"]
        self.parts: dict[str, list[float]] = {}
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def _tick(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        part = self.parts.setdefault(self.stack[-1], [0.0, 0.0])
        part[0] += wall - self.wall
        part[1] += cpu - self.cpu
        self.wall, self.cpu = wall, cpu

    def push(self, part: str) -> None:
        """Begin a part."""
        self._tick()
        self.stack.append(part)

    def pop(self) -> None:
        """End it."""
        self._tick()
        self.stack.pop()


class Recorder:
    """The events of one request; used in ``with``, it hooks Django while it lasts."""

    def __init__(self, places: Places, explain: bool = True) -> None:
        self.places = places
        self.explain = explain
        self.clock = Clock()
        self.fetches: list[dict[str, Any]] = []
        self.queries: list[dict[str, Any]] = []
        self.accesses: list[dict[str, Any]] = []
        self.upstream: list[dict[str, Any]] = []
        self.connects: list[dict[str, Any]] = []
        self.nodes: dict[tuple[str, int, str], list[Any]] = {}
        self.used: set[tuple[int, str]] = set()
        self.deferred: dict[int, dict[str, Any]] = {}
        self.uses: dict[int, dict[str, Any]] = {}
        self.response: Any = None
        self.lists: list[dict[str, Any]] = []
        self._prefetching = 0
        self._context_files = _context_files()
        self._fetching: list[int] = []
        self._relations: list[tuple[int, str, str, int]] = []
        self._nodes: list[Any] = []
        self._same: dict[Any, int] = {}
        self._slow: dict[str, tuple[float, str, Any, str]] = {}
        self._undo = ExitStack()

    # What is hooked.

    def patch(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute by what ``make`` makes of it, until the end."""
        plain = owner.__dict__[name]
        setattr(owner, name, make(plain))
        self._undo.callback(setattr, owner, name, plain)

    def __enter__(self) -> Recorder:
        self._hook_querysets()
        self._hook_relations()
        self._hook_templates()
        self._hook_others()
        self._hook_connections()
        self.clock.__init__()  # type: ignore[misc]
        return self

    def __exit__(self, *_: Any) -> None:
        self.clock.push("end")
        self._undo.close()

    def _hook_connections(self) -> None:
        from django.db.backends.base.base import BaseDatabaseWrapper
        from django.db.backends.utils import CursorWrapper

        def connecting(plain: Any) -> Any:
            def connect(this: Any) -> Any:
                self.clock.push("connecting")
                wall, cpu = time.perf_counter(), time.process_time()
                try:
                    return plain(this)
                finally:
                    self.clock.pop()
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    self.connects.append({"alias": this.alias, "wall_s": wall, "cpu_s": cpu})

            return connect

        def executing(plain: Any) -> Any:
            def _execute_with_wrappers(this: Any, sql: Any, params: Any, many: bool, executor: Any) -> Any:
                self.clock.push("sql")
                wall, cpu = time.perf_counter(), time.process_time()
                try:
                    return plain(this, sql, params, many, executor)
                finally:
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    self.clock.pop()
                    self.clock.push("hooks")
                    self._note_query(str(sql), params, wall, cpu, this.db.alias)
                    self.clock.pop()

            return _execute_with_wrappers

        self.patch(BaseDatabaseWrapper, "connect", connecting)
        self.patch(CursorWrapper, "_execute_with_wrappers", executing)

    def _note_query(self, sql: str, params: Any, wall: float, cpu: float, alias: str) -> None:
        if len(self.queries) >= MOST_EVENTS or _SAVEPOINT.match(sql):
            return
        where = self.places.where(3)
        relation = self._relations[-1] if self._relations else None
        mark = fingerprint(sql)
        writes = bool(_WRITE.match(sql))
        self.queries.append(
            {
                "sql": mark,
                "same": self._same.setdefault((sql, repr(params)), len(self._same)),
                "wall_s": wall,
                "cpu_s": cpu,
                "writes": writes,
                "relation": relation and relation[:3],
                "fetch": self._fetching[-1] if self._fetching else None,
                **self._place(where),
            }
        )
        if not writes and (mark not in self._slow or self._slow[mark][0] < wall):
            self._slow[mark] = (wall, sql, params, alias)

    def _place(self, where: Where) -> dict[str, Any]:
        template, line = self._template()
        if where.line and where.line[0] in self._context_files and where.layer == "view":
            where.site = "context_processor"
        elif where.site == "property" and where.line and where.line[2].startswith("__"):
            where.site = "template"
        site = where.site if where.layer == "view" or where.site == "context_processor" else ""
        return {"line": where.line, "layer": where.layer, "site": site, "template": template, "template_line": line}

    def _template(self) -> tuple[str, int]:
        for node in reversed(self._nodes):
            name = str(getattr(getattr(node, "origin", None), "name", "") or "")
            token = getattr(node, "token", None)
            if token is not None and name and self.places.kind(name) != 3:
                return name, int(token.lineno)
        return "", 0

    # Querysets.

    def _begin_fetch(self, queryset: Any, how: str) -> int:
        where = self.places.where(3)
        made = queryset.__dict__
        query = queryset.query
        relation = made.get("_wb_relation") or (self._relations[-1] if self._relations else None)
        number = len(self.fetches)
        self.fetches.append(
            {
                "model": queryset.model._meta.label,
                "made": made.get("_wb_born"),
                "last": made.get("_wb_line"),
                "how": how,
                "rows": 0,
                "page": None,
                "parent": relation and relation[:3],
                "prefetch": bool(relation and relation[3]),
                "sliced": query.is_sliced,
                "offset": query.low_mark,
                "selects": _selected(query),
                "prefetches": [str(getattr(one, "prefetch_to", one)) for one in queryset._prefetch_related_lookups],
                "made_s": made.get("_wb_made_s", 0.0),
                "only": not query.deferred_loading[1] or bool(query.deferred_loading[0]),
                "wall_s": 0.0,
                "cpu_s": 0.0,
                "plain": queryset._fields is None,
                "filters": _filters(query),
                "orders": _orders(query),
                "unique_order": _unique_order(query),
                "columns": [field.attname for field in queryset.model._meta.concrete_fields],
                "wide": [field.attname for field in queryset.model._meta.concrete_fields if _is_wide(field)],
                "pk": queryset.model._meta.pk.attname,
                "numbers": [field.attname for field in queryset.model._meta.concrete_fields if _is_number(field)],
                **self._place(where),
            }
        )
        self._fetching.append(number)
        return number

    def _during(self, queryset: Any, how: str, work: Callable[[], Any]) -> Any:
        self.clock.push("hooks")
        number = self._begin_fetch(queryset, how)
        queryset._wb_fetch = number
        self.clock.pop()
        self.clock.push("orm")
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return work()
        finally:
            found = self.fetches[number]
            found["wall_s"], found["cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
            self.clock.pop()
            self._fetching.pop()
            if how == "fetch" and queryset._result_cache is not None:
                found["rows"] = len(queryset._result_cache)

    def _hook_querysets(self) -> None:
        from django.db.models.query import ModelIterable, QuerySet

        def fetch_all(plain: Any) -> Any:
            def _fetch_all(this: Any) -> Any:
                if this._result_cache is not None:
                    return plain(this)
                return self._during(this, "fetch", lambda: plain(this))

            return _fetch_all

        def counted(plain: Any) -> Any:
            def method(this: Any, *args: Any, **options: Any) -> Any:
                if this._result_cache is not None:
                    return plain(this, *args, **options)
                return self._during(this, plain.__name__, lambda: plain(this, *args, **options))

            return method

        def sized(plain: Any) -> Any:
            def size(this: Any) -> Any:
                fresh = this._result_cache is None
                if fresh:
                    where = self.places.where(1)
                    caller = self.places.where(1) if where.direct else where
                found = plain(this)
                if fresh:
                    self.accesses.append(
                        {
                            "how": plain.__name__,
                            "fetch": this.__dict__.get("_wb_fetch"),
                            "direct": where.direct,
                            **self._place(caller),
                        }
                    )
                return found

            return size

        def used(plain: Any) -> Any:
            def use(this: Any, *args: Any) -> Any:
                found = plain(this, *args)
                number = this.__dict__.get("_wb_fetch")
                if number is not None:
                    self.uses.setdefault(number, {})[plain.__name__] = True
                return found

            return use

        def cut(plain: Any) -> Any:
            def __getitem__(this: Any, key: Any) -> Any:
                was_fetched = this._result_cache is not None
                found = plain(this, key)
                number = this.__dict__.get("_wb_fetch")
                if was_fetched and isinstance(key, slice) and number is not None:
                    self.fetches[number]["page"] = [key.start or 0, len(found)]
                return found

            return __getitem__

        def iterate(plain: Any) -> Any:
            def __iter__(this: Any) -> Any:
                queryset = this.queryset
                number = queryset.__dict__.get("_wb_fetch")
                alone = number is None
                if alone:
                    number = self._begin_fetch(queryset, "iterator")
                    self._fetching.pop()
                rows = 0
                for instance in plain(this):
                    rows += 1
                    instance._state.wb = (number, "")
                    yield instance
                if alone:
                    self.fetches[number]["rows"] = rows

            return __iter__

        def filtered(plain: Any) -> Any:
            def _filter_or_exclude(this: Any, *args: Any, **options: Any) -> Any:
                cpu = time.process_time()
                made = plain(this, *args, **options)
                made._wb_made_s = this.__dict__.get("_wb_made_s", 0.0) + time.process_time() - cpu
                return made

            return _filter_or_exclude

        def whole(plain: Any) -> Any:
            def ask(this: Any, *args: Any, **options: Any) -> Any:
                wall, cpu = time.perf_counter(), time.process_time()
                before = len(self.queries)
                try:
                    return plain(this, *args, **options)
                finally:
                    for query in self.queries[before : before + 1]:
                        query["all_wall_s"] = time.perf_counter() - wall
                        query["all_cpu_s"] = time.process_time() - cpu + this.__dict__.get("_wb_made_s", 0.0)

            return ask

        self.patch(QuerySet, "_filter_or_exclude", filtered)
        for name in ("get", "first", "last"):
            self.patch(QuerySet, name, whole)
        self.patch(QuerySet, "_fetch_all", fetch_all)
        for name in ("count", "exists", "aggregate"):
            self.patch(QuerySet, name, counted)
        for name in ("__len__", "__bool__"):
            self.patch(QuerySet, name, sized)
        for name in ("__iter__", "__getitem__"):
            self.patch(QuerySet, name, used)
        self.patch(QuerySet, "__getitem__", cut)
        self.patch(ModelIterable, "__iter__", iterate)

    # Relations.

    def _hook_relations(self) -> None:
        import django.db.models.query as module
        from django.db.models.fields import related_descriptors as related
        from django.db.models.query_utils import DeferredAttribute

        def forward(plain: Any) -> Any:
            def __get__(this: Any, instance: Any, cls: Any = None) -> Any:
                if instance is None:
                    return plain(this, instance, cls)
                kind = "inheritance" if this.field.remote_field.parent_link else "fk"
                return self._follow(plain, this, instance, cls, this.field.name, kind, this.is_cached(instance))

            return __get__

        def backward(plain: Any) -> Any:
            def __get__(this: Any, instance: Any, cls: Any = None) -> Any:
                if instance is None:
                    return plain(this, instance, cls)
                kind = "inheritance" if this.related.field.remote_field.parent_link else "one"
                name = this.related.get_accessor_name()
                return self._follow(plain, this, instance, cls, name, kind, this.is_cached(instance))

            return __get__

        def many(plain: Any) -> Any:
            def __get__(this: Any, instance: Any, cls: Any = None) -> Any:
                manager = plain(this, instance, cls)
                if instance is None:
                    return manager
                source = getattr(instance._state, "wb", None)
                if source is not None:
                    self._follow_many(manager, instance, source, *_name_of(this))
                return manager

            return __get__

        def deferred(plain: Any) -> Any:
            def __get__(this: Any, instance: Any, cls: Any = None) -> Any:
                if instance is None or this.field.attname in instance.__dict__:
                    return plain(this, instance, cls)
                source = getattr(instance._state, "wb", None)
                if source is None:
                    return plain(this, instance, cls)
                name = this.field.attname
                noted = self.deferred.setdefault(source[0], {})
                reads = noted.setdefault(name, {"objects": set(), "lines": {}})
                reads["objects"].add(instance.pk)
                where = self.places.where(1)
                place = self._place(where)
                key = (place["line"], place["template"], place["template_line"])
                reads["lines"][key] = reads["lines"].get(key, 0) + 1
                self._relations.append((source[0], _joined(source[1], name), "deferred", 0))
                try:
                    return plain(this, instance, cls)
                finally:
                    self._relations.pop()

            return __get__

        def prefetch(plain: Any) -> Any:
            def prefetch_one_level(instances: Any, prefetcher: Any, lookup: Any, level: int) -> Any:
                source = getattr(instances[0]._state, "wb", None) if instances else None
                if source is None:
                    return plain(instances, prefetcher, lookup, level)
                name = lookup.prefetch_to.split("__")[level]
                self._relations.append((source[0], _joined(source[1], name), "prefetch", 1))
                self._prefetching += 1
                try:
                    return plain(instances, prefetcher, lookup, level)
                finally:
                    self._relations.pop()
                    self._prefetching -= 1

            return prefetch_one_level

        self.patch(related.ForwardManyToOneDescriptor, "__get__", forward)
        self.patch(related.ReverseOneToOneDescriptor, "__get__", backward)
        self.patch(related.ReverseManyToOneDescriptor, "__get__", many)
        self.patch(DeferredAttribute, "__get__", deferred)
        self.patch(module, "prefetch_one_level", prefetch)
        try:
            from django.contrib.contenttypes.fields import GenericForeignKey
        except Exception:  # the app is not installed
            return

        def generic(plain: Any) -> Any:
            def __get__(this: Any, instance: Any, cls: Any = None) -> Any:
                if instance is None:
                    return plain(this, instance, cls)
                return self._follow(plain, this, instance, cls, this.name, "generic", this.is_cached(instance))

            return __get__

        descriptor = GenericForeignKey
        if "__get__" not in GenericForeignKey.__dict__:
            from django.contrib.contenttypes import fields

            descriptor = getattr(fields, "GenericForeignKeyDescriptor", None)
        if descriptor is not None and "__get__" in descriptor.__dict__:
            self.patch(descriptor, "__get__", generic)

    def _follow(self, plain: Any, this: Any, instance: Any, cls: Any, name: str, kind: str, cached: bool) -> Any:
        source = getattr(instance._state, "wb", None)
        if source is None:
            return plain(this, instance, cls)
        path = _joined(source[1], name)
        if not self._prefetching:
            self.used.add((source[0], path))
        if cached:
            found = plain(this, instance, cls)
        else:
            self._relations.append((source[0], path, kind, 0))
            self.clock.push("orm")
            wall, cpu = time.perf_counter(), time.process_time()
            before = len(self.queries)
            try:
                found = plain(this, instance, cls)
            finally:
                self.clock.pop()
                self._relations.pop()
                for query in self.queries[before : before + 1]:
                    query["all_wall_s"], query["all_cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
        state = getattr(found, "_state", None)
        if state is not None and (cached is False or not hasattr(state, "wb")):
            state.wb = (source[0], path)
        return found

    def _follow_many(self, manager: Any, instance: Any, source: Any, name: str, kind: str) -> None:
        path = _joined(source[1], name)
        plain = manager.get_queryset

        def get_queryset() -> Any:
            if not self._prefetching:
                self.used.add((source[0], path))
            cpu = time.process_time()
            made = plain()
            made._wb_made_s = 2 * (time.process_time() - cpu)  # the manager itself costs as much again
            if made._result_cache is None:
                made._wb_relation = (source[0], path, kind, 0)
            return made

        manager.get_queryset = get_queryset

    # Templates and the rest.

    def _hook_templates(self) -> None:
        from django.template.base import Node, Template

        def render(plain: Any) -> Any:
            def render_annotated(this: Any, context: Any) -> Any:
                self._nodes.append(this)
                self.clock.push("templates")
                wall, made = time.perf_counter(), None
                try:
                    made = plain(this, context)
                    return made
                finally:
                    wall = time.perf_counter() - wall
                    self.clock.pop()
                    self._nodes.pop()
                    token = getattr(this, "token", None)
                    origin = getattr(this, "origin", None)
                    if token is not None and origin is not None:
                        key = (str(origin.name), int(token.lineno), type(this).__name__)
                        noted = self.nodes.setdefault(key, [0, 0.0, _is_builtin(this), made, True])
                        noted[0] += 1
                        noted[1] += wall
                        noted[4] = noted[4] and made == noted[3]

            return render_annotated

        self.patch(Node, "render_annotated", render)
        self.patch(Template, "render", self._timed("templates"))

    def _timed(self, part: str) -> Callable[[Any], Any]:
        def make(plain: Any) -> Any:
            def work(*args: Any, **options: Any) -> Any:
                self.clock.push(part)
                try:
                    return plain(*args, **options)
                finally:
                    self.clock.pop()

            return work

        return make

    def _awaited(self, view: Any) -> Any:
        async def work(*args: Any, **options: Any) -> Any:
            self.clock.push("view")
            try:
                return await view(*args, **options)
            finally:
                self.clock.pop()

        return work

    def _counted(self, effect: str) -> Callable[[Any], Any]:
        def make(plain: Any) -> Any:
            def work(*args: Any, **options: Any) -> Any:
                count(effect)
                return plain(*args, **options)

            return work

        return make

    def _listed(self, plain: Any) -> Any:
        timed = self._timed("serialisation")(plain)

        def to_representation(this: Any, data: Any) -> Any:
            wall = time.perf_counter()
            found = timed(this, data)
            wall = time.perf_counter() - wall
            self.lists.append({"rows": len(found), "wall_s": wall, **self._place(self.places.where(1))})
            return found

        return to_representation

    def _hook_others(self) -> None:
        import http.client
        import json

        from django.core.cache.backends.locmem import LocMemCache
        from django.core.handlers.base import BaseHandler

        def view(plain: Any) -> Any:
            def make_view_atomic(this: Any, callback: Any) -> Any:
                made = plain(this, callback)
                return self._awaited(made) if inspect.iscoroutinefunction(made) else self._timed("view")(made)

            return make_view_atomic

        self.patch(BaseHandler, "make_view_atomic", view)
        self.patch(json, "dumps", self._timed("serialisation"))
        for name in ("get", "set", "add", "delete"):
            self.patch(LocMemCache, name, self._timed("cache"))
        self.patch(LocMemCache, "incr", self._counted("cache counters"))
        try:
            from rest_framework.renderers import JSONRenderer
            from rest_framework.serializers import ListSerializer, Serializer
        except Exception:
            pass
        else:
            self.patch(ListSerializer, "to_representation", self._listed)
            self.patch(Serializer, "to_representation", self._timed("serialisation"))
            self.patch(JSONRenderer, "render", self._timed("serialisation"))

        def request(plain: Any) -> Any:
            def ask(this: Any, *args: Any, **options: Any) -> Any:
                this._wb_began = time.perf_counter()
                return plain(this, *args, **options)

            return ask

        def response(plain: Any) -> Any:
            def getresponse(this: Any, *args: Any, **options: Any) -> Any:
                self.clock.push("upstream")
                try:
                    return plain(this, *args, **options)
                finally:
                    self.clock.pop()
                    began = getattr(this, "_wb_began", time.perf_counter())
                    frames = self.places.stack(1)
                    self.upstream.append(
                        {
                            "wall_s": time.perf_counter() - began,
                            "began_s": began,
                            "frames": frames,
                            "lines": [[one.f_code.co_filename, one.f_lineno] for one in frames],
                            **self._place(self.places.where(1)),
                        }
                    )

            return getresponse

        def responded(plain: Any) -> Any:
            def __init__(this: Any, *args: Any, **options: Any) -> None:
                plain(this, *args, **options)
                where = self.places.where(1)
                if where.layer == "view" and where.line is not None:
                    self.response = where.line

            return __init__

        from django.http.response import HttpResponseBase

        self.patch(HttpResponseBase, "__init__", responded)
        self.patch(http.client.HTTPConnection, "putrequest", request)
        self.patch(http.client.HTTPConnection, "getresponse", response)

    # What came out.

    def found(self) -> dict[str, Any]:
        """Return what was recorded as plain data."""
        nodes = [
            {
                "template": name,
                "line": line,
                "node": node,
                "times": noted[0],
                "wall_s": noted[1],
                "builtin": noted[2],
                "same": noted[4],
            }
            for (name, line, node), noted in self.nodes.items()
            if self.places.kind(name) != 3
        ]
        return {
            "fetches": self.fetches,
            "queries": self.queries,
            "accesses": self.accesses,
            "connects": self.connects,
            "upstream": _looped(self.upstream),
            "response": self.response,
            "lists": self.lists,
            "used": sorted(self.used),
            "uses": {str(number): sorted(known) for number, known in self.uses.items()},
            "nodes": sorted(nodes, key=lambda node: -float(node["wall_s"]))[:200],
            "parts": {name: times for name, times in self.clock.parts.items() if name != "hooks"},
            "deferred": {
                str(number): {
                    name: {
                        "objects": len(reads["objects"]),
                        "lines": [[*key, times] for key, times in reads["lines"].items()],
                    }
                    for name, reads in noted.items()
                }
                for number, noted in self.deferred.items()
            },
        }

    def plans(self) -> dict[str, Any]:
        """Ask the database how it does the slowest query of each fingerprint, when the request is over."""
        from django.db import connections

        found: dict[str, Any] = {}
        for mark, (_, sql, params, alias) in list(self._slow.items())[:MOST_PLANS]:
            connection = connections[alias]
            word = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}.get(connection.vendor)
            if word is None:
                continue
            try:
                with connection.cursor() as cursor:
                    cursor.execute(word + sql, params)
                    found[mark] = [str(row[-1]) for row in cursor.fetchall()]
            except Exception:
                continue
        return found


def _context_files() -> set[str]:
    """Return the files of the project's context processors."""
    from django.template import engines

    found = set()
    for backend in engines.all():
        for processor in getattr(getattr(backend, "engine", None), "template_context_processors", ()):
            code = getattr(processor, "__code__", None)
            if code is not None:
                found.add(code.co_filename)
    return found


def _is_builtin(node: Any) -> bool:
    """Say whether a node of a template is one of Django's own that only arranges others."""
    module, name = type(node).__module__, type(node).__name__
    return module.startswith("django.") and name not in ("IncludeNode", "InclusionNode", "SimpleNode")


def _looped(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each call the line of the innermost code that made all of them: where the loop is."""
    common = set.intersection(*({id(one) for one in call["frames"]} for call in calls)) if calls else set()
    for call in calls:
        frames, lines = call.pop("frames"), call.pop("lines")
        shared = [line for frame, line in zip(frames, lines) if id(frame) in common]  # noqa: B905
        call["loop"] = shared[0] if shared else None
    return calls


def _joined(path: str, name: str) -> str:
    return f"{path}__{name}" if path else name


def _name_of(descriptor: Any) -> tuple[str, str]:
    if hasattr(descriptor, "reverse"):  # many to many
        return (descriptor.rel.get_accessor_name() if descriptor.reverse else descriptor.field.name), "m2m"
    if getattr(descriptor.rel, "related_model", None) is None or not hasattr(descriptor.rel, "get_accessor_name"):
        return descriptor.field.name, "generic"
    name = descriptor.rel.get_accessor_name()
    if type(descriptor).__name__ == "ReverseGenericManyToOneDescriptor":
        return descriptor.field.name, "reverse"
    return name, "reverse"


def _selected(query: Any) -> list[str]:
    known = query.select_related
    return sorted(known) if isinstance(known, dict) else ["*"] if known else []


def _filters(query: Any) -> list[list[str]]:
    """Return the columns of its own table that a query compares: table, column, how."""
    found: list[list[str]] = []

    def walk(node: Any) -> None:
        for child in getattr(node, "children", ()):
            target = getattr(getattr(child, "lhs", None), "target", None)
            if target is not None and hasattr(target, "column"):
                meta = target.model._meta
                found.append([meta.db_table, target.column, child.lookup_name, _indexed(target), meta.label])
            else:
                walk(child)

    walk(query.where)
    return found


def _orders(query: Any) -> list[list[str]]:
    meta = query.get_meta()
    orders = query.order_by or (meta.ordering if query.default_ordering else ()) or ()
    found = []
    for name in orders:
        if not isinstance(name, str):
            continue
        try:
            field = meta.get_field(name.lstrip("-"))
        except Exception:
            continue
        if hasattr(field, "column") and field.column:
            found.append([meta.db_table, field.column, "-" if name[0] == "-" else "", _indexed(field), meta.label])
    return found


def _unique_order(query: Any) -> Optional[list[Any]]:
    """Return the field that alone decides the order, and whether it descends; None where no unique field does."""
    meta = query.get_meta()
    orders = query.order_by or (meta.ordering if query.default_ordering else ()) or ()
    name = orders[0] if orders and isinstance(orders[0], str) else ""
    bare = meta.pk.name if name.lstrip("-") == "pk" else name.lstrip("-")
    fields = {field.name: field for field in meta.concrete_fields}
    if bare not in fields or not fields[bare].unique or not query.standard_ordering:
        return None
    return [fields[bare].attname, name[0] == "-"]


def _indexed(field: Any) -> str:
    """Say whether a column leads an index: ``yes`` or nothing."""
    meta = field.model._meta
    leads = {index.fields_orders[0][0] for index in meta.indexes if index.fields_orders}
    leads |= {names[0] for names in meta.unique_together if names}
    leads |= {names[0] for names in getattr(meta, "index_together", ()) if names}
    leads |= {one.fields[0] for one in meta.constraints if getattr(one, "fields", ())}
    return "yes" if field.db_index or field.unique or field.primary_key or field.name in leads else ""


def _is_wide(field: Any) -> bool:
    return field.get_internal_type() in ("TextField", "JSONField", "BinaryField")


def _is_number(field: Any) -> bool:
    return field.get_internal_type() in (
        "IntegerField",
        "BigIntegerField",
        "SmallIntegerField",
        "PositiveIntegerField",
        "PositiveBigIntegerField",
        "PositiveSmallIntegerField",
        "FloatField",
        "DecimalField",
        "DurationField",
    )
