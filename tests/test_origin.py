"""Whose code a line is."""

import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple

from workbench.origin import innermost


class Line(NamedTuple):
    file: str
    function: str


def lines_of(frame: FrameType | None) -> list[Line]:
    """Return the lines of a stack, from the innermost on."""
    found = []
    while frame is not None:
        found.append(Line(frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    return found


@dataclass
class Made:
    """Its constructor is code that was made from a string."""

    lines: list[Line] = field(default_factory=lambda: lines_of(sys._getframe(1)))


def test_code_that_a_library_made_from_a_string_is_told_at_the_line_that_called_it() -> None:
    lines = Made().lines
    assert lines[0] == ("<string>", "__init__")
    assert innermost(lines) == (__file__, sys._getframe().f_code.co_name)


def test_code_that_was_typed_is_the_users_own() -> None:
    typed = Line("<string>", "<module>")
    assert innermost([Line("/usr/lib/python3.11/json/decoder.py", "decode"), typed]) == typed
