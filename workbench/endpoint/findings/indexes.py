"""Columns that are searched or sorted without an index."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace, around
from workbench.results import Finding

#: Smaller tables are read whole as quickly; columns with fewer values, or a larger share a value, gain nothing.
LEAST_ROWS, LEAST_VALUES = 500, 12
#: How an index can be used: Django's lookups.
SEARCHES = frozenset(("exact", "in", "gt", "gte", "lt", "lte", "range", "startswith"))
#: What is left of a query with its index.
LEFT = 0.05
#: A smaller gain, or a smaller share of the request, is not worth an index.
LEAST_MS, LEAST_SHARE = 1.0, 0.05


def wanted(seen: dict[str, object]) -> list[tuple[str, str]]:
    """Return tables and columns that are searched or sorted without an index."""
    fetches: list[dict[str, list[list[str]]]] = seen["fetches"]  # type: ignore[assignment]
    found = [(one[0], one[1]) for fetch in fetches for one in (*fetch["filters"], *fetch["orders"]) if not one[3]]
    return list(dict.fromkeys(found))


def missing(trace: Trace) -> Iterator[Candidate]:
    """Find slow queries that read a whole table for a few rows, or sort it for the first ones."""
    done = set()
    for query in trace.queries:
        plan = " | ".join(trace.seen["plans"].get(query["sql"], ()))
        if query["fetch"] is None or not (
            "SCAN" in plan or "Seq Scan" in plan or "Sort" in plan or "TEMP B-TREE" in plan
        ):
            continue
        fetch = trace.fetches[query["fetch"]]
        filters = [one for one in fetch["filters"] if one[2] in SEARCHES and _worth(trace, one)]
        sorts = "TEMP B-TREE FOR ORDER" in plan or "Sort" in plan
        orders = [fetch["orders"][0]] if fetch["orders"] and sorts and fetch["sliced"] else []
        orders = [one for one in orders if not one[3] and _rows(trace, one) >= LEAST_ROWS]
        if any(one[3] for one in fetch["filters"]):
            orders = []
        for kind, found in (("missing_index_filter", filters), ("missing_index_order", orders)):
            if not found or (found[0][0], found[0][1]) in done:
                continue
            table, column, how, _, label = found[0]
            same = [one for one in trace.queries if one["sql"] == query["sql"]]
            saved = sum(map(trace.cost_ms, same)) * (1 - LEFT)
            if saved < max(LEAST_MS, LEAST_SHARE * trace.wall_ms):
                continue
            done.add((table, column))
            file, line = trace.place_of(fetch)
            name = f"{how if kind == 'missing_index_order' else ''}{column}"
            yield Candidate(
                finding=Finding(
                    area="database", kind=kind, file=file, line=line,
                    why=f"{_rows(trace, found[0]):,} rows of {table} are read, or sorted, by {column}",
                    fix=f"class Meta:  # of {label}, then makemigrations\n"
                    f'    indexes = [models.Index(fields=["{name}"])]',
                    **around(saved), hazard="every write of the table keeps the index up to date",
                ),
                patches=({"do": "index", "table": table, "columns": [column]},),
            )  # fmt: skip
            break


def _rows(trace: Trace, one: list[str]) -> int:
    return trace.selectivity.get((one[0], one[1]), {}).get("rows", 0)


def _worth(trace: Trace, one: list[str]) -> bool:
    known = trace.selectivity.get((one[0], one[1]))
    return not one[3] and known is not None and known["rows"] >= LEAST_ROWS and known["values"] >= LEAST_VALUES
