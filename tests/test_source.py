"""What is read from the text of a program: its loops, what a line calls, what a name is bound to."""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

from workbench.source import Source, called

TEXT = """\
import queue
gate = queue.Queue(2)

def outer(items):
    for item in more(items):
        inner(item)
    while not done():
        rest()
    total = [
        once(item)
        for item in items
    ]
    def nested():
        alone()
    return total

class Pool:
    def __init__(self):
        self.free = queue.Queue(3)

list(map(outer, [1]))
outer([1])
"""


class At(NamedTuple):
    file: str
    line: int


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "program.py"
    path.write_text(TEXT)
    return str(path)


@pytest.mark.parametrize(
    ("text", "looped"),
    [
        ("inner(item)", True),
        ("more(items)", False),
        ("not done()", True),
        ("rest()", True),
        ("once(item)", True),
        ("alone()", False),
        ("return total", False),
        ("list(map(", True),
        ("outer([1])", False),
    ],
)
def test_a_line_stands_in_a_loop_of_its_own_function(file: str, text: str, looped: bool) -> None:
    line = next(number for number, each in enumerate(TEXT.splitlines(), 1) if text in each)
    assert Source().is_in_loop(At(file, line)) is looped


def test_names_and_attributes_are_bound_anywhere_in_the_file(file: str) -> None:
    source = Source()
    assert [ast.unparse(value) for value in source.bound(At(file, 1), "gate")] == ["queue.Queue(2)"]
    assert [ast.unparse(value) for value in source.bound(At(file, 1), "self.free")] == ["queue.Queue(3)"]
    assert source.bound(At(file, 1), "nobody") == []


def test_calls_of_a_line(file: str) -> None:
    assert [called(call) for call in Source().calls(At(file, 5))] == [("", "more")]


def test_a_name_is_that_of_its_own_function_first(tmp_path: Path) -> None:
    path = tmp_path / "names.py"
    path.write_text("def f():\n    known = set()\n    return known\ndef g():\n    known = []\n    return known\n")
    assert [ast.unparse(value) for value in Source().bound(At(str(path), 3), "known")] == ["set()"]
    assert [ast.unparse(value) for value in Source().bound(At(str(path), 6), "known")] == ["[]"]


def test_expressions_nested_deep_are_read(tmp_path: Path) -> None:
    path = tmp_path / "deep.py"
    path.write_text("total = " + " + ".join(["x"] * 800) + "\nfor x in " + "a" + ".b()" * 400 + ": total(x)\n")
    source = Source()
    assert len(source.calls(At(str(path), 2))) > 0
    assert source.is_in_loop(At(str(path), 2))


@pytest.mark.parametrize("text", ["def broken(:\n", "", "(" * 5000])
def test_a_file_that_is_no_program_has_no_loops_and_no_calls(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.py"
    path.write_text(text)
    source = Source()
    assert (source.is_in_loop(At(str(path), 1)), source.calls(At(str(path), 1))) == (False, [])
    assert source.text(At("/no/such.py", 3)) == ""
