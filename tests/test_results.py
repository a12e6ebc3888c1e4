"""Results survive JSON unchanged, and refuse what is not theirs."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import Comparison, Diagnosis, RecordError, Table
from workbench.parts import NAMES
from workbench.results import Child, ComparisonRow, Line, Result, ThreadShare, Wait

seconds = st.floats(min_value=0, max_value=1e6)
text = st.text(max_size=20)
parts = st.dictionaries(st.sampled_from(NAMES), seconds)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
provenance = st.dictionaries(text, plain | st.dictionaries(text, plain, max_size=2), max_size=3)


def tuples(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(strategy, max_size=3).map(tuple)


waits = st.builds(Wait, kind=text, target=text, file=text, line=st.integers(0), function=text, seconds=seconds)
lines = st.builds(
    Line, file=text, line=st.integers(0), function=text, python_s=seconds, native_s=seconds, wait_s=seconds
)
diagnoses = st.builds(
    Diagnosis,
    target=text, verdict=text, bound_by=text, reasons=tuples(text), wall_s=seconds, cpu_s=seconds,
    overhead=st.none() | seconds, parts=parts, counters=st.dictionaries(text, seconds, max_size=3), waits=tuples(waits),
    lines=tuples(lines), threads=tuples(st.builds(ThreadShare, name=text, wall_s=seconds, cpu_s=seconds, parts=parts)),
    children=tuples(st.builds(Child, pid=st.integers(1), command=text, wall_s=seconds, cpu_s=seconds, parts=parts)),
    provenance=provenance,
)  # fmt: skip
maybe = st.none() | seconds
rows = st.builds(
    ComparisonRow,
    remedy=text, workers=st.none() | st.integers(1, 99), median_s=maybe, speedup=maybe, ci_low=maybe, ci_high=maybe,
    predicted=maybe, predicted_low=maybe, predicted_high=maybe, same_answer=st.none() | st.booleans(), verdict=text,
    note=text,
)  # fmt: skip
comparisons = st.builds(
    Comparison,
    target=text, items=st.integers(0), baseline=text, rows=tuples(rows), recommended=st.none() | text, reason=text,
    rounds=st.integers(0), raw=st.dictionaries(text, st.lists(seconds, max_size=4), max_size=3), provenance=provenance,
)  # fmt: skip
tables = st.builds(
    Table,
    title=text,
    columns=st.just(("a", "b")),
    rows=tuples(st.tuples(plain, plain)),
    plot=st.dictionaries(text, text, max_size=2),
    provenance=provenance,
)


@given(diagnoses | comparisons | tables)
def test_json_gives_back_an_equal_result(result: Result) -> None:
    assert type(result).from_json(json.loads(json.dumps(result.to_json()))) == result


def test_the_schema_of_a_diagnosis() -> None:
    """The names that users' scripts read: changing one needs a new schema number."""
    data = Diagnosis(
        target="t", verdict="CPU-bound", bound_by="python", reasons=(), wall_s=1.0, cpu_s=1.0, overhead=None, parts={},
        counters={},
    ).to_json()  # fmt: skip
    assert data["schema"] == 1
    assert data["kind"] == "diagnosis"
    assert {"target", "verdict", "bound_by", "reasons", "wall_s", "cpu_s", "overhead", "parts", "waits", "lines",
            "threads", "children", "provenance"} <= set(data)  # fmt: skip


def test_the_schema_of_a_comparison() -> None:
    data = Comparison(
        target="t", items=1, baseline="b", rows=(ComparisonRow(remedy="b"),), recommended=None, reason="", rounds=0,
        raw={},
    ).to_json()  # fmt: skip
    assert data["kind"] == "comparison"
    assert set(data) == {"schema", "kind", "target", "items", "baseline", "rows", "recommended", "reason", "rounds",
                         "raw", "provenance"}  # fmt: skip
    assert set(data["rows"][0]) == {
        "remedy", "workers", "median_s", "speedup", "ci_low", "ci_high", "predicted", "predicted_low",
        "predicted_high", "same_answer", "verdict", "note"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("rows"), "table: the field 'rows' is missing"),
        (lambda data: data.update(more=1), "table: unknown field 'more'; it may come from a newer workbench"),
        (lambda data: data.update(title=3), "table.title: expected str, found 3"),
        (lambda data: data.update(rows={"a": 1}), "table.rows: expected a list, found dict"),
        (lambda data: data.update(rows=[4]), "table.rows[0]: expected a list, found int"),
        (lambda data: data.update(provenance=[]), "table.provenance: expected an object, found list"),
    ],
)
def test_another_shape_is_refused_in_one_line(change, said) -> None:
    data = Table(title="t", columns=("a",), rows=((1,),)).to_json()
    change(data)
    with pytest.raises(RecordError) as caught:
        Table.from_json(data)
    assert str(caught.value) == said


def test_a_number_is_not_a_boolean_and_a_row_is_an_object() -> None:
    data = Comparison(
        target="t", items=1, baseline="b", rows=(ComparisonRow(remedy="b"),), recommended=None, reason="", rounds=0,
        raw={},
    ).to_json()  # fmt: skip
    with pytest.raises(RecordError, match=r"comparison\.items: expected int, found True"):
        Comparison.from_json({**data, "items": True})
    with pytest.raises(RecordError, match=r"comparison\.rows\[0\]: expected an object, found int"):
        Comparison.from_json({**data, "rows": [1]})
    with pytest.raises(RecordError, match=r"rows\[0\]\.speedup: expected float or null, found 'fast'"):
        Comparison.from_json({**data, "rows": [{"remedy": "x", "speedup": "fast"}]})


def test_a_table_of_a_frame_holds_plain_values() -> None:
    frame = pd.DataFrame({"n": np.array([1, 2], dtype=np.int8), "s": [0.5, math.nan], "ok": [True, False]})
    frame["workers"] = pd.array([None, 4], dtype="Int64")
    table = Table.from_frame("t", frame)
    assert table.rows == ((1, 0.5, True, None), (2, None, False, 4))
    assert json.loads(json.dumps(table.to_json()))["columns"] == ["n", "s", "ok", "workers"]


def test_a_diagnosis_shows_every_part_and_its_share() -> None:
    diagnosis = Diagnosis(
        target="t", verdict="mixed", bound_by="mixed", reasons=(), wall_s=2.0, cpu_s=1.0, overhead=None,
        parts={"python": 1.0, "network": 1.0}, counters={},
    )  # fmt: skip
    table = diagnosis.table().set_index("part")
    assert list(table.index) == list(NAMES)
    assert table.loc["network", "share"] == 0.5
    assert table["seconds"].sum() == 2.0
    assert "network" in diagnosis._repr_html_()
