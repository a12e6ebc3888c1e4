"""Relations that are followed object by object, and prefetches that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import FEWEST, QUERY_MS, ROW_MS, Trace, around, by, fetch_of, most
from workbench.results import Finding

SINGLE = ("fk", "one", "inheritance")
#: A query costs so much more than is timed around it: signals, garbage and, where many are related, a manager.
BESIDE, BESIDE_MANY = 1.1, 1.3
#: What a number by its key costs of what an object does.
COUNTED = 0.3
_KINDS = {
    "fk": "n_plus_one_fk",
    "one": "n_plus_one_reverse",
    "reverse": "n_plus_one_reverse",
    "m2m": "n_plus_one_m2m",
    "generic": "n_plus_one_generic",
    "inheritance": "n_plus_one_inheritance",
}
_SITES = {
    "context_processor": "n_plus_one_context_processor",
    "method_field": "n_plus_one_method_field",
    "serializer": "n_plus_one_serializer",
}


def n_plus_one(trace: Trace) -> Iterator[Candidate]:
    """Find relations that cost a query for every object of a queryset."""
    followed = []
    for query in trace.queries:
        cause = trace.cause(query)
        if cause is None or cause[2] not in _KINDS or query["writes"]:
            continue
        number, path = trace.root(cause[0], cause[1])
        if trace.fetches[number]["rows"] > 1:
            followed.append((query, number, path, cause[2]))

    def key(item: Any) -> Any:
        query, number, path, kind = item
        fetch = trace.fetches[number]
        return (
            fetch["model"],
            str(fetch["made"]),
            str(fetch["last"]),
            fetch["sliced"],
            path,
            kind,
            query["layer"] == "middleware",
        )

    groups = [group for _, group in by(followed, key) if len(group) >= FEWEST]
    for group in _merged(groups):
        yield _candidate(trace, group)


def _merged(groups: list[list[Any]]) -> list[list[Any]]:
    """Put what leads to a deeper relation of the same objects into its group: one prefetch does both."""
    deepest: list[list[Any]] = []
    for group in sorted(groups, key=lambda group: -group[0][2].count("__")):
        _, number, path, _ = group[0]
        for other in deepest:
            if other[0][1] == number and other[0][2].startswith(path + "__"):
                other.extend(group)
                break
        else:
            deepest.append(list(group))
    return deepest


def _candidate(trace: Trace, group: list[Any]) -> Candidate:
    _, number, path, kind = group[0]
    queries = [item[0] for item in group]
    root = trace.fetches[number]
    outermost = [item[0] for item in group if item[2].count("__") == min(one[2].count("__") for one in group)]
    template, template_line = most([(item["template"], item["template_line"]) for item in outermost])
    file, line = trace.place_of(root)
    fetched = [trace.fetches[item["fetch"]] for item in queries if item["fetch"] is not None]
    filtered = any(len(one["filters"]) > 1 or one["sliced"] for one in fetched) and kind not in (*SINGLE, "generic")
    page_rows = root["page"][1] if root["page"] and root["page"][1] < root["rows"] else 0
    joins = not page_rows and kind in SINGLE and all(step in SINGLE for step in _steps(trace, number, path, kind))
    how = "select_related" if joins else "prefetch_related"
    saved = sum(map(trace.cost_ms, queries)) * (BESIDE if kind in SINGLE else BESIDE_MANY)
    rows = root["rows"] if joins else max(page_rows or root["rows"], sum(one["rows"] for one in fetched))
    counts = "__" not in path and kind in ("reverse", "m2m") and bool(fetched) and not page_rows
    counts = counts and not filtered and all(one["how"] == "count" for one in fetched)
    cost = ROW_MS * (COUNTED * root["rows"] if counts else rows) + (0.0 if joins else QUERY_MS)
    finding = Finding(
        area="database",
        kind=_kind(queries, path, kind),
        file=file,
        line=line,
        template=template,
        template_line=template_line,
        why=f"{len(queries)} queries, one for {path.replace('__', '.')} of each {root['model']}",
        fix=_counted(root["model"], path)
        if counts
        else _fix(root["model"], how, path, filtered, bool(page_rows), trace.view if root["made"] is None else {}),
        **around(saved - cost),
        hazard="" if joins or counts else "objects of the relation are all held in memory",
    )
    if filtered:
        return Candidate(finding=finding)
    if counts:
        counted = {**fetch_of(root), "do": "counts", "sliced": root["sliced"], "relation": path}
        return Candidate(finding=finding, patches=(counted,))
    patch = {
        **fetch_of(root),
        "do": "page_relations" if page_rows else "relations",
        "sliced": root["sliced"],
        "select" if joins else "prefetch": [path],
    }
    return Candidate(finding=finding, patches=(patch,))


def _steps(trace: Trace, number: int, path: str, kind: str) -> list[str]:
    """Return the kinds of the relations on a path, as far as they were followed by queries."""
    if "__" not in path:
        return [kind]
    known = {(cause[0], cause[1]): cause[2] for query in trace.queries if (cause := trace.cause(query)) is not None}
    steps, names = [], path.split("__")
    for end in range(1, len(names)):
        above = "__".join(names[:end])
        prefetched = above in trace.fetches[number]["prefetches"]
        steps.append("m2m" if prefetched else known.get((number, above), "fk"))
    return [*steps, kind]


def _kind(queries: list[dict[str, Any]], path: str, kind: str) -> str:
    site, layer, template = most([(item["site"], item["layer"], bool(item["template"])) for item in queries])
    if site in _SITES:
        return _SITES[site]
    if layer == "middleware":
        return "n_plus_one_middleware"
    if kind in ("generic", "inheritance"):
        return _KINDS[kind]
    if site == "property" and template:
        return "n_plus_one_template_property"
    return "n_plus_one_nested" if "__" in path else _KINDS[kind]


def _counted(model: str, path: str) -> str:
    name = model.rpartition(".")[2]
    grouped = f'{name}.objects.filter(pk__in=…).values_list("pk").annotate(Count("{path.removesuffix("_set")}"))'
    return f"counts = dict({grouped})  # once\ncounts[one.pk]  # in the place of one.{path}.count()"


def _fix(model: str, how: str, path: str, filtered: bool, paged: bool, view: dict[str, Any]) -> str:
    name = model.rpartition(".")[2]
    if view.get("admin") and not filtered:
        if how == "select_related":
            return f'# in {view["name"]}:\nlist_select_related = ["{path}"]'
        return (
            f'# in get_queryset() of {view["name"]}:\nreturn super().get_queryset(request).prefetch_related("{path}")'
        )
    if paged and not filtered:
        return (
            f"# where a page is cut from the list of {name}, which was fetched before:\n"
            f'prefetch_related_objects(page, "{path}")'
        )
    if filtered:
        return (
            f"from django.db.models import Prefetch\n{name} queryset: .prefetch_related(Prefetch({path!r}, queryset=…))"
        )
    return f'# the queryset of {name} that is made here:\n….{how}("{path}")'


def unused_prefetch(trace: Trace) -> Iterator[Candidate]:
    """Find prefetches whose objects nobody looks at."""
    used = {(int(number), str(path)) for number, path in trace.seen["used"]}
    for number, fetch in enumerate(trace.fetches):
        lookups = {name.partition("__")[0] for name in fetch["prefetches"]}
        unused = sorted(name for name in lookups if (number, name) not in used)
        if not unused or not fetch["rows"]:
            continue
        file, line = trace.place_of(fetch)
        yield Candidate(
            finding=Finding(
                area="database",
                kind="unused_prefetch",
                file=file,
                line=line,
                why=f"{', '.join(unused)} of {fetch['rows']} {fetch['model']} fetched, and not looked at",
                fix=f"# drop it from this queryset:\n.prefetch_related({', '.join(map(repr, unused))})",
                **around(_prefetch_ms(trace, number, unused)),
            ),
            patches=(
                {
                    **fetch_of(fetch),
                    "do": "no_prefetch",
                    "lookups": unused,
                },
            ),
        )


def _prefetch_ms(trace: Trace, number: int, unused: list[str]) -> float:
    """Return what prefetching some relations costs: their part of all that a fetch does beside its own rows."""
    fetch = trace.fetches[number]
    costs: dict[str, float] = {}
    for query in trace.queries:
        below = trace.fetches[query["fetch"]] if query["fetch"] is not None else None
        if below and below["prefetch"] and below["parent"][0] == number:
            name = str(below["parent"][1])
            costs[name] = costs.get(name, 0.0) + trace.cost_ms(query)
    mine = sum(cost for name, cost in costs.items() if name in unused)
    beside = trace.fetch_ms(fetch) - QUERY_MS - ROW_MS * fetch["rows"]
    return max(mine, beside * mine / sum(costs.values())) if mine else 0.0
