"""A diagnosis as text, as HTML for a notebook, and as a flame graph: functions from the result to what is shown."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any

from workbench.results import PARTS

if TYPE_CHECKING:
    import pandas as pd

    from workbench.results import Diagnosis

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
_HTML_ROWS = 20


def diagnosis_text(diagnosis: Diagnosis, rows: int = 5) -> str:
    """Return verdict, reasons, and the ``rows`` longest waits and lines as plain text."""
    times = [f"{diagnosis.wall_s:.3g} s wall", f"{diagnosis.cpu_s:.3g} s CPU"]
    times += [f"{diagnosis.runs} runs"] if diagnosis.runs > 1 else []
    times += [] if diagnosis.overhead is None else [f"diagnosing cost {diagnosis.overhead:.1%}"]
    text = [f"{diagnosis.target}: {_headline(diagnosis)}", ", ".join(times)]
    text += [f"the task failed: {diagnosis.failure}"] if diagnosis.failure else []
    text += [f"- {reason}" for reason in diagnosis.reasons]
    for title, table in _tables(diagnosis, rows):
        shown = table.to_string(index=False, float_format="{:.3f}".format, max_colwidth=60)
        text += ["", f"{title}:", shown]
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
        f"<details><summary>{title}</summary>"
        f"{table.to_html(index=False, border=0, float_format='{:.3f}'.format)}</details>"
        for title, table in _tables(diagnosis, _HTML_ROWS)
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


def _tables(diagnosis: Diagnosis, rows: int) -> list[tuple[str, pd.DataFrame]]:
    """Return the tables that have anything to show, cut to their first rows, with short paths."""
    found = []
    tables = [("waits", diagnosis.waits_table()), ("lines", diagnosis.lines_table())]
    if diagnosis.stalls:
        tables.append(("event loop stalls", diagnosis.stalls_table()))
    for title, table in tables:
        if len(table):
            found.append((title, table.head(rows).assign(line=table["line"].map(_short))))
    return found


def _short(path: str) -> str:
    """Return a path as seen from the current folder, where that is shorter."""
    relative = os.path.relpath(path) if os.path.isabs(path) else path
    return min(relative, path, key=len)
