"""Loops that do in many turns, or anew in each turn, what one call does for all."""

from __future__ import annotations

import ast
import re

from workbench.advice.evidence import Evidence, Frame, Sample
from workbench.advice.fault import CHEAP, PART_OF_IT, Fault, Look, is_cheap, is_mapping
from workbench.advice.saving import MOST, NEARLY_ALL
from workbench.source import called, own_nodes, text_of

#: Where arrays come from, and what is done with a single value of one.
_MAKES_ARRAYS = re.compile(r"(np|numpy|rng|random_state)\.|.*\.(to_numpy\(|values$|astype\(|reshape\()")
_OF_A_VALUE = (
    *CHEAP,
    "abs",
    "min",
    "max",
    "round",
    "float",
    "bool",
    "sqrt",
    "exp",
    "log",
    "sin",
    "cos",
    "pow",
    "hypot",
)
_TOTALS = ("sum", "min", "max", "any", "all", "sorted", "mean", "len")
#: A loop that tells so many characters apart reads a format by hand.
_CHARACTERS = 2


def _item_by_item(seen: Evidence, place: Frame, _: list[Sample]) -> Fault | None:
    """Find a loop over the items of an array, each of which becomes an object of Python's own."""
    around = _for_loops(seen, place)
    if not around or not is_cheap(seen, place, cheap=_OF_A_VALUE):
        return None
    gone_over = {node.id for node in ast.walk(around[-1].iter) if isinstance(node, ast.Name)}
    names = (name for name in gone_over if _is_array(seen, place, name))
    if name := next(names, "") or _taken(seen, place, _turned(around)):
        return Fault(
            "vectorise", f"compute with the whole array {name} instead of item by item",
            f"each item of {name} is made an object of Python's own, one after the other",
            f"result = numpy.sqrt({name}) + 1  # operations of whole arrays; numpy.where for conditions\n"
            "# where an item needs the one before: numba.njit, or a list of floats (.tolist())",
            NEARLY_ALL, PART_OF_IT,
        )  # fmt: skip
    return None


def _taken(seen: Evidence, place: Frame, turned: set[str]) -> str:
    """Return the array of which a line takes the item that it is the turn of; empty where there is none.

    Only arrays, and dictionaries, are asked for a pair of numbers.
    """
    for node in seen.source.nodes(place):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and turned & _named(node.slice):
            name = node.value.id
            if isinstance(node.slice, ast.Tuple) and not is_mapping(seen, place, name) and _uses_arrays(seen, place):
                return name
            if not isinstance(node.slice, ast.Slice) and _is_array(seen, place, name):
                return name
    return ""


def _uses_arrays(seen: Evidence, place: Frame) -> bool:
    imports = (node for node in ast.walk(seen.source.tree(place.file)) if isinstance(node, ast.Import))
    return any(name.name == "numpy" for node in imports for name in node.names)


def _is_array(seen: Evidence, place: Frame, name: str) -> bool:
    values = seen.source.bound(place, name) or seen.source.bound_anywhere(place, name)
    texts = [text_of(returned) for value in values for returned in _returned(seen, place, value)]
    return bool(texts) and all(_MAKES_ARRAYS.match(text) and not text.endswith(".tolist()") for text in texts)


def _returned(seen: Evidence, place: Frame, value: ast.expr) -> list[ast.expr]:
    """Return what a value is: of a call of a function of the same file, what that returns."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
        return [value]
    functions = (node for node in ast.walk(seen.source.tree(place.file)) if isinstance(node, ast.FunctionDef))
    returns = (
        node.value
        for function in functions
        if function.name == value.func.id
        for node in own_nodes(function)
        if isinstance(node, ast.Return) and node.value is not None
    )
    return list(returns) or [value]


def _totals_anew(seen: Evidence, place: Frame, _: list[Sample]) -> Fault | None:
    """Find a total of all items up to the present one, made anew in each turn."""
    turned = _turned(_for_loops(seen, place))
    for call in seen.source.calls(place):
        name = called(call)[1]
        for part in call.args:
            if name in _TOTALS and isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Slice):
                ends = [end for end in (part.slice.lower, part.slice.upper) if end is not None]
                if len(ends) == 1 and turned & _named(ends[0]):
                    return Fault(
                        "running-total", f"keep the {name} of the turn before, and add what is new",
                        f"{name}({text_of(part)}) goes through all of it in each turn",
                        "total += item  # in the loop; or itertools.accumulate(items), numpy.cumsum(items)",
                        NEARLY_ALL,
                    )  # fmt: skip
    return None


def _sorts_anew(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
    """Find a list that is sorted again and again for the sake of its first items."""
    if seen.repeats(samples[0]) is None:
        return None
    for call in seen.source.calls(place):
        owner, name = called(call)
        names = {owner} if name == "sort" and owner else _bound_to(seen, place, call) if name == "sorted" else set()
        if names and _takes_first(seen, place, names, call):
            return Fault(
                "heap-for-sorting", "keep what comes first at hand in a heap instead of sorting all",
                f"{text_of(call.func)}() puts all in order each time, and the first or last is taken",
                "heapq.heapify(items)  # once\nfirst = heapq.heappop(items); heapq.heappush(items, new)"
                "  # or min(items), bisect.insort",
                NEARLY_ALL,
            )  # fmt: skip
    return None


def _bound_to(seen: Evidence, place: Frame, call: ast.Call) -> set[str]:
    """Return the names that are bound to what a call returns; the text of the call itself where it is none."""
    assigned = (node for node in own_nodes(seen.source.function(place)) if isinstance(node, ast.Assign))
    return {text_of(target) for node in assigned if node.value is call for target in node.targets} or {text_of(call)}


def _takes_first(seen: Evidence, place: Frame, names: set[str], call: ast.Call) -> bool:
    for node in own_nodes(seen.source.function(place)):
        if isinstance(node, ast.Subscript) and text_of(node.value) in names and text_of(node.slice) in ("0", "-1"):
            return True
        if isinstance(node, ast.Call) and node is not call and called(node)[0] in names and called(node)[1] == "pop":
            return True
    return False


def _characters(seen: Evidence, place: Frame, _: list[Sample]) -> Fault | None:
    """Find a loop that goes through a text character by character to take it apart."""
    loops = seen.source.loops(place)
    if not loops or not is_cheap(seen, place):
        return None
    told = {
        side.value
        for node in ast.walk(loops[-1])
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and isinstance(side.value, str) and len(side.value) == 1
    }
    if len(told) < _CHARACTERS:
        return None
    return Fault(
        "parse-with-library", "let a function in C take the text apart",
        f"a loop looks at each character for {', '.join(map(repr, sorted(told)))}",
        "csv.reader(file, delimiter=';'), text.split(...), re.finditer(pattern, text), json.loads(text)",
        MOST, PART_OF_IT, line=getattr(loops[-1], "lineno", 0),
    )  # fmt: skip


def _for_loops(seen: Evidence, place: Frame) -> list[ast.For]:
    return [node for node in seen.source.loops(place) if isinstance(node, ast.For)]


def _turned(loops: list[ast.For]) -> set[str]:
    """Return the names that loops bind in each turn."""
    return {name for loop in loops for name in _named(loop.target)}


def _named(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


LOOKS: tuple[Look, ...] = (_totals_anew, _sorts_anew, _item_by_item, _characters)
