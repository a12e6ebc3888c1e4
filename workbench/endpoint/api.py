"""Study one request of a Django project."""

from __future__ import annotations

import dataclasses
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from workbench.endpoint import refusals, trials
from workbench.endpoint.children import Child, ChildError
from workbench.endpoint.copies import Copies, PrivateFolder
from workbench.endpoint.findings import Candidate, Trace, columns, find, indexes
from workbench.endpoint.project import Project, find_project
from workbench.errors import TaskError, UsageError
from workbench.progress import progress_bar
from workbench.records import provenance
from workbench.results import EndpointStudy, Finding

#: What HTTP findings count with where no link is named.
USUAL_LINK_BITS = 20e6
#: How many requests the figures of the whole are medians of, and how many warm a process up.
REQUESTS, WARM_UPS = 9, 2
#: How often a request is recorded.
RECORDS = 2
#: A request that takes longer is made less often: so many times for the figures of the whole.
SLOW_S, FEWEST_REQUESTS = 1.0, 3
#: What a request of somebody else's holds.
OTHER_HEADERS = {
    "authorization": "Basic c29tZWJvZHk6ZWxzZQ==",
    "cookie": "somebody=else",
    "x-forwarded-for": "192.0.2.77",
    "user-agent": "another",
    "x-api-key": "another",
}
#: Fixes that change the code: those that pay are tried together too.
_IN_CODE = ("lazy", "database", "templates", "python")
#: A trial makes some more requests than this at least: with time for fewer left it is not begun.
REQUESTS_A_TRIAL = 6
#: A trial takes at least so long, however many there are.
LEAST_TRIAL_S = 1.5
#: A request may take so long, however small the budget.
LEAST_PATIENCE_S = 10.0
#: A share of the time that is worth trying longer for.
PROMISING = 0.05


def study_endpoint(
    project: str | Path,
    path: str,
    *,
    user: str | None = None,
    settings: str | None = None,
    python: str | None = None,
    method: str = "GET",
    data: str | None = None,
    database: Literal["copy", "readonly"] = "copy",
    rtt_s: float = 0.0,
    link_bits: float | None = None,
    hit_rate: float = 0.8,
    budget_s: float = 60.0,
    allow: Sequence[str] = (),
    progress: bool = True,
) -> EndpointStudy:
    """Say what bounds one request of a Django project, and which fix pays: each is tried on a copy.

    The project runs in its own interpreter, on a copy of its database. Mail, tasks, caches, files, programs and
    connections to anything but the copy are kept from happening, and counted.

    Parameters
    ----------
    project
        The folder that holds manage.py, or that file.
    path
        What to ask for, as in ``/books/?page=2``.
    user
        The name of the user who is logged in, by a session in the copy.
    settings
        The settings module, when it is not the one that manage.py names.
    python
        The interpreter, when it is not that of a virtual environment in or above the folder.
    method, data
        The request, and its body: JSON, or a form as in ``a=1&b=2``.
    database
        ``copy``, or ``readonly``: the database itself, by connections that can't write.
    rtt_s
        Seconds of a round trip to the database in production; predictions count with it.
    link_bits
        Bits a second of the clients' link; 20 Mbit/s when None.
    hit_rate
        The share of requests that a cache would answer.
    budget_s
        Seconds that trying may take.
    allow
        Servers that the view may ask, as in ``127.0.0.1:9000``: those where asking changes nothing.
    progress
        Draw a bar while fixes are tried, in a notebook or a terminal.

    Returns
    -------
    EndpointStudy

    Raises
    ------
    UsageError
        No such project, path or user; a database that can't be copied; a package that is missing there.
    TaskError
        The view fails, or its answer does not end.

    Examples
    --------
    >>> study_endpoint("no/such/folder", "/")
    Traceback (most recent call last):
    workbench.errors.UsageError: there is no project no/such/folder: pass the folder that holds manage.py
    """
    if not path.startswith("/"):
        raise UsageError(f"{path!r} is no path: pass one that starts with a slash, as in /books/")
    if not 0 <= hit_rate <= 1 or budget_s <= 0 or rtt_s < 0 or (link_bits is not None and link_bits <= 0):
        raise UsageError("pass a hit rate from 0 to 1, a budget and a link above 0, and a round trip of 0 or more")
    if database not in ("copy", "readonly"):
        raise UsageError(f"database={database!r}: pass 'copy' or 'readonly'")
    if user == "":
        raise UsageError("user='': pass the name of a user, or none at all")
    if not re.fullmatch(r"[A-Za-z]+", method):
        raise UsageError(f"method={method!r}: pass GET, POST or another word of HTTP")
    if unwritable := next((text for text in (path, data or "") if not _is_text(text)), None):
        raise UsageError(f"{unwritable!r} is no text in UTF-8: pass what it stands for in %xx")
    if wrong := [place for place in allow if not _is_place(place)]:
        raise UsageError(f"allow={wrong[0]!r}: pass a host and its port, as in 127.0.0.1:9000")
    request: trials.Request = {"path": path, "method": method.upper(), "data": data, "headers": {}}
    study = Study(find_project(project, settings, python), request, user, database == "readonly", tuple(allow))
    with study:
        return study.made(rtt_s, link_bits or USUAL_LINK_BITS, hit_rate, budget_s, progress=progress)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_place(place: str) -> bool:
    port = place.rpartition(":")[2]
    return place.startswith("/") or bool(re.fullmatch(r".+:\d{1,5}", place) and int(port) < 65536)


class Study:
    """The three children of a study: one records, one is the project as it is, one has the fixes."""

    def __init__(
        self, project: Project, request: trials.Request, user: str | None, read_only: bool, allow: tuple[str, ...]
    ) -> None:
        self.project, self.request, self.user, self.read_only = project, request, user, read_only
        self.allow = allow
        self.has_other = False
        self._stack = ExitStack()

    def __enter__(self) -> None:
        try:
            self._start()
        except ChildError as error:
            self._stack.close()
            raise refusals.translated(error, self.project) from None
        except OSError as error:
            self._stack.close()
            where = error.filename or "the temporary folder"
            raise TaskError(f"the project can't be copied to {where}: {error.strerror}; TMPDIR names another") from None
        except BaseException:
            self._stack.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        folder = self._stack.enter_context(PrivateFolder()).path
        children = []
        for name in ("recorder", "bare", "fixed"):
            (folder / name).mkdir(mode=0o700)
            child = self._stack.enter_context(Child(self.project.python, folder / name, name))
            root, private = str(self.project.folder), str(folder / name)
            child.send("load", root=root, settings=self.project.settings, private=private, allowed=self.allow)
            children.append(child)
        self.recorder, self.bare, self.fixed = children
        self.info = next(iter([child.reply() for child in children]))
        began_s = time.monotonic()
        known = self.info["databases"]
        if self.read_only:
            places: list[dict[str, Any]] = [{alias: {} for alias in known}] * 3
        else:
            copies = Copies(known, folder)
            self._stack.callback(copies.close)
            places = [copies.places(name) for name in ("recorder", "bare", "fixed")]
        self.copy_s = time.monotonic() - began_s
        for child, place in zip(children, places, strict=True):
            child.send("setup", databases=place, track=child is not self.bare, read_only=self.read_only)
        for child, place in zip(children, places, strict=True):
            ready = child.reply()
            _verify(ready["connected"], place, self.read_only)
            self.info["host"] = ready["host"]
        if self.user is not None:
            for child in children:
                child.order("login", user=self.user)
            self.has_other = all(
                child.order("login_other", user=self.user)["found"] for child in (self.bare, self.fixed)
            )

    def made(
        self, rtt_s: float, link_bits: float, hit_rate: float, budget_s: float, *, progress: bool
    ) -> EndpointStudy:
        """Measure, record, find and try."""
        try:
            return self._made(rtt_s, link_bits, hit_rate, time.monotonic() + budget_s, progress)
        except ChildError as error:
            raise refusals.translated(error, self.project) from None

    def _made(self, rtt_s: float, link_bits: float, hit_rate: float, until_s: float, progress: bool) -> EndpointStudy:
        self.bare.wait_at_most(max(until_s - time.monotonic(), LEAST_PATIENCE_S))  # it is the first that is asked
        trace, arms, walls_s = self.look(rtt_s, link_bits, hit_rate)
        candidates = find(trace)
        arms.rivals = max(1, sum(bool(one.patches) for one in candidates) + 1)
        with progress_bar(len(candidates), wanted=progress, unit="fix", desc="trying fixes") as bar:
            findings, together, raw = _all_tried(arms, candidates, until_s, bar.update)
        return EndpointStudy(
            path=self.request["path"],
            status=arms.status,
            wall_ms=trace.wall_ms,
            cpu_ms=trace.cpu_ms,
            queries=len(trace.queries),
            parts=_parts(trace.seen, trace.wall_ms, trace.waits),
            findings=findings,
            together=together,
            view=trace.view["name"],
            body_bytes=arms.body_bytes,
            statements=_statements(trace),
            effects=trace.seen["effects"],
            notes=self._notes(trace),
            copy_s=self.copy_s,
            raw={"bare": walls_s, **raw},
            provenance={**provenance(), "django": self.info["django"], "project_python": self.info["python"]},
        )

    def look(self, rtt_s: float, link_bits: float, hit_rate: float) -> tuple[Trace, trials.Arms, list[float]]:
        """Make the request and record it: what findings come from, what they are tried with, seconds of bare ones."""
        began_s = time.monotonic()
        status, body, reply = trials.body_of(self.bare, self.request)
        refusals.refuse_status(status, reply, self.request, self.user, self.info)
        first_s = time.monotonic() - began_s
        sample = self._warmed(body, WARM_UPS if first_s < SLOW_S else 1)
        times: list[list[float]] = []
        for _ in range(REQUESTS if first_s < SLOW_S else FEWEST_REQUESTS):
            again = self.bare.order("request", request=self.request, times=1, body=False)
            refusals.refuse_change(again["statuses"], status, self.request["path"], len(times) + 1 + len(sample) // 2)
            times.append(again["times"][0])
        asks_servers = any("sqlite3" not in one["ENGINE"] for one in self.info["databases"].values())
        waits = asks_servers or trials.has_waits(times)
        walls_s = [trials.seconds_of([one], waits) for one in times]
        cpu_s = statistics.median(one[1] for one in times)
        records = [
            self.recorder.order("record", request=self.request, patches=[], plans=True)
            for _ in range(RECORDS if first_s < SLOW_S else 1)
        ]
        statuses = [one["status"] for one in records]
        refusals.refuse_change(statuses, status, self.request["path"], len(times) + 2)
        seen = min(records, key=lambda record: float(record["cpu_s"]))  # the one that was disturbed least
        alike = len({*sample}) == 1 and self._is_for_all(sample[0], status)
        trace = self._trace(seen, waits, walls_s, cpu_s, reply, alike, rtt_s, link_bits, hit_rate)
        arms = trials.Arms(
            bare=self.bare, fixed=self.fixed, request=self.request, wall_s=trace.wall_ms / 1e3, link_bits=link_bits,
            body_bytes=reply["bytes"], rivals=1, status=status, waits=waits, sample=sample, has_other=self.has_other,
        )  # fmt: skip
        return trace, arms, [one[0] for one in times]

    def _warmed(self, body: bytes, times: int) -> list[bytes]:
        """Warm all children up, and return bare answers of two of them: in what they differ means nothing."""
        bodies = [body]
        for child in (self.bare, self.fixed):
            for _ in range(times):
                bodies.append(trials.body_of(child, self.request)[1])
        self.recorder.order("request", request=self.request, times=times, body=False)
        return bodies[1:]

    def _is_for_all(self, body: bytes, status: int) -> bool:
        """Say whether somebody else, from elsewhere, gets the same answer."""
        if self.request["method"] != "GET" or self.user is not None:
            return False
        other = {**self.request, "headers": OTHER_HEADERS, "remote": "192.0.2.77"}
        reply = trials.body_of(self.bare, other)
        return reply[:2] == (status, body)

    def _trace(
        self,
        seen: dict[str, Any],
        waits: bool,
        walls_s: list[float],
        cpu_s: float,
        reply: dict[str, Any],
        alike: bool,
        rtt_s: float,
        link_bits: float,
        hit_rate: float,
    ) -> Trace:
        bare = columns.targets(seen)
        reads = self._reads(bare) if bare and walls_s[0] < SLOW_S else None
        counted = {
            (table, column): self.recorder.order("selectivity", table=table, column=column)
            for table, column in indexes.wanted(seen)
        }
        info = {**self.info, **self.recorder.order("templates")}
        info["calls"] = {"calls": [], "wall_s": 1.0, "computing": []}
        if self.request["method"] == "GET" and walls_s[0] < SLOW_S:
            info["calls"] = self.recorder.order("calls", request=self.request, user=self.user)
        info |= self.recorder.order(
            "settings_lines",
            names={
                "session_line": r"^\s*SESSION_ENGINE\b|SessionMiddleware",
                "loaders_line": r"[\"']loaders[\"']",
                "databases_line": r"^\s*DATABASES\b",
            },
        )
        view = self.recorder.order("view_of", path=self.request["path"])
        return Trace(
            seen=seen,
            reads=reads,
            wall_ms=statistics.median(walls_s) * 1e3,
            least_ms=min(walls_s) * 1e3,
            cpu_ms=cpu_s * 1e3,
            answer=reply,
            alike=alike,
            info=info,
            view=view,
            path=self.request["path"],
            method=self.request["method"],
            user=self.user,
            waits=waits,
            rtt_s=rtt_s,
            link_bits=link_bits,
            hit_rate=hit_rate,
            selectivity=counted,
        )

    def _reads(self, patches: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Record the request with rows that hold their keys alone; None where it does not work so."""
        try:
            found: dict[str, Any] = self.recorder.order("record", request=self.request, patches=patches, plans=False)
        except ChildError as error:
            if error.kind != "failed":
                raise
            return None
        return found if found["status"] < 400 else None

    def _notes(self, trace: Trace) -> tuple[str, ...]:
        others = f"all but {', '.join(self.allow)}" if self.allow else "all"
        notes = [f"caches are empty ones in memory; of connections, {others} are refused; no program is started"]
        notes += ["DEBUG is on in these settings: times are with it"] if self.info["debug"] else []
        notes += ["this GET writes to the database"] if trace.writes and trace.method == "GET" else []
        notes += [
            f"{count} × {effect} kept from happening or done on the copy alone" + (f", as in {where}" if where else "")
            for effect, count in trace.seen["effects"].items()
            for where in (trace.seen["refused"].get(effect, ""),)
        ]
        return tuple(notes)


def _verify(connected: dict[str, str], places: dict[str, Any], read_only: bool) -> None:
    """Refuse to go on where a child is connected to anything but its copy."""
    if read_only:
        return
    for alias, place in places.items():
        wanted = f"{place['NAME']}:{place['PORT']}" if "PORT" in place else place["NAME"]
        if connected.get(alias) != wanted:
            raise TaskError(f"the database {alias} is not the copy: nothing was asked of the project")


def _all_tried(
    arms: trials.Arms, candidates: list[Candidate], until_s: float, tell: Callable[[], object]
) -> tuple[tuple[Finding, ...], Finding | None, dict[str, list[float]]]:
    """Try all candidates that can be, and those that pay together."""
    findings: list[Finding] = []
    raw: dict[str, list[float]] = {}
    paying: list[tuple[Candidate, Finding]] = []
    promising = {id(one): _weight(arms, one) for one in candidates if one.patches}
    waiting = sum(promising.values()) + 1
    for candidate in candidates:
        tell()
        finding = candidate.finding
        if not candidate.patches:
            findings.append(dataclasses.replace(finding, verdict="can't be tried"))
            continue
        if time.monotonic() + REQUESTS_A_TRIAL * arms.wall_s > until_s:
            findings.append(dataclasses.replace(finding, verdict="can't be tried", hazard=trials.TIME_WAS_UP))
            continue
        weight = promising[id(candidate)]
        share_s = max(LEAST_TRIAL_S, (until_s - time.monotonic()) * weight / waiting)
        waiting -= weight
        finding, times = trials.tried(arms, candidate, share_s)
        place = f"{Path(finding.file).name}:{finding.line}"
        raw |= {f"{finding.kind} {place} {arm}": values for arm, values in times.items()}
        findings.append(finding)
        if finding.verdict == "pays" and finding.area in _IN_CODE:
            paying.append((candidate, finding))
    together = None
    if len(paying) > 1:
        patches = tuple(patch for candidate, _ in paying for patch in candidate.patches)
        asked = Finding(area="python", kind="together", queries_before=paying[0][1].queries_before)
        share_s = max(LEAST_TRIAL_S, until_s - time.monotonic())
        together, _ = trials.tried(arms, Candidate(finding=asked, patches=patches), share_s)
    elif paying:
        together = paying[0][1]
    ranked = sorted(findings, key=lambda one: -(one.tried_ms if one.tried_ms is not None else one.predicted_ms or 0.0))
    return tuple(ranked), together, raw


def _weight(arms: trials.Arms, candidate: Candidate) -> int:
    """Return how much of the time a trial deserves: a small gain of the code needs many rounds to show."""
    promised = (candidate.finding.predicted_ms or 0.0) / (arms.wall_s * 1e3)
    return 3 if candidate.finding.area in _IN_CODE and promised >= PROMISING else 1


_PARTS = {
    "sql": "sql",
    "orm": "orm",
    "templates": "templates",
    "serialisation": "serialisation",
    "view": "python",
    "middleware": "middleware",
    "cache": "cache",
    "upstream": "upstream",
    "connecting": "connecting",
}


def _parts(seen: dict[str, Any], wall_ms: float, waits: bool) -> dict[str, float]:
    """Split the time by the shares that were recorded: of the CPU time, or of the wall time where there are waits.

    What code spends off the CPU is a wait; the database and upstream calls are parts of their own.
    """
    known = {_PARTS[name]: times for name, times in seen["parts"].items() if name in _PARTS}
    own = known if not waits else {name: known[name] for name in ("sql", "upstream", "connecting") if name in known}
    parts = {name: times[0 if waits and name in own else 1] for name, times in known.items()}
    held = sum(max(0.0, wall - cpu) for name, (wall, cpu) in known.items() if name not in own)
    if held > 0:
        parts["waits"] = held
    whole = sum(parts.values()) or 1.0
    return {name: wall_ms * seconds / whole for name, seconds in parts.items()}


def _statements(trace: Trace) -> tuple[dict[str, Any], ...]:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for query in trace.queries:
        line = query["line"] or ["", 0, ""]
        found = groups.setdefault(
            (query["sql"], str(line)),
            {
                "sql": query["sql"][:500],
                "times": 0,
                "ms": 0.0,
                "rows": 0,
                "file": line[0],
                "line": line[1],
                "template": query["template"],
                "template_line": query["template_line"],
            },
        )
        found["times"] += 1
        found["ms"] += trace.cost_ms(query)
        found["rows"] += trace.fetches[query["fetch"]]["rows"] if query["fetch"] is not None else 0
    return tuple(sorted(groups.values(), key=lambda found: -found["ms"])[:50])
