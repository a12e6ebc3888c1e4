"""Things of one's own of which there are too few: locks, permits, connections of a pool, workers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.overlapping import AT_ONCE
from workbench.advice.saving import Share, opportunity
from workbench.opportunity import Opportunity
from workbench.results import Wait
from workbench.source import called, text_of
from workbench.views import number

#: What a lock costs depends on how much of the work is done outside it.
_LOCK = Share(0.62, 0.92, 1.0)
#: While one waits, others work: what is saved is the waiting, unless what is behind the limit is scarce as well.
_LIMIT = Share(0.65, 0.98, 1.0)
_LIMITS = ("Semaphore", "BoundedSemaphore", "CapacityLimiter", "Queue", "LifoQueue", "SimpleQueue", "Limiter")
_POOLS = ("ThreadPoolExecutor", "ThreadPool", "Pool", "Parallel")
_OPTIONS = ("limit", "max_connections", "max_size")
#: A limit of so many is there to protect somebody.
_MEANT = 10
#: A thread that waits for so much of the time works for the task.
_WAITS_MOSTLY = 0.5


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines that wait for locks and limits of the task, and pools whose workers all wait."""
    yield from _locks(seen)
    yield from _workers(seen)


def _locks(seen: Evidence) -> Iterator[Opportunity]:
    for wait in seen.diagnosis.waits:
        if wait.kind != "lock" or not seen.is_large(wait.seconds):
            continue
        place = Frame.of(wait)
        name = _bare(wait.target)
        values = seen.source.bound(place, name) or seen.source.bound_anywhere(place, name)
        limit = next(filter(_is_limit, values), None)
        if limit is None and ("(" in wait.target or wait.target.startswith("0x")):
            continue  # a lock of a library's, inside of what the line calls
        if _permits(limit) >= _MEANT:
            continue  # so many at once are meant to be the most
        if limit is not None or _is_option(wait.target) or wait.target.endswith(".get") or "_get" in wait.target:
            yield _wider(seen, place, wait, limit)
        else:
            yield _shorter(seen, place, wait)


def _bare(target: str) -> str:
    return target.removesuffix(".get").removesuffix("()")


def _is_limit(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and called(value)[1] in _LIMITS


def _is_option(target: str) -> bool:
    """Say whether a wait is for what an option of a library's pool limits."""
    return target.rpartition(".")[2] in _OPTIONS


def _permits(limit: ast.expr | None) -> int:
    first = limit.args[0] if isinstance(limit, ast.Call) and limit.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, int) else 0


def _wider(seen: Evidence, place: Frame, wait: Wait, limit: ast.expr | None) -> Opportunity:
    permits = _permits(limit)
    users = max([permits + 1, *(one.peak for one in seen.diagnosis.awaits if one.line == place.line), _threads(seen)])
    held = f", {wait.note}" if wait.note else ""
    return opportunity(
        seen, "widen-limit", place, wait.seconds, _LIMIT,
        what=f"let more{f' than {permits}' if permits else ''} use {_bare(wait.target)} at once"
            f"{_made(seen, place, tuple(wait.target.split('.')))}",
        why=f"up to {users} want it at once and wait {number(wait.seconds)} s for it{held}",
        how=_larger(wait.target, limit if permits else None),
        hazard="what is behind it must bear more at once",
    )  # fmt: skip


def _larger(target: str, limit: ast.expr | None) -> str:
    if limit is not None:
        return f"{text_of(limit)}  # a larger limit"
    if _is_option(target):
        owner, _, option = target.rpartition(".")
        return f"{owner}({option}=100)  # one pool, made once"
    return f"{_bare(target)}.put(another)  # more of what is taken from it: connections, workers"


def _shorter(seen: Evidence, place: Frame, wait: Wait) -> Opportunity:
    held = f", {wait.note}" if wait.note else ""
    return opportunity(
        seen, "hold-lock-shorter", place, wait.seconds, _LOCK,
        what=f"hold {wait.target} for less",
        why=f"{number(wait.seconds)} s go to waiting for it{held}",
        how="answer = ask()          # outside: what needs no lock\nwith lock:\n    keep(answer)",
    )  # fmt: skip


def _threads(seen: Evidence) -> int:
    return sum(sum(share.parts.values()) > 0 for share in seen.diagnosis.threads) - 1


def _workers(seen: Evidence) -> Iterator[Opportunity]:
    listed = seen.places(_waits_in_pool)
    if not listed:
        return
    place, samples = listed[0]
    seconds = seconds_of(sample for _, each in listed for sample in each)
    waits, workers = seen.waits(place, "network", "sleep"), _busy(seen)
    if not seen.is_large(seconds) or not 1 <= workers < AT_ONCE or waits.times < 2 * workers:
        return
    if seen.diagnosis.cpu_s > 0.5 * seen.wall_s * seen.cores:
        return  # more workers would wait for a core
    wanted = min(waits.times, 2 * AT_ONCE)
    likely = 1 - workers / wanted
    yield opportunity(
        seen, "more-workers", place, seconds, Share(0.75 * likely, likely, max(likely, 1 - 1 / waits.times)),
        what=f"use more than {workers} workers for {waits.times} waits{_made(seen, place, _POOLS)}",
        why=f"all {workers} were busy waiting ({number(waits.median_s * 1e3)} ms each), and the cores idle",
        how=_how(samples[0], wanted), try_="threads",
        hazard="what is asked must bear so many requests at once",
    )  # fmt: skip


def _made(seen: Evidence, place: Frame, names: tuple[str, ...]) -> str:
    """Say at which line of a file something of these names is made; nothing where it is none or several."""
    nodes = (node for node in ast.walk(seen.source.tree(place.file)) if isinstance(node, ast.Call))
    lines = {node.lineno for node in nodes if called(node)[1] in names}
    return f" (made in line {lines.pop()})" if len(lines) == 1 else ""


def _waits_in_pool(sample: Sample) -> bool:
    pools = ("concurrent/futures/thread.py", "multiprocessing/pool.py", "joblib/_parallel_backends.py")
    return sample.part in ("network", "sleep") and sample.in_worker and any(map(sample.passes, pools))


def _busy(seen: Evidence) -> int:
    """Return how many threads, besides the one that started the task, were there at once and mostly waited."""
    lasted_s = sum(
        share.wall_s
        for share in seen.diagnosis.threads
        if share.parts.get("network", 0.0) + share.parts.get("sleep", 0.0) >= _WAITS_MOSTLY * share.wall_s
    )
    return round(lasted_s / seen.wall_s) - 1


def _how(sample: Sample, wanted: int) -> str:
    if any(seen.is_of("asyncio/threads.py") or seen.is_of("asyncio/events.py") for seen in sample.frames):
        return f"loop.set_default_executor(ThreadPoolExecutor(max_workers={wanted}))"
    if any("/joblib/" in seen.file for seen in sample.frames):
        return f'Parallel(n_jobs={wanted}, prefer="threads")(…)'
    return f"ThreadPoolExecutor(max_workers={wanted})"
