"""What a recorded request shows: one detector a file or a few, each a pure function of the `Trace`."""

from __future__ import annotations

from dataclasses import replace

from workbench.endpoint.findings import (
    caching,
    columns,
    connections,
    indexes,
    relations,
    repeated,
    sizes,
    transfer,
    upstream,
)
from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace

DETECTORS = (
    relations.n_plus_one,
    relations.unused_prefetch,
    repeated.identical,
    repeated.in_a_loop,
    indexes.missing,
    sizes.sizes,
    sizes.deep_offset,
    sizes.paginator_count,
    connections.reconnects,
    columns.columns,
    columns.only_misused,
    upstream.serial,
    caching.view,
    caching.session,
    caching.loader,
    caching.heavy_template,
    caching.fragment,
    caching.function,
    caching.slow_python,
    caching.serialisation,
    transfer.conditional,
    transfer.compression,
)


def find(trace: Trace) -> list[Candidate]:
    """Return all candidates, the largest predicted saving first."""
    found = [_of(trace, candidate) for detector in DETECTORS for candidate in detector(trace)]
    return sorted(found, key=lambda candidate: -(candidate.finding.predicted_ms or 0.0))


def _of(trace: Trace, candidate: Candidate) -> Candidate:
    """Return a candidate with what is the same for all findings of a request."""
    return replace(candidate, finding=replace(candidate.finding, queries_before=len(trace.queries)))


__all__ = ["Candidate", "Trace", "find"]
