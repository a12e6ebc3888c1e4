"""Waits one after the other that could be at the same time: in threads, in a gather, in one round trip."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Frame, Sample, Waits, seconds_of
from workbench.advice.saving import MOST, Share, opportunity
from workbench.opportunity import Opportunity
from workbench.views import number

#: So many at once are what servers usually bear.
AT_ONCE = 32
_BEARS = "; what is asked must bear so many requests at once"
#: Drivers of databases, whose round trips are saved by asking for more at a time.
_DRIVERS = ("psycopg", "psycopg2", "pymysql", "MySQLdb", "redis", "pymongo", "sqlalchemy", "asyncpg", "cassandra")


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines that wait again and again, in a loop, while nothing else is waited for."""
    yield from _loops_of_events(seen)
    awaited = {(one.file, one.line): one for one in seen.diagnosis.awaits}
    for place, samples in seen.places(_waits_alone):
        key = place.file, place.line
        loop, seconds = seen.repeats(samples[0]), seconds_of(samples)
        if loop is None or not seen.is_large(seconds) or (samples[0].part == "sleep" and loop is samples[0].place):
            continue  # a sleep right in a loop is meant: it polls, or keeps a rate
        around = seen.source.loops(loop)
        if around and isinstance(around[-1], ast.While):
            continue  # whether there is another turn shows in the answer
        if seen.source.grows(loop) or any(wait.target.startswith("listening") for wait in seen.diagnosis.waits[:1]):
            continue  # each turn needs what came of the one before; or it is a server, and waits for clients
        if key in awaited:
            if seen.is_large(alone_s := min(seconds, awaited[key].alone_s)):
                yield _gather(seen, loop, alone_s, f", at line {place.line}" if place != loop else "")
            continue
        waits = seen.waits(place, samples[0].part)
        if waits.times < 2:
            continue
        if driver := _driver(samples[0]):
            yield _batch(seen, place, driver, waits, seconds)
        else:
            yield _threads(seen, place, samples[0].part, waits, seconds)


def _loops_of_events(seen: Evidence) -> Iterator[Opportunity]:
    """Find an event loop that is made for each item, and awaits one thing."""
    alone_s = sum(one.alone_s for one in seen.diagnosis.awaits)
    for place, _ in seen.places(_runs_loop):
        if seen.source.loops(place) and seen.is_large(alone_s):
            yield _gather(seen, place, min(alone_s, seen.wall_s))
            return


def _runs_loop(sample: Sample) -> bool:
    return any(
        inner.is_of("asyncio/runners.py", "run") or inner.is_of("asyncio/base_events.py", "run_until_complete")
        for inner in sample.beyond[:1]
    )


def _waits_alone(sample: Sample) -> bool:
    return sample.part in ("network", "sleep") and not sample.in_worker and not sample.in_loop_of_events


def _driver(sample: Sample) -> str:
    return next((name for seen in sample.beyond for name in _DRIVERS if f"/{name}/" in seen.file), "")


def share_of_overlap(count: int, at_once: int = AT_ONCE) -> Share:
    """Return the share of waiting that is saved when so many waits are made, ``at_once`` or a quarter of it at a time.

    Examples
    --------
    >>> share_of_overlap(1), share_of_overlap(40).likely
    (Share(low=0.0, likely=0.0, high=0.0), 0.95)
    """
    most = 1 - -(-count // min(count, at_once)) / count
    least = 1 - -(-count // min(count, max(2, at_once // 4))) / count
    return Share(least, most, max(most, 1 - 1 / count))


def _threads(seen: Evidence, place: Frame, part: str, waits: Waits, seconds: float) -> Opportunity:
    return opportunity(
        seen, "overlap-waits", place, seconds, share_of_overlap(waits.times),
        what=f"overlap {waits.times} waits that are made one after the other",
        why=f"{waits.times} waits ({'asleep' if part == 'sleep' else part}) of {number(waits.median_s * 1e3)} ms each, "
            "one thread, nothing done meanwhile",
        how="with ThreadPoolExecutor(max_workers=32) as pool:\n    answers = list(pool.map(function, items))",
        try_="threads",
        hazard=f"calls that need the answer of the one before can't be overlapped{'' if part == 'sleep' else _BEARS}",
    )  # fmt: skip


def _gather(seen: Evidence, loop: Frame, seconds: float, where: str = "") -> Opportunity:
    return opportunity(
        seen, "gather-awaits", loop, seconds, Share(0.7, 0.9, 1.0),
        what="await all turns of the loop together",
        why=f"the loop awaits one thing at a time: for {number(seconds)} s a single task waits{where}",
        how="answers = await asyncio.gather(*(coroutine(item) for item in items))",
        hazard="turns that need the answer of the one before can't be overlapped",
    )  # fmt: skip


def _batch(seen: Evidence, place: Frame, driver: str, waits: Waits, seconds: float) -> Opportunity:
    return opportunity(
        seen, "batch-round-trips", place, seconds, MOST,
        what=f"ask {driver} once for many things",
        why=f"{waits.times} round trips or more, one after the other",
        how="cursor.execute('… WHERE id = ANY(%s)', (ids,))  # or executemany, a pipeline, a bulk operation",
    )  # fmt: skip
