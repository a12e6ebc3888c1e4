"""Draw titles, bars and rows, as text for a terminal and as HTML for a notebook; nothing here knows what they tell."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.names import cell_name

if TYPE_CHECKING:
    import pandas as pd

#: A segment of a bar with a smaller share is not drawn.
_SHOWN_FROM = 0.005
#: A longer cell is cut in a terminal.
_CELL = 70
#: A cell of at most so many characters stays on one line in a web page.
_UNBROKEN = 30


def number(value: float | None) -> str:
    """Return a number for people: three significant digits, no exponent, and a dash where there is none.

    Examples
    --------
    >>> number(1234.5), number(0.000123456), number(-2050.0), number(7.0), number(None)
    ('1,230', '0.000123', '-2,050', '7', '–')
    """
    if value is None:
        return "–"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    rounded = float(text)
    return f"{rounded:,.0f}" if abs(rounded) >= 1 else f"{rounded:.12f}".rstrip("0")


def span(low: float | None, high: float | None) -> str:
    """Return an interval in brackets, and nothing where there is none.

    Examples
    --------
    >>> span(0.5, 2.0), span(None, None)
    (' (0.5 to 2)', '')
    """
    return "" if low is None or high is None else f" ({number(low)} to {number(high)})"


class Place(NamedTuple):
    """A line of code, as a cell: drawn as seen from the current folder where that is shorter.

    Examples
    --------
    >>> str(Place("task.py", 3)), str(Place("", 0))
    ('task.py:3', '')
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else ""

    def near(self) -> str:
        """Return it as seen from the current folder where that is shorter; a notebook's cell by its number."""
        if cell := cell_name(self.file):
            return f"{cell}, line {self.line}"
        relative = os.path.relpath(self.file) if os.path.isabs(self.file) else self.file
        return str(self._replace(file=min(relative, self.file, key=len)))


class Segment(NamedTuple):
    """A piece of a bar: its name, its share of the whole and its colour."""

    name: str
    share: float
    colour: str


@dataclass(frozen=True)
class Rows:
    """A titled table: a value for each of the columns in each row, None where there is none.

    Examples
    --------
    >>> rows = Rows("squares", ("n", "square"), ((1, 1), (2, 4)))
    >>> rows.frame()["square"].tolist()
    [1, 4]
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame of the values; places of code are text."""
        import pandas as pd

        rows = [[str(cell) if isinstance(cell, Place) else cell for cell in row] for row in self.rows]
        return pd.DataFrame(rows, columns=list(self.columns))

    def first(self, count: int) -> Rows:
        """Return the table cut to its first rows."""
        return Rows(self.title, self.columns, self.rows[:count])

    def text(self) -> str:
        """Return head and rows as lines of a terminal, in columns.

        Examples
        --------
        >>> print(Rows("squares", ("n", "square"), ((1, 1), (2, None))).text())
        n  square
        1  1
        2  –
        """
        cells = [self.columns, *(tuple(map(_short_cell, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
        return "\n".join(lines)

    def html(self) -> str:
        """Return a ``<table>``; columns of text begin at the left, and short cells are not broken."""
        texts = [any(isinstance(cell, str | Place) for cell in column) for column in zip(*self.rows, strict=True)]
        head = "".join(map(_html_cell, self.columns, texts or [True] * len(self.columns), repeat("th")))
        body = "".join(
            f"<tr>{''.join(map(_html_cell, map(_cell, row), texts, repeat('td')))}</tr>" for row in self.rows
        )
        return f'<table border="0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


class Card(NamedTuple):
    """Something to do: its title, what it is worth, the colour of that, sentences on it, and code."""

    title: str
    badge: str
    colour: str
    says: tuple[str, ...]
    code: str

    def html(self) -> str:
        """Return a block with a coloured edge."""
        says = "".join(f"<div>{html.escape(sentence)}</div>" for sentence in self.says)
        code = f'<pre style="margin:.3em 0;overflow-x:auto">{html.escape(self.code)}</pre>' if self.code else ""
        return (
            f'<div style="border-left:.3em solid {self.colour};padding:.1em .7em;margin:.6em 0;max-width:60em">'
            f"<div><b>{html.escape(self.title)}</b> – {html.escape(self.badge)}</div>{says}{code}</div>"
        )


@dataclass(frozen=True)
class View:
    """A result as it is shown: what it is of, what came out, facts and sentences on it, a bar, cards, and tables."""

    title: str
    headline: str = ""
    facts: tuple[str, ...] = ()
    bar: tuple[Segment, ...] = ()
    says: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    tables: tuple[Rows, ...] = ()

    def text(self, most_rows: int) -> str:
        """Return it as plain text, each table cut to its first rows; an empty one is left out."""
        lines = [f"{self.title}: {self.headline}" if self.headline else self.title]
        lines += [", ".join(self.facts)] if self.facts else []
        lines += [f"- {sentence}" for sentence in self.says]
        for table in filter(_holds_rows, self.tables):
            lines += ["", f"{table.title}:", table.first(most_rows).text()]
        return "\n".join(lines)

    def cards_html(self) -> str:
        """Return its cards as HTML, below each other."""
        return "".join(card.html() for card in self.cards)

    def html(self, most_rows: int) -> str:
        """Return it as HTML: the bar with its legend, cards, the sentences, and the tables to unfold."""
        shown = [segment for segment in self.bar if segment.share >= _SHOWN_FROM]
        bar = "".join(
            f'<span title="{name} {share:.1%}" style="flex:{share:.4f};background:{colour}"></span>'
            for name, share, colour in shown
        )
        legend = " ".join(
            f'<span style="white-space:nowrap"><span style="color:{colour}">&#9632;</span> {name} {share:.0%}</span>'
            for name, share, colour in shown
        )
        sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.says)
        tables = "".join(
            f"<details><summary>{html.escape(table.title)}</summary>{table.first(most_rows).html()}</details>"
            for table in filter(_holds_rows, self.tables)
        )
        first_line = ", ".join([f"<b>{html.escape(self.headline)}</b>", *map(html.escape, self.facts)])
        return (
            f"<div><b>{html.escape(self.title)}</b>: {first_line}"
            f'<div style="display:flex;height:1.2em;max-width:48em;margin:.4em 0">{bar}</div>'
            f"<div>{legend}</div>{self.cards_html()}<ul>{sentences}</ul>{tables}</div>"
        )


def _holds_rows(table: Rows) -> bool:
    return bool(table.rows)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, Place):
        return value.near()
    return number(value) if isinstance(value, float) else str(value)


def _short_cell(value: Any) -> str:
    """Return a cell cut to what a terminal has room for: a place keeps its end, which says most, all else its start.

    Examples
    --------
    >>> _short_cell(Place("/folder" * 12 + "/views.py", 31))
    '…/folder/folder/folder/folder/folder/folder/folder/folder/views.py:31'
    """
    text = _cell(value)
    if len(text) <= _CELL:
        return text
    if not isinstance(value, Place):
        return text[: _CELL - 1] + "…"
    end = text[1 - _CELL :]
    return "…" + end[max(end.find("/"), 0) :]


def _html_cell(text: str, is_text: bool, tag: str) -> str:
    styles = ("text-align:left",) * is_text + ("white-space:nowrap",) * (len(text) <= _UNBROKEN)
    style = f' style="{";".join(styles)}"' if styles else ""
    return f"<{tag}{style}>{html.escape(text)}</{tag}>"
