"""What the workbench finds out, as frozen dataclasses that turn into JSON, tables and HTML.

Results are plain data: they never measure, read files or import the code that made them, so a report can be made from
them years later.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self

from workbench.faults import words_for
from workbench.masking import masked_all
from workbench.opportunity import Opportunity, check_verdict, saving_in_words
from workbench.parts import NAMES, PARTS, REQUEST_PARTS
from workbench.plain import from_plain, json_fields, to_plain
from workbench.speedscope import speedscope
from workbench.views import Card, Place, Rows, Segment, View, number, span

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
#: The share of the wall time from which a row is shown.
_LEAST_SHARE = 0.003
_NOTHING_PAYS = "no change that is known here would save 5 %"
#: The rows of each table that a notebook shows.
_MOST_ROWS = 20

Provenance = dict[str, Any]


class Result(ABC):
    """A frozen dataclass that has a ``kind`` and goes to JSON and back. Secrets in its text are masked: it is shown."""

    kind: ClassVar[str]
    provenance: Provenance

    def __init_subclass__(cls) -> None:
        # IPython goes from class to class, and would take a dataclass's own repr before what its base offers.
        cls._repr_pretty_ = Result._repr_pretty_  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        """Mask secrets, so that nothing that is made of a result can show one."""
        for item in json_fields(self).values():
            object.__setattr__(self, item.name, masked_all(getattr(self, item.name)))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `json.dump`: ``kind``, ``schema`` and every field.

        Returns
        -------
        dict
            `from_json` of the same class takes it back, equal.
        """
        return {"schema": SCHEMA, "kind": self.kind, **to_plain(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a result from what `to_json` made.

        Raises
        ------
        RecordError
            When a field is missing, unknown or of another shape.
        """
        fields = {key: value for key, value in data.items() if key not in ("schema", "kind")}
        revived: Self = from_plain(cls, fields, cls.kind)
        return revived

    @abstractmethod
    def tables(self) -> tuple[Rows, ...]:
        """Return what was found as titled tables, the most telling first; all that is shown of them is made of them."""

    def table(self) -> pd.DataFrame:
        """Return the first of its tables, one row for each thing that was measured."""
        return self.tables()[0].frame()

    def summary(self) -> str:
        """Return the result as text, as a terminal shows it."""
        return self.tables()[0].text()

    def __str__(self) -> str:
        return self.summary()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.summary())

    def _repr_html_(self) -> str:
        return self.tables()[0].html()


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One thing that a task waited for.

    ``kind`` is one of `workbench.parts.NAMES`; ``target`` names the peer, path, lock or child; ``file``, ``line`` and
    ``function`` say where in the Python code; ``seconds`` is the wall time spent; ``note`` says more where it is known:
    the process behind a peer, the line that held a lock. ``count`` is how many waits of it were seen one by one in
    threads of the task, of which ``median_s`` and ``longest_s`` say how long they were; waits too short to be seen one
    by one are seen as fewer, longer ones.
    """

    kind: str
    target: str
    file: str
    line: int
    function: str
    seconds: float
    note: str = ""
    count: int = 0
    median_s: float = 0.0
    longest_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """Seconds spent at one line: running Python, running native code, waiting."""

    file: str
    line: int
    function: str
    python_s: float
    native_s: float
    wait_s: float


@dataclass(frozen=True, kw_only=True)
class ThreadShare:
    """Where one thread's wall time went: ``parts`` (seconds by `workbench.parts.NAMES`) add up to ``wall_s``.

    ``file``, ``line`` and ``function`` are where it was on the CPU most.
    """

    name: str
    wall_s: float
    cpu_s: float
    parts: dict[str, float]
    file: str = ""
    line: int = 0
    function: str = ""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A child process of the task and what it did while the task ran (``parts`` in seconds)."""

    pid: int
    command: str
    wall_s: float
    cpu_s: float
    parts: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A Python stack and the seconds that went to it: ``frames`` are ``function (file:line)``, the outermost first.

    ``own`` is the index of the innermost frame of the user's own code, −1 where that is not known.
    """

    thread: str
    part: str
    seconds: float
    frames: tuple[str, ...]
    own: int = -1


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Something that hides in Python and native code: ``what``, seconds, the user's line, and what that called.

    The line of what is counted for the whole task, such as garbage collection, is the one that was on the CPU most.
    """

    what: str
    seconds: float
    file: str
    line: int
    callee: str


@dataclass(frozen=True, kw_only=True)
class Await:
    """A line at which tasks of an event loop waited: for how long, and how many at once, in the mean and at most.

    ``alone_s`` are the seconds in which one task waited there, and no other task for anything.
    """

    file: str
    line: int
    function: str
    seconds: float
    mean: float
    peak: int
    alone_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A line that kept an event loop from running for ``seconds`` (the longest) and how often it did."""

    file: str
    line: int
    function: str
    seconds: float
    times: int


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Result):
    """Where a task's wall time went, the verdict, and the evidence for it.

    ``verdict`` is ``CPU-bound``, ``IO-bound``, ``contended``, ``idle``, ``mixed`` or ``unclear``; ``bound_by`` is the
    largest part, or ``mixed`` or ``unclear``; ``parts`` are seconds that add up to ``wall_s``; ``counters`` are what
    the kernel counted (``user_s``, ``system_s``, ``children_s``, ``runqueue_s``, ``waiting_s`` …); ``overhead`` is the
    share of the wall time that diagnosing itself cost, or None where that could not be measured. ``runs`` is how often
    a short task was repeated, all times being those of all runs; ``failure`` says how the task failed, if it did.
    ``inside`` names what hides in ``python`` and ``native``, from 5 % of the wall time on.
    ``opportunities`` are changes that would pay, the largest saving first; empty where nothing would save 5 %.

    ``answer`` is what the task returned. It stays in this process: JSON and comparisons leave it out.

    Examples
    --------
    >>> from workbench import diagnose
    >>> import time
    >>> diagnosis = diagnose(time.sleep, 0.1, repeat=1)
    >>> Diagnosis.from_json(diagnosis.to_json()) == diagnosis
    True
    """

    kind: ClassVar[str] = "diagnosis"

    target: str
    verdict: str
    bound_by: str
    reasons: tuple[str, ...]
    wall_s: float
    cpu_s: float
    overhead: float | None
    parts: dict[str, float]
    counters: dict[str, float]
    waits: tuple[Wait, ...] = ()
    lines: tuple[Line, ...] = ()
    threads: tuple[ThreadShare, ...] = ()
    children: tuple[Child, ...] = ()
    stalls: tuple[Stall, ...] = ()
    stacks: tuple[Stack, ...] = ()
    awaits: tuple[Await, ...] = ()
    inside: tuple[Inside, ...] = ()
    opportunities: tuple[Opportunity, ...] = ()
    runs: int = 1
    failure: str | None = None
    provenance: Provenance = field(default_factory=dict)
    answer: Any = field(default=None, compare=False, repr=False, metadata={"json": False})

    def tables(self, least_share: float = 0.0) -> tuple[Rows, ...]:
        """Return parts, waits, lines and what more is known, the longest first, without those of a smaller share.

        The parts have a share each, and are in their own order.
        """
        least_s = least_share * self.wall_s
        parts = [(name, self.parts.get(name, 0.0), self._share(name)) for name in NAMES]
        waits = [
            (
                item.seconds,
                item.kind,
                item.target,
                Place(item.file, item.line),
                item.function,
                item.count or None,
                item.median_s or None,
                item.note,
            )
            for item in self.waits
            if item.seconds >= least_s
        ]
        lines = [
            (item.python_s, item.native_s, item.wait_s, Place(item.file, item.line), item.function)
            for item in self.lines
            if item.python_s + item.native_s + item.wait_s >= least_s
        ]
        inside = [(item.seconds, item.what, Place(item.file, item.line), item.callee or None) for item in self.inside]
        awaits = [
            (item.seconds, item.mean, item.peak, Place(item.file, item.line), item.function)
            for item in self.awaits
            if item.seconds >= least_s
        ]
        stalls = [(item.seconds, item.times, Place(item.file, item.line), item.function) for item in self.stalls]
        return (
            Rows("where the wall time went", ("part", "seconds", "share"), tuple(parts)),
            Rows("waits", ("seconds", "kind", "target", "line", "function", "times", "median_s", "note"), tuple(waits)),
            Rows("lines", ("python_s", "native_s", "wait_s", "line", "function"), tuple(lines)),
            Rows("inside of python and native", ("seconds", "what", "line", "callee"), tuple(inside)),
            Rows("awaits", ("seconds", "at_once", "peak", "line", "function"), tuple(awaits)),
            Rows("event loop stalls", ("longest_s", "times", "line", "function"), tuple(stalls)),
        )

    def waits_table(self) -> pd.DataFrame:
        """Return what was waited for.

        Columns are ``seconds``, ``kind``, ``target``, ``line``, ``function``, ``times``, ``median_s``, ``note``.
        """
        return self.tables()[1].frame()

    def lines_table(self) -> pd.DataFrame:
        """Return the lines that took time: ``python_s``, ``native_s``, ``wait_s``, ``line``, ``function``."""
        return self.tables()[2].frame()

    def view(self) -> View:
        """Return what is shown of it."""
        times = [f"{number(self.wall_s)} s wall", f"{number(self.cpu_s)} s CPU"]
        times += [f"{self.runs} runs of {number(1e3 * self.wall_s / self.runs)} ms"] if self.runs > 1 else []
        times += [] if self.overhead is None else [f"diagnosing cost {self.overhead:.1%}"]
        failed = (f"the task failed: {self.failure}",) if self.failure else ()
        return View(
            title=self.target,
            headline=self.verdict if self.verdict == self.bound_by else f"{self.verdict}, bound by {self.bound_by}",
            facts=tuple(times),
            bar=tuple(Segment(part.name, self._share(part.name), part.colour) for part in PARTS),
            says=(*failed, *self.reasons),
            cards=tuple(opportunity.card(self.wall_s) for opportunity in self.opportunities),
            tables=self.tables(least_share=_LEAST_SHARE)[1:],
        )

    def summary(self, rows: int = 5) -> str:
        """Return the diagnosis as plain text: its ``rows`` longest waits and lines, and the three best changes."""
        lines = [self.view().text(rows)]
        lines += ["", "what would pay:" if self.opportunities else f"what would pay: {_NOTHING_PAYS}"]
        for rank, found in enumerate(self.opportunities[:3], 1):
            lines += [
                f"{rank}. {line}" if at == 0 else f"   {line}" for at, line in enumerate(found.lines(self.wall_s))
            ]
        return "\n".join(lines)

    def to_speedscope(self) -> dict[str, Any]:
        """Return the stacks as a flame graph for https://www.speedscope.app; save it with `json.dump`."""
        return speedscope(
            self.target, ((stack.thread, (*stack.frames, f"[{stack.part}]"), stack.seconds) for stack in self.stacks)
        )

    def _share(self, part: str) -> float:
        return self.parts.get(part, 0.0) / self.wall_s if self.wall_s else 0.0

    def _repr_html_(self) -> str:
        return self.view().html(_MOST_ROWS)


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One remedy beside the baseline: ``speedup`` is baseline time ÷ remedy time, with its confidence interval.

    Times and ratios are None where a remedy could not be measured; ``verdict`` then says ``failed`` or ``skipped`` and
    ``note`` why. A remedy with another answer than the baseline has ``same_answer`` False and verdict ``wrong``.
    """

    remedy: str
    workers: int | None = None
    median_s: float | None = None
    speedup: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    predicted: float | None = None
    predicted_low: float | None = None
    predicted_high: float | None = None
    same_answer: bool | None = None
    verdict: str = ""
    note: str = ""


#: How the note of a remedy begins that was not tried, since its prediction is below what another one was seen to gain.
COULD_NOT_WIN = "could not win"


def _rank(row: ComparisonRow) -> tuple[int, float]:
    """Order rows as a person reads them: the baseline, what was measured, what was predicted alone, and the rest."""
    if row.verdict == "baseline":
        return 0, 0.0
    if row.speedup is not None and row.same_answer is not False:
        return 1, -row.speedup
    if row.verdict in ("wrong", "failed"):
        return 2, 0.0
    return (4, 0.0) if row.verdict == "skipped" else (3, -(row.predicted or 0.0))


@dataclass(frozen=True, kw_only=True)
class Comparison(Result):
    """Remedies run against a baseline in interleaved rounds; ``raw`` keeps every time (seconds, one a round).

    Examples
    --------
    >>> rows = (ComparisonRow(remedy="threads", workers=8, speedup=7.5, ci_low=7.0, ci_high=8.0, verdict="faster"),)
    >>> comparison = Comparison(target="get", items=40, baseline="sequential", rows=rows, recommended="threads",
    ...     reason="threads are 7.5 times faster.", rounds=8, raw={})
    >>> comparison.short_table()[["remedy", "speedup"]].to_dict("records")
    [{'remedy': 'threads × 8', 'speedup': '7.5 (7 to 8)'}]
    """

    kind: ClassVar[str] = "comparison"

    target: str
    items: int
    baseline: str
    rows: tuple[ComparisonRow, ...]
    recommended: str | None
    reason: str
    rounds: int
    raw: dict[str, list[float]]
    provenance: Provenance = field(default_factory=dict)

    def tables(self) -> tuple[Rows, ...]:
        """Return the remedies as a person reads them, and the curves of the search for the number of workers."""
        short = [
            (
                row.remedy + (f" × {row.workers}" if row.workers else ""),
                number(row.median_s),
                number(row.speedup) + span(row.ci_low, row.ci_high),
                number(row.predicted) + span(row.predicted_low, row.predicted_high),
                row.verdict,
                row.note,
            )
            for row in sorted(self.rows, key=_rank)
        ]
        return (
            Rows("remedies", ("remedy", "median_s", "speedup", "predicted", "verdict", "note"), tuple(short)),
            Rows("by the number of workers", ("remedy", "workers", "seconds", "speedup"), self._curves()),
        )

    def table(self) -> pd.DataFrame:
        """Return one row for each remedy, the baseline first, with every field of it as a number of its own."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(row) for row in self.rows]).astype({"workers": "Int64"})

    def short_table(self) -> pd.DataFrame:
        """Return the table as a person reads it: intervals beside their values, workers beside the remedy."""
        return self.tables()[0].frame()

    def curves(self) -> pd.DataFrame:
        """Return what the search for the number of workers found: ``remedy``, ``workers``, ``seconds``, ``speedup``.

        Seconds are for all items, by the quickest of a few runs of a sample; speed-ups are over the baseline or, where
        that has no time, over the fewest workers that were tried.
        """
        return self.tables()[1].frame()

    def summary(self) -> str:
        """Return what was measured and predicted as text; below, notes, what was not tried, and the advice."""
        short = self.tables()[0]
        verdict = short.columns.index("verdict")
        cells = tuple(row[:-1] for row in short.rows if row[verdict] != "skipped")
        table = Rows(short.title, short.columns[:-1], cells)
        rows = sorted(self.rows, key=_rank)
        passed_over = [row.remedy for row in rows if row.note.startswith(COULD_NOT_WIN)]
        skipped = [f"{row.remedy} ({row.note})" for row in rows if row.verdict == "skipped"]
        others = [row for row in rows if row.verdict != "skipped" and row.remedy not in passed_over]
        notes = [f"{row.remedy}: {row.note}" for row in others if row.note]
        notes += [f"not tried, for they could not win: {', '.join(passed_over)}"] if passed_over else []
        notes += [f"left out: {'; '.join(skipped)}"] if skipped else []
        return "\n".join([table.text(), *notes, self.reason])

    def _curves(self) -> tuple[tuple[str, int, float, float], ...]:
        found = [
            (remedy, int(workers), min(times_s))
            for name, times_s in self.raw.items()
            for remedy, at, workers in [name.rpartition("@")]
            if at
        ]
        plain_s = self.rows[0].median_s if self.rows else None
        fewest_s = {remedy: seconds for remedy, _, seconds in reversed(found)}
        return tuple((remedy, workers, s, (plain_s or fewest_s[remedy]) / s) for remedy, workers, s in found)

    def _repr_html_(self) -> str:
        return f"{self.tables()[0].html()}<p>{escape(self.reason)}</p>"


@dataclass(frozen=True, kw_only=True)
class Table(Result):
    """A titled table of measured values: ``rows`` hold one value for each of ``columns``.

    ``plot`` says how to draw it, in names of columns; it is empty for a table that is not drawn. Lines: ``x``, ``y``,
    ``by`` (a line for each of its values), ``panel`` (a panel for each of its values) and ``log`` (the axes that are
    logarithmic: ``"x"``, ``"y"`` or ``"xy"``). A grid of ratios: ``x`` and ``y``, ``cell`` (the ratio) and ``beside``
    (another one, shown in brackets).

    Examples
    --------
    >>> Table(title="squares", columns=("n", "square"), rows=((2, 4), (3, 9))).table()["square"].tolist()
    [4, 9]
    """

    kind: ClassVar[str] = "table"

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    plot: dict[str, str] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=dict)

    @classmethod
    def from_frame(cls, title: str, frame: pd.DataFrame, *, plot: dict[str, str] | None = None) -> Self:
        """Make a table of a DataFrame's columns; the index is left out.

        Parameters
        ----------
        title
            One line that says what the table shows.
        frame
            Its values become plain Python numbers, strings, booleans and None.
        plot
            How to draw it: see `Table`.
        """
        known = frame.astype(object).where(frame.notna(), None)
        rows = tuple(tuple(map(to_plain, row)) for row in known.itertuples(index=False, name=None))
        return cls(title=title, columns=tuple(map(str, frame.columns)), rows=rows, plot=plot or {})

    def tables(self) -> tuple[Rows, ...]:
        """Return the one table that it is."""
        return (Rows(self.title, self.columns, self.rows),)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A change to an endpoint that may pay: where, how, what it was predicted to save and what it saved when tried.

    Attributes
    ----------
    area
        ``caching``, ``lazy``, ``database``, ``http``, ``static``, ``templates``, ``python`` or ``upstream``.
    kind
        What was found, as in ``n_plus_one_fk``.
    file, line, template, template_line
        The line to change, and the line of the template that causes it; empty and 0 where there is none.
    fix, hazard
        The change in two lines of code, and what may go wrong with it.
    queries_before, queries_after
        Of the whole request, without the fix and with it; the latter is None while it was not tried.
    predicted_ms, tried_ms
        Milliseconds saved, each with its interval; None where that is not known.
    same_answer
        Whether the answer stayed the same; None while it was not tried.
    verdict
        ``pays``, ``does not``, ``harms`` or ``can't be tried``; nothing pays that was not tried.
    why
        The evidence, in a line.

    Raises
    ------
    ValueError
        An unknown verdict, or one of ``pays`` without the same answer.

    Examples
    --------
    >>> Finding(area="database", kind="get_in_loop", tried_ms=20.0, verdict="pays", same_answer=True).saving
    '20 ms, tried'
    """

    area: str
    kind: str
    file: str = ""
    line: int = 0
    template: str = ""
    template_line: int = 0
    fix: str = ""
    why: str = ""
    queries_before: int = 0
    queries_after: int | None = None
    predicted_ms: float | None = None
    predicted_low: float | None = None
    predicted_high: float | None = None
    tried_ms: float | None = None
    tried_low: float | None = None
    tried_high: float | None = None
    same_answer: bool | None = None
    hazard: str = ""
    verdict: str = ""

    def __post_init__(self) -> None:
        check_verdict(self.verdict)
        if self.verdict == "pays" and not self.same_answer:
            raise ValueError("what pays was tried and gave the same answer")

    @property
    def place(self) -> Place:
        """The line to change, or that of the template."""
        return Place(self.file, self.line) if self.file else Place(self.template, self.template_line)

    @property
    def saving(self) -> str:
        """What it saves, in words: as tried, else as predicted."""
        predicted = self.predicted_ms, self.predicted_low, self.predicted_high
        return saving_in_words((self.tried_ms, self.tried_low, self.tried_high), predicted, "ms")

    def card(self) -> Card:
        """Return what is shown of it in a web page."""
        places = [str(self.place.near())] + [str(Place(self.template, self.template_line).near())] * (
            bool(self.template) and bool(self.file)
        )
        after = self.queries_after
        queries = f"queries {self.queries_before} → {after}" if after is not None else ""
        but = f"but: {self.hazard}" if self.hazard else ""
        words, colour = _OUTCOMES.get(self.verdict, ("not tried", ""))
        return Card(
            title=words_for(self.kind),
            badge=f"{words}: {self.saving}",
            colour=colour,
            says=tuple(text for text in (" · ".join(places), self.why, queries, but) if text),
            code=self.fix,
        )


#: Words and colour of a finding's card by its verdict, in the order in which they are shown.
_OUTCOMES = {
    "pays": ("pays", "#009e73"),
    "harms": ("harms", "#d55e00"),
    "does not": ("does not pay", "#999999"),
    "can't be tried": ("not known whether it pays", "#b3a2c7"),
}


@dataclass(frozen=True, kw_only=True)
class EndpointStudy(Result):
    """What bounds one request of a Django project, and which fixes pay, tried on a copy.

    ``wall_ms`` and ``cpu_ms`` are medians of unhooked requests, without what a request waited for a core that others
    had; ``parts`` are milliseconds of ``wall_ms`` by what was
    at work; ``statements`` are the queries by fingerprint: ``sql``, ``times``, ``ms``, ``file``, ``line``; ``together``
    is what all fixes that pay save at once; ``effects`` counts what the request did, or would have done, besides
    answering; ``notes`` say what the figures don't.

    Examples
    --------
    >>> found = Finding(area="database", kind="n_plus_one_fk", verdict="pays", same_answer=True, tried_ms=70.0)
    >>> study = EndpointStudy(path="/books/", status=200, wall_ms=92.0, cpu_ms=88.0, queries=255,
    ...     parts={"sql": 20.0}, findings=(found,))
    >>> EndpointStudy.from_json(study.to_json()) == study
    True
    """

    kind: ClassVar[str] = "endpoint"

    path: str
    status: int
    wall_ms: float
    cpu_ms: float
    queries: int
    parts: dict[str, float]
    findings: tuple[Finding, ...] = ()
    together: Finding | None = None
    view: str = ""
    body_bytes: int = 0
    statements: tuple[dict[str, Any], ...] = ()
    effects: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    copy_s: float = 0.0
    raw: dict[str, list[float]] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=dict)

    @property
    def paying(self) -> tuple[Finding, ...]:
        """The findings that pay: fixes of the code first, then caches, then what saves time on the clients' link."""
        paying = (found for found in self.findings if found.verdict == "pays")
        return tuple(sorted(paying, key=lambda found: {"caching": 1, "http": 2}.get(found.area, 0)))

    @property
    def verdict(self) -> str:
        """What bounds the request, and which fix pays most, in a sentence."""
        bound = ""
        if self.parts:
            largest, part_ms = max(self.parts.items(), key=lambda part: part[1])
            words = {part.name: part.words for part in REQUEST_PARTS}
            bound = f"{words.get(largest, largest)} takes {part_ms / self.wall_ms:.0%} of {number(self.wall_ms)} ms"
        if not self.paying:
            return f"{bound}; no fix that was tried pays"
        best = self.paying[0]
        link = ", the link counted" if best.area == "http" else ""
        pays = "pays most" if best.tried_ms == max(one.tried_ms or 0.0 for one in self.paying) else "pays"
        return f"{bound}; {words_for(best.kind)} at {best.place.near()} {pays}: {best.saving}{link}"

    def tables(self) -> tuple[Rows, ...]:
        """Return findings, parts and statements."""
        findings = [
            (words_for(item.kind), item.place, item.verdict, item.saving, item.queries_after, item.fix, item.hazard)
            for item in self.findings
        ]
        parts = [(name, value, value / self.wall_ms) for name, value in self.parts.items()]
        queries = [
            (item["times"], item["ms"], Place(item["file"], item["line"]), item["sql"]) for item in self.statements
        ]
        return (
            Rows("findings", ("what", "line", "verdict", "saves", "queries", "fix", "hazard"), tuple(findings)),
            Rows("where the wall time goes", ("part", "ms", "share"), tuple(parts)),
            Rows("queries", ("times", "ms", "line", "sql"), tuple(queries)),
        )

    def shown(self) -> View:
        """Return what is shown of it: a card for each finding, those that pay first."""
        return View(
            title=self.path,
            headline=self.verdict,
            facts=(*self._facts(), *self._saved_together()),
            bar=tuple(
                Segment(part.name, self.parts.get(part.name, 0.0) / self.wall_ms, part.colour) for part in REQUEST_PARTS
            ),
            says=self.notes,
            cards=tuple(item.card() for verdict in _OUTCOMES for item in self.findings if item.verdict == verdict),
            tables=self.tables()[1:],
        )

    def _facts(self) -> tuple[str, ...]:
        return (
            f"{self.status}", f"{number(self.wall_ms)} ms wall", f"{number(self.cpu_ms)} ms CPU",
            f"{self.queries} queries", f"{self.body_bytes:,} bytes",
        )  # fmt: skip

    def _saved_together(self) -> tuple[str, ...]:
        """Return what all fixes of the code that pay save at once, in words; nothing where there is one alone."""
        if self.together is None or self.together.kind != "together":
            return ()
        queries = f"queries {self.queries} → {self.together.queries_after}"
        return (f"All fixes of the code that pay, together: {self.together.saving}; {queries}",)

    def _in_short(self, found: Finding) -> list[str]:
        """Return a finding in two lines or three; what does not pay needs no fix."""
        template = f", {Place(found.template, found.template_line).near()}" if found.template else ""
        lines = [f"- {words_for(found.kind)} at {found.place.near() or self.path}{template}: {found.saving}"]
        if found.verdict in ("does not", "harms"):
            lines += [f"  {found.why}"] if found.why else []
        else:
            lines += [f"  {' '.join(line for line in found.fix.splitlines() if not line.startswith('#'))}"]
        if found.verdict in ("harms", "can't be tried") and found.hazard:
            lines += [f"  but: {found.hazard}"]
        return lines

    def _repr_html_(self) -> str:
        return self.shown().html(_MOST_ROWS)

    def summary(self) -> str:
        """Return one screen: the verdict, the three best findings, and what does not pay."""
        shares = ", ".join(
            f"{name} {value / self.wall_ms:.0%}"
            for name, value in sorted(self.parts.items(), key=lambda part: -part[1])
            if value >= 0.005 * self.wall_ms
        )
        lines = [
            f"{self.path}: {self.verdict}",
            f"{', '.join(self._facts())}: {shares}",
        ]
        for rank, found in enumerate(self.paying[:3], 1):
            lines += ["", f"{rank}. {words_for(found.kind)} at {found.place.near()}: saves {found.saving}"]
            lines += [f"   in {Place(found.template, found.template_line).near()}"] if found.template else []
            lines += [f"   {line}" for line in (found.why, *found.fix.splitlines()) if line]
            after = found.queries_after
            lines += [f"   queries {found.queries_before} → {after}"] if after is not None else []
            lines += [f"   but: {found.hazard}"] if found.hazard else []
        lines += [line for together in self._saved_together() for line in ("", together)]
        for verdict, title in (
            ("pays", "Pays too"),
            ("does not", "Does not pay"),
            ("harms", "Harms"),
            ("can't be tried", "Not known"),
        ):
            shown = self.paying[3:] if verdict == "pays" else [one for one in self.findings if one.verdict == verdict]
            if shown:
                lines += ["", f"{title}:"]
                lines += [line for one in shown[:6] for line in self._in_short(one)]
        return "\n".join([*lines, *([""] if self.notes else []), *(f"Note: {note}" for note in self.notes)])
