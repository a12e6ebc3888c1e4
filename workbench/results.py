"""What the workbench finds out, as frozen dataclasses that turn into JSON, tables and HTML.

Results are plain data: they never measure, read files or import the code that made them, so a report can be made from
them years later.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self

from workbench.errors import RecordError
from workbench.masking import masked, masked_all

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1

#: The parts that a thread's wall time splits into, in the order in which they are shown.
PARTS = ("python", "native", "runqueue", "gil", "lock", "network", "disk", "sleep", "child", "other")

Provenance = dict[str, Any]


class Result(ABC):
    """A frozen dataclass that has a ``kind`` and goes to JSON and back. Secrets in its text are masked: it is shown."""

    kind: ClassVar[str]
    provenance: Provenance

    def __post_init__(self) -> None:
        """Mask secrets, so that nothing that is made of a result can show one."""
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            if _in_json(item):
                object.__setattr__(self, item.name, masked_all(getattr(self, item.name)))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `json.dump`: ``kind``, ``schema`` and every field.

        Returns
        -------
        dict
            `from_json` of the same class takes it back, equal.
        """
        return {"schema": SCHEMA, "kind": self.kind, **_plain(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a result from what `to_json` made.

        Raises
        ------
        RecordError
            When a field is missing, unknown or of another shape.
        """
        fields = {key: value for key, value in data.items() if key not in ("schema", "kind")}
        revived: Self = _revive(cls, fields, cls.kind)
        return revived

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """Return the result as a table, one row for each thing that was measured."""

    def summary(self) -> str:
        """Return the result as text, as a terminal shows it."""
        return self.table().to_string(index=False)

    def __str__(self) -> str:
        return self.summary()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.summary())

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False, border=0)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One thing that a task waited for.

    ``kind`` is one of `PARTS`; ``target`` names the peer, path, lock or child; ``file``, ``line`` and ``function`` say
    where in the Python code; ``seconds`` is the wall time spent; ``note`` says more where it is known: the process
    behind a peer, the line that held a lock.
    """

    kind: str
    target: str
    file: str
    line: int
    function: str
    seconds: float
    note: str = ""


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
    """Where one thread's wall time went: ``parts`` (seconds, names of `PARTS`) add up to ``wall_s``."""

    name: str
    wall_s: float
    cpu_s: float
    parts: dict[str, float]


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
    """A Python stack and the seconds that went to it: ``frames`` are ``function (file:line)``, the outermost first."""

    thread: str
    part: str
    seconds: float
    frames: tuple[str, ...]


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
    runs: int = 1
    failure: str | None = None
    provenance: Provenance = field(default_factory=dict)
    answer: Any = field(default=None, compare=False, repr=False, metadata={"json": False})

    def table(self) -> pd.DataFrame:
        """Return the parts of the wall time: columns ``part``, ``seconds``, ``share``."""
        import pandas as pd

        seconds = [self.parts.get(part, 0.0) for part in PARTS]
        share = [value / self.wall_s if self.wall_s else 0.0 for value in seconds]
        return pd.DataFrame({"part": PARTS, "seconds": seconds, "share": share})

    def lines_table(self) -> pd.DataFrame:
        """Return the lines that took time: ``line``, ``function``, ``python_s``, ``native_s``, ``wait_s``."""
        import pandas as pd

        columns = ("line", "function", "python_s", "native_s", "wait_s")
        rows = [
            (f"{item.file}:{item.line}", item.function, item.python_s, item.native_s, item.wait_s)
            for item in self.lines
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def waits_table(self) -> pd.DataFrame:
        """Return what was waited for: ``kind``, ``target``, ``line``, ``function``, ``seconds``, ``note``."""
        import pandas as pd

        columns = ("kind", "target", "line", "function", "seconds", "note")
        rows = [
            (item.kind, item.target, f"{item.file}:{item.line}", item.function, item.seconds, item.note)
            for item in self.waits
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def summary(self, rows: int = 5) -> str:
        """Return the diagnosis as plain text, with its ``rows`` longest waits and lines."""
        from workbench import views

        return views.diagnosis_text(self, rows)

    def to_speedscope(self) -> dict[str, Any]:
        """Return the stacks as a flame graph for https://www.speedscope.app; save it with `json.dump`."""
        from workbench import views

        return views.diagnosis_speedscope(self)

    def _repr_html_(self) -> str:
        from workbench import views

        return views.diagnosis_html(self)


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

    def table(self) -> pd.DataFrame:
        """Return one row for each remedy, the baseline first."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(row) for row in self.rows]).astype({"workers": "Int64"})

    def short_table(self) -> pd.DataFrame:
        """Return the table as a person reads it: intervals beside their values, workers beside the remedy."""
        import pandas as pd

        return pd.DataFrame(
            {
                "remedy": row.remedy + (f" × {row.workers}" if row.workers else ""),
                "median_s": _short(row.median_s),
                "speedup": _short(row.speedup) + _span(row.ci_low, row.ci_high),
                "predicted": _short(row.predicted) + _span(row.predicted_low, row.predicted_high),
                "verdict": row.verdict,
                "note": row.note,
            }
            for row in self.rows
        )

    def summary(self) -> str:
        """Return the short table as text, with the notes and the recommendation below."""
        table = self.short_table().drop(columns="note").to_string(index=False, justify="left")
        notes = [f"{row.remedy}: {row.note}" for row in self.rows if row.note]
        return "\n".join([table, *notes, self.reason])

    def curves(self) -> pd.DataFrame:
        """Return what the search for the number of workers found: ``remedy``, ``workers``, ``seconds``, ``speedup``.

        Seconds are for all items, by the quickest of a few runs of a sample; speed-ups are against one worker.
        """
        import pandas as pd

        found = [
            (remedy, int(workers), min(times_s))
            for name, times_s in self.raw.items()
            for remedy, at, workers in [name.rpartition("@")]
            if at
        ]
        alone_s = {remedy: seconds for remedy, workers, seconds in found if workers == 1}
        rows = [(*point, alone_s[point[0]] / point[2]) for point in found]
        return pd.DataFrame(rows, columns=["remedy", "workers", "seconds", "speedup"])

    def _repr_html_(self) -> str:
        return f"{self.short_table().to_html(index=False, border=0)}<p>{escape(self.reason)}</p>"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"


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
        rows = tuple(tuple(map(_plain, row)) for row in known.itertuples(index=False, name=None))
        return cls(title=title, columns=tuple(map(str, frame.columns)), rows=rows, plot=plot or {})

    def table(self) -> pd.DataFrame:
        """Return the table as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(self.columns))


def _plain(value: Any) -> Any:
    """Turn dataclasses, tuples and NumPy scalars into what JSON holds; NaN becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value) if _in_json(item)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    return None if isinstance(value, float) and value != value else value


def _revive(annotation: Any, value: Any, where: str) -> Any:
    """Rebuild a value of the annotated type from plain data; the reverse of `_plain`."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        if not isinstance(value, Mapping):
            raise RecordError(f"{where}: expected an object, found {type(value).__name__}")
        hints = typing.get_type_hints(annotation)
        known = {item.name: item for item in dataclasses.fields(annotation) if _in_json(item)}
        missing = [name for name, item in known.items() if name not in value and _required(item)]
        if unknown := sorted(set(value) - set(known)):
            raise RecordError(f"{where}: unknown field {unknown[0]!r}; it may come from a newer workbench")
        if missing:
            raise RecordError(f"{where}: the field {missing[0]!r} is missing")
        return annotation(**{name: _revive(hints[name], item, f"{where}.{name}") for name, item in value.items()})
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            raise RecordError(f"{where}: expected a list, found {type(value).__name__}")
        return origin(_revive(args[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise RecordError(f"{where}: expected an object, found {type(value).__name__}")
        return {key: _revive(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if annotation is Any:
        return value
    wanted = args if isinstance(annotation, types.UnionType) else (annotation,)
    accepted = (*wanted, int) if float in wanted else wanted
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join("null" if kind is types.NoneType else kind.__name__ for kind in wanted)
        raise RecordError(f"{where}: expected {names}, found {masked(repr(value)):.40}")
    return value


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _in_json(item: dataclasses.Field[Any]) -> bool:
    return bool(item.metadata.get("json", True))
