"""From a recording to a diagnosis."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any, TypeVar

from workbench.advice.advise import find_all
from workbench.advice.evidence import Evidence
from workbench.diagnosis.accounting import Accounts, Seconds
from workbench.diagnosis.concurrency import find_awaits
from workbench.diagnosis.inside import find_inside
from workbench.diagnosis.naming import Namer, Place
from workbench.diagnosis.observer.protocol import RUNNING
from workbench.diagnosis.peers import process_behind
from workbench.diagnosis.recorder import Recording
from workbench.diagnosis.stalls import find_stalls
from workbench.diagnosis.tracks import Track
from workbench.diagnosis.verdict import DOMINANT, Verdict, judge
from workbench.parts import NAMES, in_group
from workbench.proc import cores_allowed
from workbench.records import provenance
from workbench.results import Child, Diagnosis, Line, Stack, ThreadShare, Wait
from workbench.source import Source

#: A task must be watched for this long, or looked at this often, before a verdict is given.
ENOUGH_S = 0.05
ENOUGH_LOOKS = 8
#: The share of the wall time from which what diagnosing took is too much to trust the figures.
DEAR = 0.1
#: A shorter wait is what rounding leaves.
SHORTEST_S = 1e-9
_Key = TypeVar("_Key")
_CPU = in_group("cpu")
_STACKS_KEPT = 500
_BLIND = (
    "this system does not show what a process does: only clocks and counters were read, so native code counts as "
    "Python, and what was waited for can't be told"
)


def assemble(recording: Recording, target: str, runs: int = 1, failure: str | None = None) -> Diagnosis:
    """Return what a recording shows."""
    wall_s = (recording.end_ns - recording.start_ns) / 1e9
    namer = Namer(recording)
    accounts = Accounts(recording, namer)
    main = accounts.main
    whole = accounts.of(main) if main else Seconds(float)
    if main:
        # From the last look to the end nothing was seen: it is told as the rest was.
        seen_s = math.fsum(whole.values())
        scale = wall_s / seen_s if seen_s else 0.0
        whole = Seconds(float, {where: seconds * scale for where, seconds in whole.items()})
    parts = _parts(whole) if main else _parts_from_counters(recording, wall_s)
    overhead = accounts.overhead_s() / wall_s if main and wall_s else None
    verdict = _judge(parts, wall_s, overhead, accounts)
    seen = Diagnosis(
        target=target,
        verdict=verdict.verdict,
        bound_by=verdict.bound_by,
        reasons=verdict.reasons,
        wall_s=wall_s,
        cpu_s=_cpu_s(recording) if recording.counters else accounts.on_cpu_s(),  # a killed task tells no counters
        overhead=overhead,
        parts=parts,
        counters=_counters(recording, main),
        waits=_waits(whole, accounts, namer, recording),
        lines=_lines(whole, namer),
        threads=tuple(_threads(accounts, namer, recording)),
        children=tuple(_children(accounts, recording)),
        stalls=find_stalls(main, namer, recording) if main else (),
        stacks=_stacks(whole, namer, recording),
        awaits=find_awaits(recording),
        runs=runs,
        failure=failure,
        provenance=provenance(),
    )
    evidence = Evidence(seen, Source(), cores_allowed())
    return dataclasses.replace(
        seen,
        inside=find_inside(evidence),
        opportunities=tuple(find_all(evidence)),
        stacks=seen.stacks[:_STACKS_KEPT],
    )


def _parts(seconds: Seconds) -> dict[str, float]:
    parts = dict.fromkeys(NAMES, 0.0)
    for where, amount in seconds.items():
        parts[where.part] += amount
    return parts


def _parts_from_counters(recording: Recording, wall_s: float) -> dict[str, float]:
    cpu_s = min(wall_s, _cpu_s(recording))
    runqueue_s = min(wall_s - cpu_s, recording.counters.get("runqueue_s", 0.0))
    known = {"python": cpu_s, "runqueue": runqueue_s, "other": wall_s - cpu_s - runqueue_s}
    return {**dict.fromkeys(NAMES, 0.0), **known}


def _cpu_s(recording: Recording) -> float:
    return sum(recording.counters.get(name, 0.0) for name in ("user_s", "system_s", "children_s"))


def _judge(parts: dict[str, float], wall_s: float, overhead: float | None, accounts: Accounts) -> Verdict:
    looks = len(accounts.main.looks) if accounts.main else 0
    few = 0 < looks < ENOUGH_LOOKS and not _is_one_wait(accounts.main)
    verdict = judge(parts, crowds_itself=accounts.crowds_itself())
    if not accounts.readable:
        verdict = verdict._replace(reasons=(*verdict.reasons, _BLIND))
    if overhead is not None and overhead > DEAR:
        cost = f"diagnosing took {100 * overhead:.0f} % of the time, too much to trust the figures: free a core for it"
        verdict = verdict._replace(reasons=(*verdict.reasons, cost))
    if wall_s < ENOUGH_S or few:
        short = f"it ran for only {wall_s * 1000:.3g} ms; at least {ENOUGH_S * 1000:.0f} ms are needed: repeat it"
        return Verdict("unclear", "unclear", (short, *verdict.reasons))
    return verdict


def _is_one_wait(track: Track | None) -> bool:
    """Say whether a thread mostly waited, by its counters, and all looks found it in one wait: few are enough then."""
    waits = {look.wait for look in track.looks if look.wait != RUNNING} if track else set()
    if track is None or len(waits) != 1:
        return False
    on_cpu_s, _, waiting_s = track.totals()
    return waiting_s >= DOMINANT * (on_cpu_s + waiting_s)


def _counters(recording: Recording, main: Track | None) -> dict[str, float]:
    if main is None:
        return recording.counters
    _, runqueue_s, waiting_s = main.totals()
    return {**recording.counters, "runqueue_s": runqueue_s, "waiting_s": waiting_s, "looks": float(len(main.looks))}


def _waits(whole: Seconds, accounts: Accounts, namer: Namer, recording: Recording) -> tuple[Wait, ...]:
    found: dict[tuple[str, str, Place], float] = defaultdict(float)
    holders: dict[tuple[str, str, Place], Place] = {}
    for where, seconds in whole.items():
        own = where.thread[0] == recording.pid
        if where.part not in (*_CPU, "runqueue") and (own or where.part != "child"):
            key = where.part, where.target, namer.user_place(where.stack)
            found[key] += seconds
            if where.stack in accounts.holders:
                holders[key] = namer.user_place(accounts.holders[where.stack].most_common(1)[0][0])
    for (child, stack), seconds in accounts.on_children.items():
        command = _command(recording, child)
        found["child", command, namer.user_place(stack)] += seconds
    episodes = _episodes(accounts, namer)
    return tuple(
        Wait(
            kind=kind,
            target=target,
            file=place.file,
            line=place.line,
            function=place.function,
            seconds=seconds,
            note=_note(kind, target, holders.get((kind, target, place))),
            **_lengths(episodes.pop((kind, target if kind != "child" else "", place), [])),
        )
        for (kind, target, place), seconds in _longest_first(found)
        if seconds >= SHORTEST_S
    )


def _episodes(accounts: Accounts, namer: Namer) -> dict[tuple[str, str, Place], list[float]]:
    found: dict[tuple[str, str, Place], list[float]] = defaultdict(list)
    for (part, target, stack), each in accounts.episodes().items():
        # Which of its children a thread waits for, when it reads from a pipe, is not known.
        found[part, target if part != "child" else "", namer.user_place(stack)] += each
    return found


def _command(recording: Recording, pid: int) -> str:
    """Return what a process runs; one that was forked runs what the task does, which is no name for it."""
    if pid not in recording.processes:
        return f"process {pid}"
    command = recording.processes[pid].command
    own = recording.processes[recording.pid].command if recording.pid in recording.processes else ""
    return f"a fork of the task (pid {pid})" if command == own else command


def _lengths(each: list[float]) -> dict[str, Any]:
    """Return what a `Wait` says of its single waits."""
    return {"count": len(each), "median_s": median(each), "longest_s": max(each)} if each else {}


def _note(kind: str, target: str, holder: Place | None) -> str:
    if holder is not None:
        return f"held at {holder.file}:{holder.line} {holder.function}"
    return process_behind(target) if kind == "network" else ""


def _lines(whole: Seconds, namer: Namer) -> tuple[Line, ...]:
    found: dict[Place, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for where, seconds in whole.items():
        column = where.part if where.part in _CPU else "wait"
        found[namer.user_place(where.stack)][column] += seconds
    lines = [
        Line(
            file=place.file,
            line=place.line,
            function=place.function,
            python_s=columns["python"],
            native_s=columns["native"],
            wait_s=columns["wait"],
        )
        for place, columns in found.items()
        if place.file
    ]
    return tuple(sorted(lines, key=lambda line: -(line.python_s + line.native_s + line.wait_s)))


def _threads(accounts: Accounts, namer: Namer, recording: Recording) -> list[ThreadShare]:
    shares = []
    for (pid, tid), track in accounts.tracks.items():
        if pid != recording.pid:
            continue
        seconds = accounts.of(track)
        name = recording.threads.get((pid, tid), str(tid))
        on_cpu, _, _ = track.totals()
        on_lines = _lines(Seconds(float, {where: s for where, s in seconds.items() if where.part in _CPU}), namer)
        share = ThreadShare(
            name=name,
            wall_s=math.fsum(seconds.values()),
            cpu_s=on_cpu,
            parts=_parts(seconds),
            **{word: getattr(on_lines[0], word) for word in ("file", "line", "function")} if on_lines else {},
        )
        shares.append(share)
    return shares


def _children(accounts: Accounts, recording: Recording) -> list[Child]:
    found = []
    for process in recording.processes.values():
        first = accounts.tracks.get((process.pid, process.pid))
        if process.pid == recording.pid or first is None:
            continue
        seconds = accounts.of(first)
        own = [track for track in accounts.tracks.values() if track.pid == process.pid]
        found.append(
            Child(
                pid=process.pid,
                command=_command(recording, process.pid),
                wall_s=math.fsum(seconds.values()),
                cpu_s=math.fsum(track.totals()[0] for track in own),
                parts=_parts(seconds),
            )
        )
    return found


def _longest_first(seconds: Mapping[_Key, float]) -> list[tuple[_Key, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def _stacks(whole: Seconds, namer: Namer, recording: Recording) -> tuple[Stack, ...]:
    return tuple(
        Stack(
            thread=recording.threads.get(where.thread, str(where.thread[1])),
            part=where.part,
            seconds=seconds,
            frames=tuple(f"{place.function} ({place.file}:{place.line})" for place in namer.places(where.stack)[::-1]),
            own=_own(namer, where.stack),
        )
        for where, seconds in _longest_first(whole)
    )


def _own(namer: Namer, stack: int) -> int:
    """Return the index, from the outermost frame on, of the innermost frame of the user's code."""
    places, own = namer.places(stack), namer.user_place(stack)
    return len(places) - 1 - places.index(own) if own in places else -1
