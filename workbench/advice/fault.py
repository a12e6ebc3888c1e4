"""What the text of a line shows: a fault, and the looks that find one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import NamedTuple

from workbench.advice.evidence import Evidence, Frame, Sample
from workbench.advice.saving import Share
from workbench.source import called

#: Calls that take next to nothing.
CHEAP = (
    "append", "add", "len", "range", "enumerate", "zip", "int", "str", "strip", "lower", "split", "sum", "print", "get",
)  # fmt: skip
#: A line that takes such a share of its loop is what the loop is there for; of several lines, the first one.
MOST_OF_IT, PART_OF_IT = 0.3, 0.1


class Fault(NamedTuple):
    """What makes a line dear: a kind, what to do, why, how, and the share of its time that this saves."""

    kind: str
    what: str
    why: str
    how: str
    share: Share
    #: The share of its loop from which on all that the loop does goes with the line; None where nothing does.
    of_loop: float | None = None
    hazard: str = ""
    #: The line to change, where it is another one.
    line: int = 0


#: A look at a line and the samples that were seen there.
Look = Callable[[Evidence, Frame, list[Sample]], Fault | None]


def is_cheap(seen: Evidence, place: Frame, *calls: ast.Call, cheap: tuple[str, ...] = CHEAP) -> bool:
    """Say whether a line makes no other calls than these that may take long."""
    loops = (
        node for node in seen.source.nodes(place) if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp)
    )
    once = {call for loop in loops for call in ast.walk(loop.generators[0].iter)}
    others = (call for call in seen.source.calls(place) if call not in calls and call not in once)
    return all(called(call)[1] in cheap for call in others)


def is_mapping(seen: Evidence, place: Frame, name: str) -> bool:
    """Say whether a name is bound to a dictionary at a line."""
    return any(
        isinstance(value, ast.Dict | ast.DictComp) or (isinstance(value, ast.Call) and called(value)[1] == "dict")
        for value in seen.source.bound(place, name)
    )
