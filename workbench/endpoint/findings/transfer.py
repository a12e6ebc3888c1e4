"""Answers that cross the link whole although they need not."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.endpoint.findings.candidate import Candidate
from workbench.endpoint.findings.trace import Trace, around
from workbench.results import Finding
from workbench.views import number

#: An answer that is shorter on the link than this many milliseconds is not worth a change for its sake.
LEAST_LINK_MS = 5.0
#: Compressed text is about so much of itself, at so many bytes a millisecond.
LEFT, BYTES_A_MS = 0.25, 50_000
_TEXT = ("text/", "json", "javascript", "xml", "svg")


def _link_ms(trace: Trace, size: float) -> float:
    return size * 8e3 / trace.link_bits


def conditional(trace: Trace) -> Iterator[Candidate]:
    """Find answers without a validator: a client that has one already gets it again."""
    headers = trace.answer["headers"]
    if (
        trace.method != "GET"
        or "etag" in headers
        or "last-modified" in headers
        or "no-store" in headers.get("cache-control", "")
    ):
        return
    if any("ConditionalGet" in name for name in trace.info["middleware"]):
        return
    if _link_ms(trace, trace.answer["bytes"]) < LEAST_LINK_MS:
        return
    yield Candidate(
        finding=Finding(
            area="http",
            kind="no_conditional",
            file=trace.view["file"],
            line=trace.view["line"],
            why=f"{trace.answer['bytes']:,} bytes sent again over {trace.link_bits / 1e6:g} Mbit/s",
            fix='# first in MIDDLEWARE:\n"django.middleware.http.ConditionalGetMiddleware",',
            hazard="the answer is still made; it saves the link, for clients that come back",
            **around(_link_ms(trace, trace.answer["bytes"])),
        ),
        patches=({"do": "wrap", "first": ["django.middleware.http.ConditionalGetMiddleware"]},),
        on_link=True,
        conditional=True,
    )


def compression(trace: Trace) -> Iterator[Candidate]:
    """Find text that is sent as it is to clients that take it compressed."""
    headers, size = trace.answer["headers"], trace.answer["bytes"]
    if "content-encoding" in headers or _link_ms(trace, size) < LEAST_LINK_MS:
        return
    if not any(kind in headers.get("content-type", "") for kind in _TEXT):
        return
    if any("GZip" in name for name in trace.info["middleware"]):
        return
    yield Candidate(
        finding=Finding(
            area="http",
            kind="no_compression",
            file=trace.view["file"],
            line=trace.view["line"],
            why=f"{size:,} bytes of text, not compressed: {number(_link_ms(trace, size))} ms on the link",
            fix='# first in MIDDLEWARE (or let the web server do it):\n"django.middleware.gzip.GZipMiddleware",',
            hazard=f"counted on a link of {trace.link_bits / 1e6:g} Mbit/s; never for pages that reflect secrets",
            **around(_link_ms(trace, size * (1 - LEFT)) - size / BYTES_A_MS),
        ),
        patches=({"do": "wrap", "first": ["django.middleware.gzip.GZipMiddleware"]},),
        headers={"accept-encoding": "gzip"},
        on_link=True,
    )
