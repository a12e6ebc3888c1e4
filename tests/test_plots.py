"""Figures show the figures of the result."""

import base64
import pickle
import re
from pathlib import Path

import pytest

from workbench import Comparison, Diagnosis, EndpointStudy, Finding, Table, UsageError, plot, plot_shares
from workbench.parts import NAMES, PARTS
from workbench.plots import to_svg
from workbench.results import ComparisonRow


def diagnosis(target: str, **parts: float) -> Diagnosis:
    return Diagnosis(
        target=target, verdict="mixed", bound_by="mixed", reasons=(), wall_s=sum(parts.values()), cpu_s=0.0,
        overhead=None, parts=parts, counters={},
    )  # fmt: skip


def test_every_part_has_a_colour_of_its_own() -> None:
    assert len({part.colour for part in PARTS}) == len(PARTS)


def test_the_bars_of_a_diagnosis_are_its_shares() -> None:
    axes = plot_shares([diagnosis("a", python=3.0, network=1.0), diagnosis("b", sleep=2.0)]).axes[0]
    widths = [[bar.get_width() for bar in axes.patches[i : i + len(NAMES)]] for i in (0, len(NAMES))]
    assert widths[0] == [75.0 if part == "python" else 25.0 if part == "network" else 0.0 for part in NAMES]
    assert sum(widths[1]) == 100.0
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a\nmixed", "b\nmixed"]


def test_a_comparison_shows_speedups_intervals_predictions_and_wrong_answers() -> None:
    rows = (
        ComparisonRow(remedy="sequential", speedup=1.0, verdict="baseline", same_answer=True),
        ComparisonRow(remedy="threads", workers=4, speedup=3.0, ci_low=2.5, ci_high=3.5, predicted=4.0),
        ComparisonRow(remedy="float", speedup=9.0, same_answer=False, verdict="wrong"),
        ComparisonRow(remedy="broken", verdict="failed"),
    )
    comparison = Comparison(
        target="t", items=1, baseline="sequential", rows=rows, recommended=None, reason="", rounds=3, raw={}
    )
    axes = plot(comparison).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "sequential", "threads × 4", "float (wrong answer)"]  # fmt: skip
    drawn = {tuple(line.get_xdata()) for line in axes.lines}
    assert {(1.0,), (3.0,), (2.5, 3.5), (4.0,), (9.0,)} <= drawn


def test_a_comparison_shows_its_worker_count_curves() -> None:
    rows = (ComparisonRow(remedy="threads", workers=2, speedup=2.0, verdict="faster", same_answer=True),)
    raw = {"threads": [0.5], "threads@1": [1.0], "threads@2": [0.5], "threads@4": [0.4]}
    comparison = Comparison(
        target="t", items=9, baseline="sequential", rows=rows, recommended=None, reason="", rounds=1, raw=raw
    )
    assert comparison.curves()["speedup"].tolist() == [1.0, 2.0, 2.5]
    axes = plot(comparison).axes[1]
    assert [(line.get_label(), *line.get_xydata().tolist()) for line in axes.lines] == [
        ("threads", [1, 1], [2, 2], [4, 2.5])
    ]


def test_a_table_draws_a_line_for_each_group() -> None:
    rows = (("a", 1, 0.1), ("a", 100, 0.2), ("b", 1, 0.3), ("b", 100, None))
    table = Table(
        title="t", columns=("who", "n", "wall_s"), rows=rows, plot={"x": "n", "y": "wall_s", "by": "who", "log": "xy"}
    )
    axes = plot(table).axes[0]
    assert [(line.get_label(), list(line.get_xdata())) for line in axes.lines] == [("a", [1, 100]), ("b", [1])]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_a_table_draws_a_panel_for_each_group() -> None:
    rows = (("0 ms", 1, 0.1), ("0 ms", 2, 0.2), ("50 ms", 1, 5.0))
    table = Table(title="t", columns=("latency", "n", "s"), rows=rows, plot={"x": "n", "y": "s", "panel": "latency"})
    panels = plot(table).axes
    assert [(axes.get_title(), list(axes.lines[0].get_ydata())) for axes in panels] == [
        ("latency 0 ms", [0.1, 0.2]), ("latency 50 ms", [5.0])]  # fmt: skip


def test_a_name_has_one_colour_in_all_panels_and_one_legend_tells_all_names() -> None:
    rows = (("threads", "a", 1, 2.0), ("threads", "b", 1, 3.0), ("asyncio", "b", 1, 4.0))
    spec = {"x": "n", "y": "speedup", "by": "task", "panel": "remedy"}
    first, last = plot(Table(title="t", columns=("remedy", "task", "n", "speedup"), rows=rows, plot=spec)).axes
    assert last.lines[0].get_color() == first.lines[1].get_color() != first.lines[0].get_color()
    assert [text.get_text() for text in last.get_legend().get_texts()] == ["a", "b"]


def test_a_long_label_fits_and_leaves_room(tmp_path: Path) -> None:
    figure = plot_shares([diagnosis("/a/long/folder/" * 9 + "script.py", python=1.0)])
    figure.savefig(tmp_path / "figure.png")
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_text().endswith("script.py\nmixed")
    assert label.get_window_extent().x0 >= 0
    assert figure.axes[0].get_window_extent().width > figure.bbox.width / 3


def test_a_figure_shows_itself_at_twice_the_pixels() -> None:
    data, shown = plot(diagnosis("is_fib", python=1.0))._repr_mimebundle_()
    width = int.from_bytes(base64.b64decode(data["image/png"])[16:20], "big")
    assert width // 2 == shown["image/png"]["width"] > 600


def test_a_figure_goes_through_pickle() -> None:
    assert repr(pickle.loads(pickle.dumps(plot(diagnosis("is_fib", python=1.0))))).startswith("<Figure: where")


def test_a_table_draws_a_grid_of_ratios() -> None:
    rows = (("waits", "threads", 8.0, 9.04), ("waits", "memo", None, None), ("computes", "threads", 0.5, None))
    spec = {"x": "remedy", "y": "task", "cell": "speedup", "beside": "predicted"}
    axes = plot(Table(title="t", columns=("task", "remedy", "speedup", "predicted"), rows=rows, plot=spec)).axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "8 ×\n(9)", (0, 1): "0.5 ×"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["threads", "memo"]
    faster, slower = axes.images[0].get_array()[:, 0]
    assert faster > 0 > slower


def test_what_can_not_be_drawn_is_told() -> None:
    with pytest.raises(UsageError, match="the table 't' does not say what to draw"):
        plot(Table(title="t", columns=("a",), rows=()))
    with pytest.raises(UsageError, match="a list can't be drawn"):
        plot([1, 2])  # type: ignore[arg-type]


def test_svg_takes_the_colour_of_the_page() -> None:
    svg = to_svg(plot(diagnosis("is_fib", python=1.0)))
    assert svg.startswith("<svg viewBox=")
    assert "currentColor" in svg
    assert "is_fib" in svg
    assert not re.search(r"#000000|#010203|black", svg)


def test_a_study_of_an_endpoint_shows_the_page_with_each_fix_that_was_tried() -> None:
    shared = {"area": "database", "same_answer": True, "verdict": "pays", "file": "views.py"}
    joined = Finding(kind="n_plus_one_fk", line=3, tried_ms=60.0, tried_low=50.0, tried_high=65.0, **shared)
    counted = Finding(kind="len_of_queryset", line=9, tried_ms=10.0, tried_low=8.0, tried_high=12.0, **shared)
    both = Finding(kind="together", tried_ms=69.0, tried_low=60.0, tried_high=75.0, **shared)
    guessed = Finding(area="caching", kind="uncached_fragment", predicted_ms=9.0, verdict="can't be tried")
    study = EndpointStudy(
        path="/books/", status=200, wall_ms=92.0, cpu_ms=88.0, queries=255, parts={"sql": 30.0, "orm": 62.0},
        findings=(joined, counted, guessed), together=both,
    )  # fmt: skip
    axes = plot(study).axes[0]
    assert [text.get_text().partition("\n")[0] for text in axes.get_yticklabels()] == [
        "as it is",
        "a query for each row (foreign key)",
        "rows fetched to be counted",
        "all that pay, together",
    ]
    assert [bar.get_width() for bar in axes.patches] == [30.0, 62.0, 32.0, 82.0, 23.0]
    assert [[*line.get_xdata()] for line in axes.lines] == [[27.0, 42.0], [80.0, 84.0], [17.0, 32.0]]
    page = study._repr_html_()
    assert page.index("foreign key") < page.index("to be counted") < page.index("the same for all")
