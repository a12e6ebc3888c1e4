"""The same work done again: answers of a recursive function, a file read each time, text that grows by copies."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.saving import MOST, NEARLY_ALL, of_repeated, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called, own_nodes, text_of
from workbench.views import number

_OPENS = ("open", "read_text", "read_bytes")
#: How often a function that reads a file is called, at least.
_OFTEN = 20
_ON_CPU = ("python", "native", "gil")


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find functions that do again what they have done, and text that grows by copies."""
    functions: dict[tuple[str, str], list[Sample]] = {}
    for sample in seen.samples:
        if sample.part in (*_ON_CPU, "disk"):
            functions.setdefault((sample.place.file, sample.place.function), []).append(sample)
    for samples in functions.values():
        seconds = seconds_of(samples)
        place = max(samples, key=lambda sample: sample.seconds).place
        if seen.is_large(seconds):
            yield from _recursive(seen, place, samples, seconds)
            yield from _reads(seen, place, samples, seconds)
    yield from _copies(seen)


def _recursive(seen: Evidence, place: Frame, samples: list[Sample], seconds: float) -> Iterator[Opportunity]:
    function = seen.source.function(place)
    deep = any(sum(one.function == place.function for one in sample.frames) > 2 for sample in samples)
    if not deep or not isinstance(function, ast.FunctionDef):
        return
    calls = [node for node in own_nodes(function) if isinstance(node, ast.Call) and called(node) == ("", function.name)]
    if len(calls) >= 2 and all(_steps(call) for call in calls):
        yield opportunity(
            seen, "remember-answers", place, seconds, NEARLY_ALL,
            what=f"remember the answers of {function.name}()",
            why=f"it calls itself {len(calls)} times, with arguments that come again: {number(seconds)} s",
            how=f"@functools.cache\ndef {function.name}(...):", try_="memo",
            hazard="only of a function whose answer depends on its arguments alone",
        )  # fmt: skip


def _steps(call: ast.Call) -> bool:
    """Say whether a call takes plain values, one of them a step from what it was given, as in ``n - 1``."""
    steps = [arg for arg in call.args if isinstance(arg, ast.BinOp) and isinstance(arg.op, ast.Add | ast.Sub)]
    plain = (ast.Name, ast.Constant)
    small = all(isinstance(step.left, ast.Name) and isinstance(step.right, ast.Constant) for step in steps)
    return bool(steps) and small and all(arg in steps or isinstance(arg, plain) for arg in call.args)


def _reads(seen: Evidence, place: Frame, samples: list[Sample], seconds: float) -> Iterator[Opportunity]:
    function = seen.source.function(place)
    if not isinstance(function, ast.FunctionDef) or seen.repeats(samples[0]) in (None, samples[0].place):
        return
    for node in own_nodes(function):
        if isinstance(node, ast.Call) and called(node)[1] in _OPENS and _is_same(seen, samples[0], node):
            yield opportunity(
                seen, "read-once", place._replace(line=node.lineno), seconds, of_repeated(_OFTEN),
                what=f"read {_file(node)} once",
                why=f"{function.name}() is called again and again, and reads it each time: {number(seconds)} s",
                how=f"@functools.cache\ndef {function.name}(...):  # or read it outside of the loop",
                hazard="a file that changes meanwhile is not seen",
            )  # fmt: skip
            return


def _is_same(seen: Evidence, sample: Sample, call: ast.Call) -> bool:
    """Say whether a call reads the same file each time: one that is named by a constant, or outside of the loop."""
    named = call.args[0] if called(call)[1] == "open" and call.args else getattr(call.func, "value", None)
    modes = [arg.value for arg in call.args[1:2] if isinstance(arg, ast.Constant)]
    if any("w" in str(mode) or "a" in str(mode) for mode in modes):
        return False
    if isinstance(named, ast.Constant):
        return True
    if not isinstance(named, ast.Name):
        return False
    values = seen.source.bound(sample.place, named.id)
    return (bool(values) and all(isinstance(value, ast.Constant) for value in values)) or _is_handed_on(
        seen, sample.frames[: sample.own + 1], named.id
    )


def _is_handed_on(seen: Evidence, frames: tuple[Frame, ...], name: str) -> bool:
    """Say whether a parameter of the innermost function is what its caller names in each turn of the caller's loop."""
    *outer, place = frames
    function = seen.source.function(place)
    if not outer or not isinstance(function, ast.FunctionDef):
        return False
    names = [arg.arg for arg in function.args.args]
    calls = [call for call in seen.source.calls(outer[-1]) if called(call) == ("", function.name)]
    if name not in names or not calls or len(calls[0].args) <= names.index(name):
        return False
    given = calls[0].args[names.index(name)]
    if not isinstance(given, ast.Name):
        return isinstance(given, ast.Constant)
    loops = seen.source.loops(outer[-1])
    if not loops:
        return _is_handed_on(seen, tuple(outer), given.id)
    bound = {
        node.id
        for loop in loops
        for node in ast.walk(loop)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return given.id not in bound


def _file(call: ast.Call) -> str:
    return text_of(call.args[0]) if called(call)[1] == "open" and call.args else called(call)[0]


def _copies(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines in a loop that make text longer by a copy of all of it: those of a local name do not."""
    for place, samples in seen.places(lambda sample: sample.part in _ON_CPU):
        seconds = seconds_of(samples)
        if not seen.is_large(seconds):
            return
        native_s = seconds_of(sample for sample in samples if sample.part == "native")
        grown = _grown(seen, place)
        if grown and native_s > seconds / 2 and seen.repeats(samples[0]) is not None:
            yield opportunity(
                seen, "join-once", place, seconds, MOST,
                what=f"collect the pieces of {grown} in a list, and join them once",
                why=f"{number(seconds)} s: each turn copies all that there is",
                how="pieces.append(piece)            # in the loop\n\"\".join(pieces)                 # once, after it",
            )  # fmt: skip


def _grown(seen: Evidence, place: Frame) -> str:
    """Return what a line makes longer by a piece of text, unless it does so in place; empty where it does not.

    CPython lengthens a local name's text in place, but only at its end.
    """
    for node in own_nodes(seen.source.function(place)):
        at_end = True
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and node.lineno == place.line:
            target, piece = text_of(node.target), node.value
        elif isinstance(node, ast.Assign) and node.lineno == place.line and isinstance(node.value, ast.BinOp):
            target, piece = text_of(node.targets[0]), node.value.right
            if text_of(piece) == target:
                at_end, piece = False, node.value.left
            elif text_of(node.value.left) != target:
                continue
        else:
            continue
        if (not at_end or "." in target or "[" in target) and _is_text(seen, place, piece):
            return target
    return ""


def _is_text(seen: Evidence, place: Frame, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return any(
            not isinstance(value, ast.Name) and _is_text(seen, place, value)
            for value in seen.source.bound(place, node.id)
        )
    written = any(
        isinstance(one, ast.JoinedStr) or isinstance(getattr(one, "value", None), str) for one in ast.walk(node)
    )
    return written or (isinstance(node, ast.Call) and called(node)[1] in ("str", "format", "repr", "join"))
