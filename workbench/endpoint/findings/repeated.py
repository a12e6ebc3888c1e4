"""Queries that are made again and again without a relation: the same one, or one for each value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.relations import _SITES, BESIDE
from workbench.endpoint.findings.trace import FEWEST, QUERY_MS, ROW_MS, Trace, around, by, most
from workbench.results import Finding

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
        if again < FEWEST - 1 or again < len(group) / 2:
            continue
        costs = sorted(map(trace.cost_ms, group))
        saved = sum(costs) * again / len(group)
        yield _candidate(
            trace, group, "identical_queries", saved, f"{len(group)} times, {again} of them for the same values"
        )


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
    fix = (
        f"found = {name}.objects.in_bulk(keys)  # once, before the loop\nfound[key]  # in the loop"
        if looks_up
        else f"found = …  # ask for {name} once, before the loop\n# and use what was found at this line"
    )
    finding = Finding(
        area="database", kind=kind, file=file, line=number, template=template, template_line=template_line,
        why=f"the query is made {why}: {_COLUMNS.sub('SELECT …', first['sql'])[:100]}", fix=fix,
        **around(saved), hazard="" if looks_up else "what changes in between is not seen",
    )  # fmt: skip
    if fetch is None:
        return Candidate(finding=finding)
    patch: dict[str, Any] = {"do": "preload", "model": fetch["model"]}
    if not looks_up:
        if len({query["same"] for query in group}) > 1:
            return Candidate(finding=finding)  # which of them is asked again is not known beforehand
        patch = {"do": "memo", "model": fetch["model"], "line": fetch["last"]}
    return Candidate(finding=finding, patches=(patch,))
