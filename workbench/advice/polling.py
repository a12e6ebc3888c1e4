"""Loops that ask again and again: asleep in between, or without a pause."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Frame, seconds_of
from workbench.advice.saving import Share, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called
from workbench.views import number

#: The sleep is saved but for what was really to be waited for.
_OVERSHOOT = Share(0.6, 0.9, 1.0)
#: Taking turns costs both.
_SPUN = Share(0.8, 1.0, 1.2)
#: A thread that is on the CPU for so much of the time does not wait in between.
_SPINS = 0.2
_CLOCKS = {"monotonic", "time", "perf_counter", "now"}
_ASKS = ("get_nowait", "empty", "poll", "done", "is_set", "acquire", "is_alive", "locked")


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the sleeps of a loop that waits for something, and loops that wait without a sleep."""
    yield from _asleep(seen)
    yield from _spinning(seen)


def _asleep(seen: Evidence) -> Iterator[Opportunity]:
    for place, samples in seen.places(lambda sample: sample.part == "sleep"):
        seconds = seconds_of(samples)
        tests = [loop for loop in seen.source.loops(place) if isinstance(loop, ast.While)]
        if not tests or not seen.is_large(seconds) or "sleep" not in seen.source.text(place):
            continue
        if not _only_waits(tests[-1]):
            continue  # it works at a pace
        waits = seen.waits(place, "sleep")
        yield opportunity(
            seen, "wait-for-event", place, seconds, _OVERSHOOT,
            what="wait for the event instead of asking for it now and then",
            why=f"{waits.times} sleeps of {number(waits.median_s * 1e3)} ms, while what is waited for is often there "
                "before they end",
            how="answer = future.result()  # or event.wait(), queue.get(), thread.join(), process.wait()",
        )  # fmt: skip


def _only_waits(loop: ast.While) -> bool:
    """Say whether a loop does nothing but wait: until its test, which asks, or until an answer lets it leave."""
    tested = {called(node)[1] for node in ast.walk(loop.test) if isinstance(node, ast.Call)}
    if tested & _CLOCKS:
        return False
    if tested:
        calls = [call for line in loop.body for call in ast.walk(line) if isinstance(call, ast.Call)]
        return all(called(call)[1] in (*_ASKS, "sleep", "print", "debug", "info") for call in calls)
    leaves = [line for line in loop.body if isinstance(line, ast.If)]
    asks = [line for line in loop.body if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call)]
    sleeps = [line for line in loop.body if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)]
    left = any(isinstance(node, ast.Break | ast.Return) for line in leaves for node in ast.walk(line))
    return left and len(sleeps) == 1 and len(asks) + len(leaves) + len(sleeps) == len(loop.body)


def _spinning(seen: Evidence) -> Iterator[Opportunity]:
    lost_s = seen.diagnosis.parts.get("gil", 0.0)
    for thread in seen.diagnosis.threads:
        place = Frame.of(thread)
        asked = _asked(seen, place)
        if asked and seen.is_large(lost_s) and thread.cpu_s > _SPINS * thread.wall_s:
            yield opportunity(
                seen, "block-instead-of-spin", place, lost_s, _SPUN,
                what="wait without asking in a loop",
                why=f"the loop calls {asked}() without a pause, and takes the GIL from the threads it waits for",
                how="item = queue.get()  # blocks; or event.wait(), thread.join()",
            )  # fmt: skip


def _asked(seen: Evidence, place: Frame) -> str:
    """Return the function that a line in a loop calls to see whether something has come; empty for any other line."""
    loops = [loop for loop in seen.source.loops(place) if isinstance(loop, ast.While)]
    if not loops or {"sleep", "wait"} & {called(node)[1] for node in ast.walk(loops[-1]) if isinstance(node, ast.Call)}:
        return ""
    return next((name for call in seen.source.calls(place) if (name := called(call)[1]) in _ASKS), "")
