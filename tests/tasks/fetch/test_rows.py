import dataclasses

import pytest

from workbench import Fetched, FetchInterrupted, FetchRow

ROWS = Fetched(
    [
        FetchRow(url="http://a.example/", status=200, body=b"hello", elapsed_s=0.5, attempts=1),
        FetchRow(url="http://b.example/", error="unknown host '<b.example>'", attempts=1),
        FetchRow(url="http://c.example/", status=200, from_cache=True),
    ],
    wall_s=1.25,
)


def test_it_is_a_sequence_of_rows():
    assert len(ROWS) == 3
    assert ROWS[0] in ROWS
    assert [row.ok for row in ROWS] == [True, False, True]
    assert isinstance(ROWS[1:], Fetched)
    assert list(ROWS[1:]) == list(ROWS)[1:]


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROWS[0].status = 500


@pytest.mark.parametrize("rows", [ROWS, ROWS[:0]])
def test_the_table_has_all_columns_and_their_types(rows):
    table = rows.table()
    assert list(table.columns) == [
        *("url", "status", "body", "body_bytes", "elapsed_s", "error", "attempts", "from_cache"),
    ]
    assert len(table) == len(rows)
    types = {
        "status": "Int64",
        "body_bytes": "int64",
        "elapsed_s": "float64",
        "attempts": "int64",
        "from_cache": "bool",
    }
    assert {name: str(table[name].dtype) for name in types} == types


def test_failures_can_be_found_in_the_table():
    table = ROWS.table()
    assert list(table[table["error"].notna()]["url"]) == ["http://b.example/"]
    assert table["status"].isna().tolist() == [False, True, False]


def test_the_summary_is_short_whatever_was_fetched():
    assert repr(ROWS) == "Fetched(3 rows: 2 ok, 1 failed, 1 from the cache; 5 bytes in 1.25 s)"
    html = ROWS._repr_html_()
    assert "1 × unknown host &#x27;&lt;b.example&gt;&#x27;" in html
    assert "hello" not in repr(ROWS[0])


def test_an_interrupt_is_an_interrupt():
    stop = FetchInterrupted(ROWS)
    assert isinstance(stop, KeyboardInterrupt)
    assert stop.result is ROWS
    assert "sys.last_value.result" in str(stop)
