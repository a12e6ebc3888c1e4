"""Calls in a coroutine that keep the event loop from everything else while they wait."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Sample, seconds_of
from workbench.advice.overlapping import share_of_overlap
from workbench.advice.saving import opportunity
from workbench.opportunity import Opportunity
from workbench.views import number


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines that wait inside a callback or task of an event loop."""
    for place, samples in seen.places(_blocks):
        seconds = seconds_of(samples)
        waits = seen.waits(place, "network", "sleep", "disk", "child")
        if not seen.is_large(seconds) or waits.times < 2:
            continue
        yield opportunity(
            seen, "await-instead-of-block", place, seconds, share_of_overlap(waits.times),
            what="await it instead of blocking the event loop",
            why=f"{waits.times} waits of {number(waits.median_s * 1e3)} ms in a coroutine; each stops all other tasks",
            how=_how(seen.source.text(place)),
        )  # fmt: skip


def _blocks(sample: Sample) -> bool:
    return sample.part in ("network", "sleep", "disk", "child") and sample.in_loop_of_events and not sample.in_worker


def _how(text: str) -> str:
    if "sleep(" in text:
        return "await asyncio.sleep(seconds)"
    if "subprocess." in text:
        return "process = await asyncio.create_subprocess_exec(...)"
    return "answer = await asyncio.to_thread(function, item)  # or a client to await: aiohttp, httpx.AsyncClient"
