"""What a person names on the command line is found, or told in one line."""

import json
import sys
from pathlib import Path

import pytest

from workbench import UsageError
from workbench.cli import main
from workbench.targets import WithoutItem, load_callable, read_items

TASK = """
import time

calls = []

class Shop:
    @staticmethod
    def price(item):
        return item * 2

def nap(item=0):
    time.sleep(0.002)
    return item

def fails(item):
    if item:
        raise ValueError("no such item")
    return item
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "a_task.py").write_text(TASK)
    yield tmp_path / "a_task.py"
    sys.modules.pop("a_task", None)


def test_a_callable_of_a_file_or_module(task: Path) -> None:
    assert load_callable(str(task), "nap")(7) == 7
    assert load_callable("a_task", "Shop.price")(3) == 6


@pytest.mark.parametrize(
    ("place", "name", "said"),
    [
        ("a_task.py", "nope", "a_task.py has no callable 'nope'"),
        ("a_task.py", "calls", "a_task.py has no callable 'calls'"),
        ("none.py", "f", "can't read none.py: No such file or directory"),
        ("no_such_module", "f", "there is no module 'no_such_module'"),
        ("broken.py", "f", "broken.py, line 2: "),
    ],
)
def test_what_is_not_there_is_told(task: Path, place: str, name: str, said: str) -> None:
    Path("broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(UsageError) as caught:
        load_callable(place, name)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('[1, "a"]', [1, "a"]),
        ("1\n\nhttp://127.0.0.1/\n", [1, "http://127.0.0.1/"]),
        ('{"a": 1}\n[2]', [{"a": 1}, [2]]),
    ],
)
def test_items_are_a_list_or_lines(tmp_path: Path, text: str, items: list[object]) -> None:
    (tmp_path / "items").write_text(text)
    assert read_items(tmp_path / "items") == items


def test_items_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read the items in .*: No such file"):
        read_items(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="can't read the items"):
        read_items(tmp_path / "bytes")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="holds no items: pass a JSON list, or one item a line"):
        read_items(tmp_path / "empty")


def test_a_callable_without_arguments_takes_any_item() -> None:
    assert WithoutItem(dict)("ignored") == {}


@pytest.mark.slow
def test_compare_prints_a_table_or_json(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("items").write_text("\n".join(map(str, range(20))))
    words = ["--remedies", "threads", "--budget", "15s", "--out", "found.json"]
    assert main(["compare", "a_task.py:nap", "--items", "items", *words]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["remedy", "median_s", "speedup", "predicted", "verdict"]
    assert "threads" in printed
    found = json.loads(Path("found.json").read_text())
    assert (found["kind"], found["items"], found["target"]) == ("comparison", 20, "a_task:nap")
    assert found["rows"][1]["predicted"] is not None
    assert list(found) == [
        "schema", "kind", "target", "items", "baseline", "rows", "recommended", "reason", "rounds", "raw", "provenance",
    ]  # fmt: skip
    assert list(found["rows"][1]) == [
        "remedy", "workers", "median_s", "speedup", "ci_low", "ci_high", "predicted", "predicted_low", "predicted_high",
        "same_answer", "verdict", "note",
    ]  # fmt: skip
    assert main(["compare", "a_task.py:nap", "--repeat", "5", *words[:2], "--budget", "2s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a_task.py:fails", "--items", "items"], 1, "the task itself fails: ValueError: no such item"),
        (["a_task.py", "--items", "items"], 2, "'a_task.py' names no callable: pass file.py:callable"),
        (["a_task.py:nap", "--items", "none"], 2, "can't read the items in none"),
        (["a_task.py:nap", "--items", "deep"], 2, "can't read the item [[[[[[[[[[[[[[[[[[[[…: it is nested too deep"),
        (["a_task.py:nap", "--items", "items", "--remedies", "magic"], 2, "no remedy 'magic' is installed"),
        (["a_task.py:nap", "--items", "items", "--out", "no/such/folder"], 1, "can't write no/such/folder"),
        (["a_task.py:nap", "--repeat", "0"], 2, "there are no items"),
    ],
)
def test_compare_tells_what_was_wrong(
    task: Path, capfd: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    Path("items").write_text("1\n3\n")
    Path("deep").write_text("[" * 100_000 + "]" * 100_000)
    assert main(["compare", *words]) == code
    complaint = capfd.readouterr().err.strip().splitlines()[-1]
    assert complaint.startswith(f"workbench: {said}")


def test_compare_wants_items_or_a_number(task: Path) -> None:
    for words in (["a_task.py:nap"], ["a_task.py:nap", "--repeat", "2", "--budget", "soon"]):
        with pytest.raises(SystemExit) as caught:
            main(["compare", *words])
        assert caught.value.code == 2


@pytest.mark.parametrize("items", [["http://127.0.0.1/"], ["a", 1, None], [[1, "a"], {}], ["[1, 2"]])
def test_a_json_list_is_taken_item_by_item_whatever_they_are(tmp_path: Path, items: list[object]) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps(items))
    assert read_items(path) == items
    path.write_text(json.dumps(items, indent=1))
    assert read_items(path) == items


def test_an_empty_list_and_one_that_is_cut_off_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text("[]")
    with pytest.raises(UsageError, match="holds no items"):
        read_items(path)
    path.write_text('["a", "b"')
    with pytest.raises(UsageError, match="begins as a JSON list, but is none"):
        read_items(path)
