"""Try a fix: the project as it is and the project with it, request by request, in pairs."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import math
import random
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from workbench.comparison.statistics import Interval, interval, is_look
from workbench.endpoint.children import Child, ChildError
from workbench.endpoint.findings import Candidate
from workbench.results import Finding

#: A round takes at least so long in each arm, by repeating short requests.
ROUND_S = 0.02
MOST_TIMES, MOST_ROUNDS = 20, 64
#: How often answers are compared, for a second may pass in between.
TRIES = 3
#: Two processes of the same code differ by so much: a smaller gain is none.
LEAST = 1.02
#: A change that saves fewer milliseconds of a request is not worth making.
LEAST_MS = 0.5
#: A gain that may be this large is not called none.
WORTH = 1.1
TIME_WAS_UP = "time was up before its saving was known: pass a larger --budget"
#: An interval this narrow needs no more rounds.
PRECISION = 0.03
#: A saving is told when its ratio is known this well, or time is up.
NARROW = 0.1
#: A smaller share of the time off the CPU is noise.
WAITS = 0.1
_TOKEN = re.compile(rb"[A-Za-z0-9_]+|[^A-Za-z0-9_]")

Request = dict[str, Any]


@dataclass
class Arms:
    """The two processes, the request, and what the bare answers look like."""

    bare: Child
    fixed: Child
    request: Request
    wall_s: float
    link_bits: float
    rivals: int
    body_bytes: int = 0
    status: int = 200
    waits: bool = True
    sample: Sequence[bytes] = ()
    has_other: bool = False
    random: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def times(self) -> int:
        """How often a round makes the request in each arm."""
        return max(1, min(MOST_TIMES, round(ROUND_S / max(self.wall_s, 1e-6))))


def body_of(child: Child, request: Request) -> tuple[int, bytes, dict[str, Any]]:
    """Make a request and return status, body and reply."""
    reply = child.order("request", request=request, times=1, body=True)
    body = base64.b64decode(reply.pop("body"))
    if reply["headers"].get("content-encoding") == "gzip":
        with suppress(OSError, EOFError):  # a body that only says so is compared as it is
            body = gzip.decompress(body)
    return reply["status"], body, reply


def same_status(reply: dict[str, Any], status: int) -> None:
    """Refuse times of answers that are not what is studied.

    Raises
    ------
    ChildError
        Another status than the first request's.
    """
    if others := [other for other in reply["statuses"] if other != status]:
        raise ChildError("status", f"it answers {others[0]} after some requests, not {status}")


def same_but_for_tokens(bare: Sequence[bytes], answer: bytes) -> bool:
    """Say whether an answer is the same as bare ones, but for tokens in which these differ among themselves.

    Examples
    --------
    >>> same_but_for_tokens([b"token=abc 5 books", b"token=def 5 books"], b"token=xyz 5 books")
    True
    >>> same_but_for_tokens([b"token=abc 5 books", b"token=def 5 books"], b"token=xyz 4 books")
    False
    """
    if answer in bare:
        return True
    split = [_TOKEN.findall(body) for body in bare]
    found = _TOKEN.findall(answer)
    if any(len(tokens) != len(found) for tokens in split):
        return False
    return all(len(set(known)) > 1 or known[0] == token for *known, token in zip(*split, found, strict=True))


def has_waits(times: Sequence[Sequence[float]]) -> bool:
    """Say whether requests wait for more than a core: even the one that was disturbed least."""
    return min((wall - cpu - queued) / wall for wall, cpu, queued in times) > WAITS


def seconds_of(times: Sequence[Sequence[float]], waits: bool) -> float:
    """Return the time of some requests without what they waited for a core: others' work is not theirs.

    Where a request waits for nothing else, its CPU time is the surest measure.
    """
    return sum(max(wall - queued if waits else 0.0, cpu, 1e-7) for wall, cpu, queued in times)


def tried(arms: Arms, candidate: Candidate, share_s: float) -> tuple[Finding, dict[str, list[float]]]:
    """Try a candidate; return its finding with what came of it, and the raw times.

    Parameters
    ----------
    arms
        The two children.
    candidate
        With patches.
    share_s
        Seconds after which no round begins; the answers are compared first.
    """
    finding = candidate.finding
    try:
        arms.fixed.order("set_arm", patches=list(candidate.patches))
        return _tried(arms, candidate, share_s)
    except ChildError as error:
        if error.kind in ("gone", "endless"):
            raise
        return dataclasses.replace(finding, verdict="can't be tried", hazard=str(error)), {}
    finally:
        arms.fixed.order("set_arm", patches=[])


def _tried(arms: Arms, candidate: Candidate, share_s: float) -> tuple[Finding, dict[str, list[float]]]:
    finding = candidate.finding
    request = {**arms.request, "headers": {**arms.request.get("headers", {}), **candidate.headers}}
    body_of(arms.fixed, request)  # fills what the fix fills: a cache, the loader
    reply, same = _compared(arms, arms.request, request)
    if same and candidate.shared:
        if not arms.has_other:
            why = "there is nobody else to ask whether the answer is the same for all: it needs another such user"
            return dataclasses.replace(finding, verdict="can't be tried", hazard=why), {}
        others = {"as_other": True}
        if not _compared(arms, arms.request | others, request | others)[1]:
            why = f"another user gets what was made for this one; {finding.hazard}"
            return dataclasses.replace(finding, verdict="harms", same_answer=False, hazard=why), {}
    after = len(arms.fixed.order("record", request=request, patches=[], plans=False)["queries"])
    finding = dataclasses.replace(finding, same_answer=same, queries_after=after)
    if not same:
        return dataclasses.replace(finding, verdict="harms", hazard=f"the answer changes; {finding.hazard}"), {}
    if after >= finding.queries_before and any(
        patch["do"] in ("relations", "preload", "memo") for patch in candidate.patches
    ):
        why = "what was put in its place here saves no query: by hand it may"
        return dataclasses.replace(
            finding, verdict="can't be tried", queries_after=None, same_answer=None, hazard=why
        ), {}
    if candidate.conditional:
        request["headers"]["if-none-match"] = reply["headers"].get("etag", "")
    bare_s, fixed_s, found = alternated(arms, candidate, request, time.monotonic() + share_s)
    return _judged(arms, finding, candidate, found), {"bare": bare_s, "fixed": fixed_s}


def _compared(arms: Arms, bare: Request, request: Request) -> tuple[dict[str, Any], bool]:
    """Compare an answer with bare ones of the same moment: pages tell how long ago something was."""
    for _ in range(TRIES):
        before = body_of(arms.bare, bare)[1]
        status, body, reply = body_of(arms.fixed, request)
        fresh = [before, body_of(arms.bare, bare)[1]]
        older = arms.sample if bare is arms.request else ()
        if status == arms.status and any(same_but_for_tokens([*fresh, *known], body) for known in ([], older)):
            return reply, True
    return reply, False


def alternated(
    arms: Arms, candidate: Candidate, request: Request, until_s: float
) -> tuple[list[float], list[float], Interval]:
    """Make the bare request and another one of the fixed arm in turn, until their ratio is known or time is up.

    Returns
    -------
    tuple
        Seconds of the one and of the other by rounds, and the interval of their ratio.
    """
    times: dict[bool, list[float]] = {False: [], True: []}
    while True:
        for fixed in arms.random.sample((False, True), 2):
            child, asked = (arms.fixed, request) if fixed else (arms.bare, arms.request)
            reply = child.order("request", request=asked, times=arms.times, body=False)
            if not candidate.conditional or not fixed:
                same_status(reply, arms.status)
            link_s = reply["bytes"] * 8 / arms.link_bits if candidate.on_link else 0.0
            times[fixed].append(seconds_of(reply["times"], arms.waits) / arms.times + link_s)
        rounds = len(times[True])
        last = time.monotonic() > until_s or rounds >= MOST_ROUNDS
        if last or is_look(rounds):
            found = interval(times[False], times[True], last=last, rivals=arms.rivals)
            if last or (found.settled(PRECISION) and found.high <= found.low * (1 + NARROW) ** 2):
                return times[False], times[True], found


def saved_ms(whole_ms: float, ratio: Interval) -> tuple[float, float, float]:
    """Return what a ratio saves of a time, with its interval: cores get faster and slower, ratios stay.

    Examples
    --------
    >>> saved_ms(90.0, Interval(2.0, 1.0, 4.0))
    (45.0, 0.0, 67.5)
    """
    saved, low, high = (whole_ms * (1 - 1 / max(one, 1e-9)) for one in (ratio.speedup, ratio.low, ratio.high))
    return saved, low, high


def _judged(arms: Arms, finding: Finding, candidate: Candidate, found: Interval) -> Finding:
    """Return a finding with its saving of the page's time, and its verdict."""
    if not 0 < found.low <= found.high < math.inf or found.low <= LEAST < WORTH <= found.high:
        return dataclasses.replace(finding, verdict="can't be tried", hazard=TIME_WAS_UP)
    link_s = arms.body_bytes * 8 / arms.link_bits if candidate.on_link else 0.0
    saved, low, high = saved_ms(candidate.share * (arms.wall_s + link_s) * 1e3, found)
    gains = found.low > LEAST and saved >= LEAST_MS
    verdict = "pays" if gains else "harms" if found.high < 1 / LEAST else "does not"
    return dataclasses.replace(finding, tried_ms=saved, tried_low=low, tried_high=high, verdict=verdict)
