"""Make one HTML page of records: it opens offline, on a phone and in the dark. Making it never measures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import singledispatch
from importlib import resources
from pathlib import Path
from typing import Any

from workbench import records
from workbench.errors import MissingExtraError, RecordError
from workbench.masking import get_logger, masked
from workbench.names import short_name
from workbench.plots import plot, to_svg
from workbench.results import Comparison, Diagnosis, EndpointStudy, Provenance, Result, Table
from workbench.views import Rows

#: Lines and waits with a smaller share of the wall time are left out of the page; the record has them.
LEAST_SHARE = 0.005
MOST_ROWS = 12

logger = get_logger(__name__)


@dataclass(frozen=True)
class Entry:
    """One record as the page shows it; ``svg`` is empty where nothing is drawn, ``tables`` are (caption, HTML)."""

    name: str
    title: str
    says: tuple[str, ...]
    svg: str
    tables: tuple[tuple[str, str], ...]
    provenance: Provenance


@dataclass(frozen=True)
class Section:
    """The records of one story: those whose names share what stands before the first dot."""

    title: str
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """Where the page is, how many records it shows and which ones could not be (one line each)."""

    path: Path
    shown: int
    left_out: tuple[str, ...]


def make_report(
    folder: str | os.PathLike[str] = records.RESULTS,
    out: str | os.PathLike[str] = "report.html",
    *,
    failures: Sequence[str] = (),
) -> Report:
    """Write the report of all records in a folder.

    A record ``01-what-binds-a-task.is-fib`` stands in the section *01 What binds a task*.

    Parameters
    ----------
    folder
        Where the records are.
    out
        The HTML file to write; it holds everything it shows.
    failures
        One line each, shown at the top: what should have been recorded and was not.

    Returns
    -------
    Report
        A record that can't be understood is left out and told, in the page and here.

    Raises
    ------
    RecordError
        There is no record in the folder, or the page can't be written.
    MissingExtraError
        Jinja2 or matplotlib is not installed.

    Examples
    --------
    >>> from workbench import Table, records
    >>> path = records.save(Table(title="squares", columns=("n", "square"), rows=((2, 4),)), "01-powers.squares", tmp)
    >>> make_report(tmp, tmp / "report.html").shown
    1
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("Jinja2", "notebooks") from error
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise RecordError(
            f"{folder} holds no records: run the notebooks first, with `workbench report --run notebooks`"
        )
    loaded, left_out = _load(paths)
    sections = _sections(loaded)
    template = resources.files("workbench").joinpath("report.html").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    text = page.render(
        sections=sections,
        failures=[*map(masked, failures), *left_out],
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordError(f"can't write the report {out}: {error.strerror or error}") from error
    return Report(path=Path(out), shown=len(loaded), left_out=left_out)


def _load(paths: Iterable[Path]) -> tuple[list[tuple[str, Result]], tuple[str, ...]]:
    loaded, left_out = [], []
    for path in paths:
        try:
            loaded.append((path.stem, records.load(path)))
        except RecordError as error:
            logger.warning("left out of the report: %s", error)
            left_out.append(str(error))
    return loaded, tuple(left_out)


def _sections(loaded: Iterable[tuple[str, Result]]) -> list[Section]:
    """Group records by story, and order those of a story as they were made."""
    sections: dict[str, Section] = {}
    for name, result in sorted(loaded, key=_place):
        story = name.partition(".")[0]
        section = sections.setdefault(story, Section(_heading(story)))
        section.entries.append(_entry(name, result))
    return list(sections.values())


def _place(named: tuple[str, Result]) -> tuple[str, str, str]:
    name, result = named
    return name.partition(".")[0], str(result.provenance.get("created_at", "")), name


def _heading(story: str) -> str:
    number, _, words = story.partition("-")
    if not number.isdigit():
        number, words = "", story
    first, *others = (word.upper() if word in ("cpu", "io") else word for word in words.split("-"))
    return " ".join([number, first[:1].upper() + first[1:], *others]).strip()


def _entry(name: str, result: Result) -> Entry:
    title, says = _sentences(result)
    drawn = bool(result.plot) if isinstance(result, Table) else True
    return Entry(
        name=name,
        title=title,
        says=tuple(says),
        svg=to_svg(plot(result)) if drawn else "",
        tables=(*_cards(result), *((table.title, table.html()) for table in _tables(result))),
        provenance=result.provenance,
    )


def _cards(result: Result) -> list[tuple[str, str]]:
    if isinstance(result, Diagnosis) and result.opportunities:
        return [("what would pay", result.view().cards_html())]
    return [("findings", result.shown().cards_html())] if isinstance(result, EndpointStudy) else []


@singledispatch
def _sentences(result: Any) -> tuple[str, Sequence[str]]:
    """Return a record's title and what it says in words."""
    return result.title, ()


@_sentences.register(Diagnosis)
def _(result: Diagnosis) -> tuple[str, Sequence[str]]:
    return f"{short_name(result.target)}: {result.verdict}", result.reasons


@_sentences.register(Comparison)
def _(result: Comparison) -> tuple[str, Sequence[str]]:
    return f"Remedies for {short_name(result.target)}", (result.reason,)


@_sentences.register(EndpointStudy)
def _(result: EndpointStudy) -> tuple[str, Sequence[str]]:
    return f"{result.path}: {result.verdict}", result.notes


def _tables(result: Result) -> list[Rows]:
    """Return the tables of a record that hold anything, those of a diagnosis without what took next to no time."""
    if isinstance(result, EndpointStudy):  # its findings are cards
        return [table for table in result.tables()[1:] if table.rows]
    if not isinstance(result, Diagnosis):
        return [table for table in result.tables() if table.rows]
    parts, *others = result.tables(least_share=LEAST_SHARE)
    there = tuple(row for row in parts.rows if row[1] > 0)
    return [Rows(parts.title, parts.columns, there), *(table.first(MOST_ROWS) for table in others if table.rows)]
