"""A diagnosis as text, as HTML for a notebook, and as a flame graph: functions from the result to what is shown."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.results import PARTS

if TYPE_CHECKING:
    from workbench.results import Diagnosis, Line, Stall, Wait

#: Mid-tones that can be told apart on white and on black (after Okabe and Ito's palette).
COLOURS = {
    "python": "#0072b2",
    "native": "#56b4e9",
    "runqueue": "#999999",
    "gil": "#d55e00",
    "lock": "#e69f00",
    "network": "#009e73",
    "disk": "#7fbf3f",
    "sleep": "#b3a2c7",
    "child": "#cc79a7",
    "other": "#6b6b6b",
}
_SHOWN_FROM = 0.005
_HTML_ROWS, _CELL = 20, 70


def diagnosis_text(diagnosis: Diagnosis, rows: int = 5) -> str:
    """Return verdict, reasons, and the ``rows`` longest waits and lines as plain text."""
    times = [f"{diagnosis.wall_s:.3g} s wall", f"{diagnosis.cpu_s:.3g} s CPU"]
    times += [f"{diagnosis.runs} runs"] if diagnosis.runs > 1 else []
    times += [] if diagnosis.overhead is None else [f"diagnosing cost {diagnosis.overhead:.1%}"]
    text = [f"{diagnosis.target}: {_headline(diagnosis)}", ", ".join(times)]
    text += [f"the task failed: {diagnosis.failure}"] if diagnosis.failure else []
    text += [f"- {reason}" for reason in diagnosis.reasons]
    for table in _tables(diagnosis, rows):
        text += ["", f"{table.title}:", *_aligned(table)]
    return "\n".join(text)


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """Return one stacked bar of where the wall time went, the reasons, and tables to unfold."""
    shares = {part: diagnosis.parts.get(part, 0.0) / diagnosis.wall_s for part in PARTS} if diagnosis.wall_s else {}
    shown = {part: share for part, share in shares.items() if share >= _SHOWN_FROM}
    bar = "".join(
        f'<span title="{part} {share:.1%}" style="flex:{share:.4f};background:{COLOURS[part]}"></span>'
        for part, share in shown.items()
    )
    legend = " ".join(
        f'<span style="white-space:nowrap"><span style="color:{COLOURS[part]}">&#9632;</span> {part} {share:.0%}</span>'
        for part, share in shown.items()
    )
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in diagnosis.reasons)
    tables = "".join(
        f"<details><summary>{table.title}</summary><table>{_html_rows(table)}</table></details>"
        for table in _tables(diagnosis, _HTML_ROWS)
    )
    return (
        f"<div><b>{html.escape(diagnosis.target)}</b>: <b>{_headline(diagnosis)}</b>, {diagnosis.wall_s:.3g} s"
        f'<div style="display:flex;height:1.2em;max-width:48em;margin:.4em 0">{bar}</div>'
        f"<div>{legend}</div><ul>{reasons}</ul>{tables}</div>"
    )


def diagnosis_speedscope(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the stacks in speedscope's file format, one profile a thread; the innermost frame is the part.

    The format: https://www.speedscope.app/file-format-schema.json.
    """
    frames: dict[str, int] = {}
    profiles = []
    for thread in dict.fromkeys(stack.thread for stack in diagnosis.stacks):
        mine = [stack for stack in diagnosis.stacks if stack.thread == thread]
        names = [[*stack.frames, f"[{stack.part}]"] for stack in mine]
        weights = [stack.seconds for stack in mine]
        profiles.append(
            {
                "type": "sampled",
                "name": thread,
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": [[frames.setdefault(name, len(frames)) for name in stack] for stack in names],
                "weights": weights,
            }
        )
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": diagnosis.target,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": profiles,
    }


def _headline(diagnosis: Diagnosis) -> str:
    same = diagnosis.bound_by == diagnosis.verdict
    return diagnosis.verdict if same else f"{diagnosis.verdict}, bound by {diagnosis.bound_by}"


class _Shown(NamedTuple):
    """A table as text: the first row is its head."""

    title: str
    rows: list[list[str]]


def _tables(diagnosis: Diagnosis, rows: int) -> list[_Shown]:
    """Return the tables that have anything to show, cut to their first rows."""
    waits = [
        [f"{wait.seconds:.3f}", wait.kind, wait.target, _place(wait), wait.function, wait.note]
        for wait in diagnosis.waits
    ]
    lines = [
        [f"{line.python_s:.3f}", f"{line.native_s:.3f}", f"{line.wait_s:.3f}", _place(line), line.function]
        for line in diagnosis.lines
    ]
    stalls = [[f"{stall.seconds:.3f}", str(stall.times), _place(stall), stall.function] for stall in diagnosis.stalls]
    tables = (
        _Shown("waits", [["seconds", "kind", "target", "line", "function", "note"], *waits]),
        _Shown("lines", [["python_s", "native_s", "wait_s", "line", "function"], *lines]),
        _Shown("event loop stalls", [["longest_s", "times", "line", "function"], *stalls]),
    )
    return [_Shown(table.title, table.rows[: rows + 1]) for table in tables if len(table.rows) > 1]


def _aligned(table: _Shown) -> list[str]:
    cells = [[cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…" for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _html_rows(table: _Shown) -> str:
    head, *rows = (tuple(map(html.escape, row)) for row in table.rows)
    lines = [f"<th>{'</th><th>'.join(head)}</th>", *(f"<td>{'</td><td>'.join(row)}</td>" for row in rows)]
    return "".join(f"<tr>{line}</tr>" for line in lines)


def _place(item: Wait | Line | Stall) -> str:
    """Return ``file:line``, as seen from the current folder where that is shorter."""
    if not item.file:
        return ""
    relative = os.path.relpath(item.file) if os.path.isabs(item.file) else item.file
    return f"{min(relative, item.file, key=len)}:{item.line}"
