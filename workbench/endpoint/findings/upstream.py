"""Other services that are asked one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace, around
from workbench.results import Finding
from workbench.views import number


def serial(trace: Trace) -> Iterator[Candidate]:
    """Find calls of other services that wait for each other."""
    calls = trace.seen["upstream"]
    ends = [call["began_s"] + call["wall_s"] for call in calls]
    if len(calls) < 2 or any(call["began_s"] < end for call, end in zip(calls[1:], ends[:-1], strict=True)):
        return
    loops = [call["loop"] for call in calls]
    if loops[0] is None or any(loop != loops[0] for loop in loops):
        return  # from several lines: one may need what another answered
    times = [call["wall_s"] * 1e3 for call in calls]
    line = loops[0]
    yield Candidate(
        finding=Finding(
            area="upstream", kind="serial_upstream", file=line[0], line=line[1],
            why=f"{len(calls)} calls take {number(sum(times))} ms, one after the other",
            fix="with ThreadPoolExecutor() as pool:\n    answers = list(pool.map(ask, urls))",
            hazard="the other side gets all calls at once", **around(sum(times) - max(times)),
        )
    )  # fmt: skip
