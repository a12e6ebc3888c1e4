"""Connections to the database that are made anew for every request."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace, around
from workbench.results import Finding
from workbench.views import number

#: Connecting takes at least so long, and such a share of the request, where it is worth a word.
LEAST_MS, LEAST_SHARE = 0.5, 0.05


def reconnects(trace: Trace) -> Iterator[Candidate]:
    """Find databases on a server that each request connects to by itself."""
    for alias, database in trace.info["databases"].items():
        cost = sum(
            max(one["wall_s"], one["cpu_s"]) + trace.rtt_s for one in trace.seen["connects"] if one["alias"] == alias
        )
        if "sqlite3" in database["ENGINE"] or cost * 1e3 < max(LEAST_MS, LEAST_SHARE * trace.wall_ms):
            continue
        file, line = trace.info["databases_line"]
        yield Candidate(
            finding=Finding(
                area="database", kind="reconnects", file=file, line=line,
                why=f"each request connects to {alias!r} anew, in {number(cost * 1e3)} ms",
                fix=f'# in DATABASES["{alias}"]:\n"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True,',
                hazard="each thread keeps a connection, which the server must allow; under ASGI use a pool",
                **around(cost * 1e3),
            ),
            patches=({"do": "persistent", "alias": alias},),
        )  # fmt: skip
