"""Draw a result as a matplotlib figure that shows itself; nothing is styled or changed outside that figure."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import MissingExtraError, UsageError
from workbench.faults import words_for
from workbench.names import short_name
from workbench.parts import PARTS, REQUEST_PARTS
from workbench.results import Comparison, ComparisonRow, Diagnosis, EndpointStudy, Result, Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#33bbee", "#ee3377", "#aa8800", "#777777")
#: Stands for "the colour of the text around the figure" until `to_svg` writes that; no other mark has it.
_INK = "#010203"
#: So many fixes of a study are drawn.
MOST_FIXES = 8
#: A longer label is cut, so that room is left for what is drawn.
_LABEL = 40


@singledispatch
def plot(result: Result) -> Figure:
    """Draw a result.

    Parameters
    ----------
    result
        A `Diagnosis` (a bar of where the wall time went), a `Comparison` (speed-ups with their intervals), an
        `EndpointStudy` (the request as it is, and with each fix) or a `Table` whose ``plot`` says what to draw.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it as an image when it is a cell's last value; pyplot does not know it.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    UsageError
        The result is of a kind, or a table without a ``plot``, that can't be drawn.

    Examples
    --------
    >>> from workbench import Table, plot
    >>> growth = Table(title="squares", columns=("n", "square"), rows=((1, 1), (2, 4)), plot={"x": "n", "y": "square"})
    >>> plot(growth).axes[0].get_xlabel()
    'n'
    """
    raise UsageError(f"a {type(result).__name__} can't be drawn: pass a Diagnosis, a Comparison or a Table")


@plot.register(Diagnosis)
def _(result: Diagnosis) -> Figure:
    return plot_shares([result])


def plot_shares(diagnoses: Sequence[Diagnosis]) -> Figure:
    r"""Draw diagnoses below each other: a bar for each, split by where its wall time went.

    Parameters
    ----------
    diagnoses
        In the order in which to show them; bars are labelled with target and verdict.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> from workbench import Diagnosis, plot_shares
    >>> cpu = Diagnosis(target="is_fib", verdict="CPU-bound", bound_by="python", reasons=(), wall_s=2.0, cpu_s=2.0,
    ...                 overhead=None, parts={"python": 2.0}, counters={})
    >>> [label.get_text() for label in plot_shares([cpu]).axes[0].get_yticklabels()]
    ['is_fib\nCPU-bound']
    """
    found = ", ".join(f"{_short(item.target)} ({item.verdict})" for item in diagnoses)
    figure, (axes,) = _figure(f"where the time went: {found}", height=0.9 + 0.55 * len(diagnoses))
    for place, diagnosis in enumerate(diagnoses):
        left = 0.0
        for part in PARTS:
            share = 100 * diagnosis.parts.get(part.name, 0.0) / diagnosis.wall_s if diagnosis.wall_s else 0.0
            axes.barh(place, share, left=left, color=part.colour, height=0.6)
            if share >= 12:
                text = f"{part.name} {share:.0f} %"
                axes.text(left + share / 2, place, text, ha="center", va="center", color="white")
            left += share
    axes.set_yticks(range(len(diagnoses)), [f"{_short(item.target)}\n{item.verdict}" for item in diagnoses])
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="share of the wall time, %")
    return figure


@plot.register(EndpointStudy)
def _(result: EndpointStudy) -> Figure:
    tried = [item for item in result.findings if item.tried_ms is not None and item.area != "http"][:MOST_FIXES]
    together = [result.together] if result.together is not None and result.together.kind == "together" else []
    figure, (axes,) = _figure(f"{result.path} as it is, and with each fix", height=1.2 + 0.42 * (1 + len(tried)))
    left = 0.0
    for part in REQUEST_PARTS:
        if took_ms := result.parts.get(part.name, 0.0):
            axes.barh(0, took_ms, left=left, color=part.colour, height=0.6, label=part.name)
            left += took_ms
    for place, item in enumerate([*tried, *together], 1):
        axes.barh(place, result.wall_ms - (item.tried_ms or 0.0), color="#bbbbbb", height=0.6)
        if item.tried_low is not None and item.tried_high is not None:
            ends = [result.wall_ms - item.tried_high, result.wall_ms - item.tried_low]
            axes.plot(ends, [place, place], color=LINE_COLOURS[0], linewidth=3, solid_capstyle="round")
    labels = [f"{words_for(item.kind)}\n{Path(item.place.file).name}:{item.place.line}" for item in tried]
    names = ["as it is", *labels, *["all that pay, together"] * len(together)]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of the request (blue: the interval of what was tried)")
    axes.legend(frameon=False, labelcolor=_INK, fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


@plot.register(Comparison)
def _(result: Comparison) -> Figure:
    rows = [(row, row.speedup) for row in result.rows if row.speedup is not None]
    curves = result.curves()
    figure, grid = _figure(
        f"speed-ups of {_short(result.target)} over {result.baseline}",
        height=max(1.1 + 0.38 * len(rows), 3 if len(curves) else 0),
        panels=2 if len(curves) else 1,
        same_y=False,
    )
    axes = grid[0]
    for place, (row, speedup) in enumerate(rows):
        colour = "#999999" if row.same_answer is False else LINE_COLOURS[0]
        if row.ci_low is not None and row.ci_high is not None:
            axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(speedup, place, "x" if row.same_answer is False else "o", color=colour)
        if row.predicted is not None:
            axes.plot(row.predicted, place, "D", markerfacecolor="none", markeredgecolor=LINE_COLOURS[1])
    axes.axvline(1, color=_INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [_label(row) for row, _ in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel=f"speed-up over {result.baseline}\n(× faster; bars are confidence intervals)")
    _plain_ticks(axes, "x")
    if len(curves):
        _draw_curves(grid[1], curves)
    return figure


def _draw_curves(axes: Axes, curves: pd.DataFrame) -> None:
    for (name, curve), colour in zip(_groups(curves, "remedy"), LINE_COLOURS * 3, strict=False):
        axes.plot(curve["workers"], curve["speedup"], "o-", markersize=4, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="speed-up over the baseline")
    for axis in "xy":
        _plain_ticks(axes, axis)
    axes.legend(frameon=False, labelcolor=_INK, fontsize=8)


@plot.register(Table)
def _(result: Table) -> Figure:
    if not result.plot:
        raise UsageError(f"the table {result.title!r} does not say what to draw: give it plot={{'x': …, 'y': …}}")
    return _draw_cells(result) if "cell" in result.plot else _draw_lines(result)


def _draw_lines(result: Table) -> Figure:
    spec = result.plot
    frame = result.table().dropna(subset=[spec["y"]])
    panels = _groups(frame, spec.get("panel"))
    # A name has one colour in all panels, though some hold few of the names.
    colours = dict(zip((name for name, _ in _groups(frame, spec.get("by"))), LINE_COLOURS * 3, strict=False))
    drawn = {}
    figure, grid = _figure(result.title, height=3.4, panels=len(panels))
    for axes, (title, panel) in zip(grid, panels, strict=True):
        for name, group in _groups(panel, spec.get("by")):
            x, y = group[spec["x"]], group[spec["y"]]
            (drawn[name],) = axes.plot(x, y, "o-", markersize=4, color=colours[name], label=name)
        axes.set(xlabel=spec["x"], title=f"{spec['panel']} {title}" if "panel" in spec else "")
        for axis in spec.get("log", ""):
            axes.set(**{f"{axis}scale": "log"})
            _plain_ticks(axes, axis)
    grid[0].set_ylabel(spec["y"])
    if "by" in spec:
        lines = [drawn[name] for name in colours]
        grid[-1].legend(handles=lines, frameon=False, labelcolor=_INK, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_cells(result: Table) -> Figure:
    """Draw a grid of ratios, the bluer the further above 1 and the redder the further below."""
    spec, frame = result.plot, result.table()
    rows, columns = (list(dict.fromkeys(frame[spec[axis]])) for axis in "yx")
    figure, (axes,) = _figure(result.title, height=1.2 + 0.5 * len(rows))
    colours = [[math.nan] * len(columns) for _ in rows]
    for cell in frame.dropna(subset=[spec["cell"]]).to_dict("records"):
        row, column, ratio = rows.index(cell[spec["y"]]), columns.index(cell[spec["x"]]), cell[spec["cell"]]
        colours[row][column] = math.asinh(2 * math.log(ratio))  # steep near 1, where it matters
        beside = cell.get(spec.get("beside", ""))
        text = f"{ratio:.2g} ×" + (f"\n({beside:.2g})" if beside is not None and beside == beside else "")
        ink = "white" if abs(colours[row][column]) > 1.6 else "#222222"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.imshow(colours, cmap="RdBu", vmin=-2.5, vmax=2.5, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _groups(frame: pd.DataFrame, column: str | None) -> list[tuple[str, pd.DataFrame]]:
    """Split a table by the values of a column, in the order in which they come; whole when there is no column."""
    return [(str(name), group) for name, group in frame.groupby(column, sort=False)] if column else [("", frame)]


def _short(target: str) -> str:
    """Return a target as a label: a function without its module, and of what is long its two ends.

    Examples
    --------
    >>> _short("module:function"), _short("sum(values[1:])"), _short("/home/me/a-folder-that/is-very-long/script.py")
    ('function', 'sum(values[1:])', '/home/me/a-folder-…very-long/script.py')
    """
    name = short_name(target) if re.fullmatch(r"[^\s()]+:[\w.<>]+", target) else target
    return name if len(name) <= _LABEL else f"{name[: _LABEL // 2 - 2]}…{name[1 - _LABEL // 2 :]}"


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element for a web page, with text and axes in the page's own colour and font."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": str(id(figure))}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    return re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1)


def _figure(tells: str, height: float, panels: int = 1, *, same_y: bool = True) -> tuple[Figure, list[Axes]]:
    try:
        import matplotlib as mpl

        from workbench.figures import ShownFigure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "notebooks") from error
    # Dark on white, in a dark page too and whatever style the user has chosen.
    colours: Any = dict.fromkeys(("figure.facecolor", "axes.facecolor"), "white") | dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor", "text.color"), _INK
    )
    with mpl.rc_context(colours):
        figure = ShownFigure(tells, figsize=(8, height), layout="constrained")
        grid = figure.subplots(1, panels, sharey=same_y, squeeze=False)[0].tolist()
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid


def _plain_ticks(axes: Axes, axis: str) -> None:
    """Label a logarithmic axis with numbers, not with powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    which: Any = getattr(axes, f"{axis}axis")
    which.set_major_locator(LogLocator(subs=(1.0, 3.0) if _decades(axes, axis) < 4 else (1.0,)))
    which.set_major_formatter(FuncFormatter(lambda value, _: _plain_number(value)))
    which.set_minor_formatter(NullFormatter())


def _plain_number(value: float) -> str:
    """Return a tick's number without an exponent.

    Examples
    --------
    >>> _plain_number(1e-5), _plain_number(0.3), _plain_number(1000.0), _plain_number(1e6)
    ('0.00001', '0.3', '1000', '1,000,000')
    """
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.12f}".rstrip("0").rstrip(".")


def _decades(axes: Axes, axis: str) -> float:
    low, high = getattr(axes, f"get_{axis}lim")()
    return math.log10(high / low) if low > 0 else math.inf


def _label(row: ComparisonRow) -> str:
    workers = f" × {row.workers}" if row.workers else ""
    return f"{row.remedy}{workers}" + (" (wrong answer)" if row.same_answer is False else "")
