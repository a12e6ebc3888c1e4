"""Queries that are made again and again without a relation: the same one, or one for each value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.relations import _SITES, BESIDE
from workbench.endpoint.findings.trace import FEWEST, QUERY_MS, ROW_MS, Trace, around, by, most
from workbench.results import Finding

_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE|JOIN)\s+["`\[]?([\w.]+)', re.IGNORECASE)
_COLUMNS = re.compile(r"^SELECT .*?(?= FROM )")


def _followed(trace: Trace, query: dict[str, Any]) -> bool:
    """Say whether a query follows a relation of one of several objects: another detector's."""
    cause = trace.cause(query)
    return cause is not None and trace.fetches[trace.root(cause[0], cause[1])[0]]["rows"] > 1


def identical(trace: Trace) -> Iterator[Candidate]:
    """Find queries that are asked again and again, with the same values."""
    free = [query for query in trace.queries if not query["writes"] and not _followed(trace, query)]
    for _, group in by(free, lambda query: (query["sql"], str(query["line"]))):
        again = len(group) - len({query["same"] for query in group})
        if again < FEWEST - 1 or again < len(group) / 2 or _changes(trace, group):
            continue
        costs = sorted(map(trace.cost_ms, group))
        saved = sum(costs) * again / len(group)
        yield _candidate(
            trace, group, "identical_queries", saved, f"{len(group)} times, {again} of them for the same values"
        )


def _changes(trace: Trace, group: list[Any]) -> bool:
    """Say whether what is asked for is written in between: then it is asked for anew with good reason."""
    first, last = (trace.queries.index(query) for query in (group[0], group[-1]))
    tables = set(_TABLE.findall(group[0]["sql"]))
    return any(query["writes"] and tables & set(_TABLE.findall(query["sql"])) for query in trace.queries[first:last])


def in_a_loop(trace: Trace) -> Iterator[Candidate]:
    """Find queries that are asked from one line, with another value each time."""
    free = [query for query in trace.queries if not query["writes"] and not _followed(trace, query)]
    for _, group in by(free, lambda query: (query["sql"], str(query["line"]))):
        different = len({query["same"] for query in group})
        if different < FEWEST or different <= len(group) / 2:
            continue
        saved = BESIDE * sum(map(trace.cost_ms, group)) - QUERY_MS - ROW_MS * len(group)
        yield _candidate(trace, group, "get_in_loop", saved, f"{len(group)} times, for {different} values")


def _candidate(trace: Trace, group: list[Any], kind: str, saved: float, why: str) -> Candidate:
    first = group[0]
    fetch = trace.fetches[first["fetch"]] if first["fetch"] is not None else None
    site, layer = most([(query["site"], query["layer"]) for query in group])
    line = first["line"] or (fetch and fetch["made"])
    file, number = (line[0], line[1]) if line else (trace.view["file"], trace.view["line"])
    template, template_line = most([(query["template"], query["template_line"]) for query in group])
    if site == "context_processor":
        kind = "n_plus_one_context_processor"
    elif layer == "middleware":
        kind = "n_plus_one_middleware"
    elif kind == "get_in_loop" and site in _SITES:
        kind = _SITES[site]
    elif kind == "get_in_loop" and site == "property" and template:
        kind = "n_plus_one_template_property"
    looks_up = kind == "get_in_loop" or "for the same" not in why
    name = fetch["model"].rpartition(".")[2] if fetch else "…"
    counts = fetch is not None and fetch["how"] in ("count", "exists", "aggregate")
    fix = _fix(name, looks_up, counts, fetch is not None and bool(fetch["sliced"]))
    finding = Finding(
        area="database", kind=kind, file=file, line=number, template=template, template_line=template_line,
        why=f"the query is made {why}: {_COLUMNS.sub('SELECT …', first['sql'])[:100]}", fix=fix,
        **around(saved), hazard="" if looks_up else "what changes in between is not seen",
    )  # fmt: skip
    if fetch is None or (looks_up and counts):
        return Candidate(finding=finding)
    patch: dict[str, Any] = {"do": "preload", "model": fetch["model"]}
    if not looks_up:
        if len({query["same"] for query in group}) > 1:
            return Candidate(finding=finding)  # which of them is asked again is not known beforehand
        patch = {"do": "memo", "model": fetch["model"], "line": fetch["last"]}
    return Candidate(finding=finding, patches=(patch,))


def _fix(name: str, looks_up: bool, counts: bool, first: bool) -> str:
    """Write the fix: one query for all, before the loop."""
    if not looks_up:
        return f"found = …  # ask for {name} once, before the loop\n# and use what was found at this line"
    if counts:
        grouped = f'{name}.objects.values_list("key").annotate(Count("pk"))'
        return f"counts = dict({grouped})  # once, before the loop\ncounts.get(key, 0)  # in the loop"
    if first:
        ordered = f"{name}.objects.filter(key__in=keys).order_by(…)"
        return f"first = {{one.key: one for one in {ordered}}}  # once; the last wins\nfirst.get(key)  # in the loop"
    return f"found = {name}.objects.in_bulk(keys)  # once, before the loop\nfound[key]  # in the loop"
