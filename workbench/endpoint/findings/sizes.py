"""Rows that are fetched to be counted, skipped or looked for."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import QUERY_MS, Trace, around, fetch_of
from workbench.results import Finding
from workbench.views import number

#: An offset from which on skipping rows costs; fewer rows than that are as well fetched as counted.
DEEP, MANY = 1000, 20
#: A page of so small a share of the rows is better fetched by itself.
SMALL = 0.5


def sizes(trace: Trace) -> Iterator[Candidate]:
    """Find ``len`` and ``bool`` of querysets whose rows nobody uses."""
    for access in trace.seen["accesses"]:
        number = access["fetch"]
        if number is None or trace.fetches[number]["rows"] < MANY:
            continue
        fetch = trace.fetches[number]
        uses, page = trace.seen["uses"].get(str(number)), fetch["page"]
        if uses and (uses != ["__getitem__"] or not page or page[1] > SMALL * fetch["rows"]):
            continue
        length = access["how"] == "__len__"
        made = access["line"] if access["direct"] else fetch["made"]
        file, line = (made[0], made[1]) if made else trace.place_of(fetch)
        cost = trace.fetch_ms(fetch) * (1 - page[1] / fetch["rows"] if uses else 1)
        yield Candidate(
            finding=Finding(
                area="lazy", kind="len_of_queryset" if length else "bool_of_queryset", file=file, line=line,
                template=access["template"], template_line=access["template_line"],
                why=f"{fetch['rows']:,} rows of {fetch['model']} are fetched for it",
                fix="queryset.count()  # in the place of len(queryset)" if length
                else "queryset.exists()  # in the place of the queryset as a truth",
                **around(cost - QUERY_MS),
            ),
            patches=({**fetch_of(fetch), "do": "size"},),
        )  # fmt: skip


def deep_offset(trace: Trace) -> Iterator[Candidate]:
    """Find pages so far behind that skipping the rows before them costs."""
    for query in trace.queries:
        fetch = trace.fetches[query["fetch"]] if query["fetch"] is not None else None
        if fetch and fetch["offset"] >= DEEP and not fetch["prefetch"]:
            file, line = trace.place_of(fetch)
            order = fetch["orders"][0][1] if fetch["orders"] else "pk"
            yield Candidate(
                finding=Finding(
                    area="database", kind="deep_offset", file=file, line=line,
                    why=f"{fetch['offset']:,} rows are skipped",
                    fix=f"queryset.filter({order}__gt=last_of_the_page_before)[:size]",
                    hazard="pages are reached one after the other, not by number",
                    **around(trace.cost_ms(query) * 0.8),
                ),
                patches=({**fetch_of(fetch), "do": "keyset", "order": fetch["unique_order"]},)
                if fetch["unique_order"] else (),
            )  # fmt: skip


def paginator_count(trace: Trace) -> Iterator[Candidate]:
    """Find counts of all rows that take a good part of a page's time."""
    sliced = {fetch["model"] for fetch in trace.fetches if fetch["sliced"]}
    for query in trace.queries:
        fetch = trace.fetches[query["fetch"]] if query["fetch"] is not None else None
        if fetch and fetch["how"] == "count" and fetch["model"] in sliced and not fetch["parent"]:
            cost = trace.cost_ms(query)
            if cost >= max(2.0, 0.15 * trace.wall_ms):
                file, line, *_ = query["line"] or trace.place_of(fetch)
                yield Candidate(
                    finding=Finding(
                        area="database", kind="paginator_count", file=file, line=line,
                        why=f"counting {fetch['model']} takes {number(cost)} ms",
                        fix="class Counted(Paginator):\n    count = cached_property(lambda self: cache.get_or_set(…))",
                        hazard="the number of pages may be some seconds old", **around(cost),
                    ),
                    patches=({**fetch_of(fetch), "do": "kept_count"},),
                )  # fmt: skip
