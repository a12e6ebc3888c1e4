"""Columns and rows that are fetched and not read, and columns that ``only`` left out and that are read."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from typing import Any

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import FEWEST, QUERY_MS, Trace, around, fetch_of
from workbench.results import Finding

#: Fewer rows than this are as well fetched whole.
MANY = 50
#: Of more rows each read would cost a query: too long to look.
TOO_MANY = 12_000
#: The share of rows that are read below which the others were fetched for nothing.
FEW_READ = 0.5

#: A column that is fetched by itself costs more than its query: an object is made, and its value copied.
BESIDE_DEFERRED = 1.25


def targets(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the patches under which rows hold their primary key alone, so that what is read of them shows."""
    found = []
    for fetch in seen["fetches"]:
        if MANY <= fetch["rows"] <= TOO_MANY and fetch["plain"] and not fetch["only"] and not fetch["prefetch"]:
            if fetch["how"] != "fetch" or fetch["parent"] or fetch["selects"] or fetch["prefetches"]:
                continue
            patch = {
                **fetch_of(fetch),
                "do": "only",
                "fields": [fetch["pk"]],
            }
            if patch not in found:
                found.append(patch)
    return found


def columns(trace: Trace) -> Iterator[Candidate]:
    """Find wide columns that nobody reads, rows that nobody reads, and sums that the database could make."""
    if trace.reads is None:
        return
    done: list[Any] = []
    wanted = targets(trace.seen)
    for number, bare in enumerate(trace.reads["fetches"]):
        patch = {
            **fetch_of(bare),
            "do": "only",
            "fields": [bare["pk"]],
        }
        if patch not in wanted or patch in done or bare["rows"] < MANY or bare["parent"]:
            continue
        done.append(patch)
        reads = trace.reads["deferred"].get(str(number), {})
        twin = next(one for one in trace.fetches if one["made"] == bare["made"] and one["model"] == bare["model"])
        relations = {path.partition("__")[0] for root, path in trace.reads["used"] if int(root) == number}
        read = [name for name in bare["columns"] if name in reads or name.removesuffix("_id") in relations]
        touched = _touched(reads, bare["rows"])
        cost = trace.fetch_ms(twin)
        found = _sum(trace, twin, reads, cost) or _rows(trace, twin, touched, relations, cost)
        found = found or _columns(trace, twin, read, cost)
        if found:
            yield found


def _touched(reads: dict[str, Any], rows: int) -> int:
    """Return how many rows are read, a column or two to choose or sort by left out: no template shows these."""
    few, of_most = list[dict[str, Any]](), list[dict[str, Any]]()
    for known in reads.values():
        (few if known["objects"] < FEW_READ * rows else of_most).append(known)
    chosen_by = len(of_most) <= 2 and not any(template for known in of_most for _, template, *_ in known["lines"])
    return max((known["objects"] for known in (few if few and chosen_by else reads.values())), default=0)


def _sum(trace: Trace, fetch: dict[str, Any], reads: dict[str, Any], cost: float) -> Candidate | None:
    if len(reads) != 1:
        return None
    ((name, known),) = reads.items()
    lines = {(place[0], place[1]) for place, *_ in known["lines"] if place}
    if name not in fetch["numbers"] or len(lines) != 1 or known["objects"] < fetch["rows"]:
        return None
    file, line = lines.pop()
    text = linecache.getline(file, line)
    if "sum(" not in text and "+=" not in text:
        return None
    return Candidate(
        finding=Finding(
            area="lazy",
            kind="sum_in_python",
            file=file,
            line=line,
            why=f"{fetch['rows']:,} rows of {fetch['model']} are fetched to add up {name}",
            fix=f'from django.db.models import Sum\nqueryset.aggregate(total=Sum("{name}"))["total"] or 0',
            hazard="an empty table gives None, and a Decimal may have more digits",
            **around(cost - QUERY_MS),
        )
    )


def _rows(trace: Trace, fetch: dict[str, Any], touched: int, relations: set[str], cost: float) -> Candidate | None:
    if not touched or relations or touched >= FEW_READ * fetch["rows"] or fetch["sliced"]:
        return None
    file, line = trace.place_of(fetch)
    return Candidate(
        finding=Finding(
            area="lazy",
            kind="over_fetching_rows",
            file=file,
            line=line,
            why=f"{fetch['rows']:,} rows of {fetch['model']} are fetched, {touched:,} are read",
            fix=f"queryset[:{touched}]  # or filter() what is wanted, in the database",
            hazard="whatever else looks at the rows gets fewer of them",
            **around(cost * (1 - touched / fetch["rows"])),
        ),
        patches=({**fetch_of(fetch), "do": "limit", "rows": touched},) if fetch["page"] == [0, touched] else (),
    )


def _columns(trace: Trace, fetch: dict[str, Any], read: list[str], cost: float) -> Candidate | None:
    unread = [name for name in fetch["columns"] if name not in read and name != fetch["pk"]]
    wide = [name for name in unread if name in fetch["wide"]]
    if not read or not (wide or (len(unread) >= 8 and len(read) <= len(unread) / 2)):
        return None
    file, line = trace.place_of(fetch)
    names = ", ".join(f'"{name}"' for name in read)
    return Candidate(
        finding=Finding(
            area="lazy",
            kind="over_fetching_columns",
            file=file,
            line=line,
            why=f"of {len(fetch['columns'])} columns {len(read)} are read; not read: {', '.join(wide or unread)[:80]}",
            fix=f"# the queryset that is made here:\n….only({names})",
            **around(cost * 0.3),
            hazard="a column that is read after all costs a query for each object",
        ),
        patches=(
            {
                **fetch_of(fetch),
                "do": "only",
                "fields": [fetch["pk"], *read],
            },
        ),
    )


def only_misused(trace: Trace) -> Iterator[Candidate]:
    """Find columns that ``only`` or ``defer`` left out and that are fetched one by one."""
    for number, reads in trace.seen["deferred"].items():
        fetch = trace.fetches[int(number)]
        names = [name for name, known in reads.items() if known["objects"] >= FEWEST]
        if not names:
            continue
        mine = [
            query
            for query in trace.queries
            if (trace.cause(query) or (None, "", ""))[0] == int(number)
            and (trace.cause(query) or (0, "", ""))[2] == "deferred"
        ]
        file, line = trace.place_of(fetch)
        places = reads[names[0]]["lines"]
        template, template_line = (places[0][1], places[0][2]) if places else ("", 0)
        yield Candidate(
            finding=Finding(
                area="lazy",
                kind="only_misused",
                file=file,
                line=line,
                template=template,
                template_line=template_line,
                why=f"{', '.join(names)} of {fetch['model']}: left out, then fetched by {len(mine)} queries",
                fix=f"# add to only(), or drop from defer(), of this queryset:\n{', '.join(map(repr, names))}",
                **around(BESIDE_DEFERRED * sum(map(trace.cost_ms, mine))),
            ),
            patches=(
                {
                    **fetch_of(fetch),
                    "do": "only",
                    "fields": None,
                    "all": True,
                },
            ),
        )
