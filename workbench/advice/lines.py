"""Lines whose text shows why they are dear: a search through a list, messages that nobody reads, bytes one by one."""

from __future__ import annotations

import ast
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workbench.advice.evidence import Evidence, Frame, seconds_of
from workbench.advice.saving import NEARLY_ALL, Share, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called, text_of
from workbench.views import number

_LOGS = ("debug", "info")
_SEARCHES = ("match", "search", "fullmatch", "findall", "finditer", "sub", "split")
_POSITIONS = ("index", "count", "remove")
#: A line that takes such a share of its loop is what the loop is there for.
_MOST_OF_IT = 0.4
#: Calls that take next to nothing.
_CHEAP = (
    "append", "add", "len", "range", "enumerate", "zip", "int", "str", "strip", "lower", "split", "sum", "print", "get",
)  # fmt: skip
_JOINS, _ARRAYS = ("concat", "append", "vstack", "hstack", "concatenate"), ("pd", "np", "pandas", "numpy")
_READS = ("read", "recv", "iter_content", "read1")
#: What reads less at a time costs mostly calls.
_SMALL_BYTES = 512


class Fault(NamedTuple):
    """What makes a line dear: a kind, what to do, why, how, and the share of its time that this saves."""

    kind: str
    what: str
    why: str
    how: str
    share: Share
    #: Whether all that its loop does goes with it.
    whole_loop: bool = False


Look = Callable[[Evidence, Frame], Fault | None]


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines on the CPU whose text shows why."""
    on_cpu = seen.places(lambda sample: sample.part in ("python", "native", "gil", "runqueue"))
    for place, samples in on_cpu:
        seconds = seconds_of(samples)
        if not seen.is_large(seconds):
            break
        fault = next((fault for look in _LOOKS if (fault := look(seen, place)) is not None), None)
        if fault is not None:
            loop_s = _of_loop(seen, place) if fault.whole_loop else 0.0
            seconds = loop_s if fault.whole_loop and seconds > _MOST_OF_IT * loop_s else seconds
            yield opportunity(
                seen, fault.kind, place, seconds, fault.share,
                what=fault.what, why=f"{number(seconds)} s: {fault.why}", how=fault.how,
            )  # fmt: skip


def _of_loop(seen: Evidence, place: Frame) -> float:
    """Return what all lines of the innermost loop around a line take."""
    first, last = seen.source.loop_at(place)
    return seconds_of(
        sample for sample in seen.samples if sample.place.file == place.file and first <= sample.place.line <= last
    )


def _is_cheap(seen: Evidence, place: Frame, *calls: ast.Call) -> bool:
    """Say whether a line makes no other calls than these that may take long."""
    loops = (
        node for node in seen.source.nodes(place) if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp)
    )
    once = {call for loop in loops for call in ast.walk(loop.generators[0].iter)}
    others = (call for call in seen.source.calls(place) if call not in calls and call not in once)
    return all(called(call)[1] in _CHEAP for call in others)


def _membership(seen: Evidence, place: Frame) -> Fault | None:
    if not _is_cheap(seen, place, *(call for call in seen.source.calls(place) if called(call)[1] in _POSITIONS)):
        return None
    for node in seen.source.nodes(place):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn) and seen.source.loops(place):
            name = text_of(node.comparators[0])
            if _is_list(seen, place, name):
                return Fault(
                    "set-for-membership", f"look things up in a set instead of the list {name}",
                    f"each look-up compares with the items of {name} one by one",
                    f"known = set({name})  # once; add to it where one is appended\nif item not in known:",
                    NEARLY_ALL,
                )  # fmt: skip
        if isinstance(node, ast.Call) and called(node)[1] in _POSITIONS and seen.source.loops(place):
            name = called(node)[0]
            if _is_list(seen, place, name):
                return Fault(
                    "dict-for-position", f"keep where items are in a dict instead of searching the list {name}",
                    f"each {called(node)[1]}() goes through {name} from its start",
                    f"positions = {{item: at for at, item in enumerate({name})}}  # once", NEARLY_ALL,
                )  # fmt: skip
    return None


def _is_list(seen: Evidence, place: Frame, name: str) -> bool:
    values = seen.source.bound(place, name)
    return any(
        isinstance(value, ast.ListComp)
        or (isinstance(value, ast.List) and not value.elts)
        or (isinstance(value, ast.Call) and called(value)[1] in ("list", "sorted", "split", "readlines", "splitlines"))
        for value in values
    )


def _logging(seen: Evidence, place: Frame) -> Fault | None:
    for call in seen.source.calls(place):
        owner, name = called(call)
        written = any(one.place == place and one.passes("logging/__init__.py", "handle") for one in seen.samples)
        if name in _LOGS and "log" in owner.lower() and call.args and _is_made(call.args[0]) and not written:
            return Fault(
                "lazy-log-message", "let the logger make the message, when somebody reads it",
                f"the message of {owner}.{name}() is made each time, whether the level is on or not",
                f'{owner}.{name}("state %s: %s", first, second)\n# or: if {owner}.isEnabledFor(level): …',
                NEARLY_ALL,
            )  # fmt: skip
    return None


def _is_made(message: ast.expr) -> bool:
    formats = isinstance(message, ast.Call) and called(message)[1] == "format"
    return isinstance(message, ast.JoinedStr | ast.BinOp) or formats


def _small_reads(seen: Evidence, place: Frame) -> Fault | None:
    for call in seen.source.calls(place):
        _, name = called(call)
        sizes = [size for arg in (*call.args, *(word.value for word in call.keywords)) if (size := _number(arg))]
        if (
            name in _READS
            and (
                (name == "iter_content" and not call.args and not call.keywords)
                or 0 < min(sizes, default=0) < _SMALL_BYTES
            )
            and seen.source.is_in_loop(place)
            and _is_cheap(seen, place, call)
        ):
            return Fault(
                "larger-reads", "read more at a time",
                f"{name}() takes {min(sizes, default=1)} bytes at a time",
                f"{name}(65536)" if name != "iter_content" else "response.iter_content(chunk_size=65536)",
                NEARLY_ALL, True,
            )  # fmt: skip
    return None


def _number(node: ast.expr) -> int:
    """Return the integer that stands there, 0 for all else."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else 0


def _growing(seen: Evidence, place: Frame) -> Fault | None:
    if not seen.source.loops(place):
        return None
    for call in seen.source.calls(place):
        owner, name = called(call)
        arguments = [text_of(arg) for arg in call.args]
        if not _is_cheap(seen, place, call) or "(" in owner or _is_mapping(seen, place, owner):
            continue
        if (name == "pop" and arguments == ["0"]) or (name == "insert" and arguments[:1] == ["0"]):
            return Fault(
                "deque", "take items from a deque instead of the front of a list",
                f"{owner}.{name}(0) moves all other items each time",
                f"{owner} = collections.deque({owner})\n{owner}.popleft()  # or appendleft()", NEARLY_ALL,
            )  # fmt: skip
        if name in _JOINS and owner in _ARRAYS and seen.source.grows(place):
            return Fault(
                "collect-then-concat", "collect the parts in a list, and put them together once",
                f"{owner}.{name}() copies all that there is, each time",
                f"parts.append(part)  # in the loop\n{owner}.{name}(parts)  # once, after it", NEARLY_ALL,
            )  # fmt: skip
    return None


def _is_mapping(seen: Evidence, place: Frame, name: str) -> bool:
    return any(
        isinstance(value, ast.Dict | ast.DictComp) or (isinstance(value, ast.Call) and called(value)[1] == "dict")
        for value in seen.source.bound(place, name)
    )


def _pattern(seen: Evidence, place: Frame) -> Fault | None:
    for call in seen.source.calls(place):
        owner, name = called(call)
        if name not in _SEARCHES:
            continue
        sources = [call] if owner == "re" else seen.source.bound(place, owner)
        texts = [
            value.args[0].value
            for value in sources
            if isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.Constant)
        ]
        if nested := next((text for text in texts if isinstance(text, str) and _backtracks(text)), None):
            return Fault(
                "simpler-pattern", "write the pattern without a repetition inside a repetition",
                f"{nested!r} can match the same text in many ways, and tries all of them where it does not match",
                "# (\\w+\\s?)* -> [\\w\\s]*: one repetition; or atomic (?>…), possessive ++ (Python 3.11)", NEARLY_ALL,
            )  # fmt: skip
    return None


def _backtracks(pattern: str) -> bool:
    r"""Say whether a pattern repeats, without a limit, what holds such a repetition itself.

    Examples
    --------
    >>> _backtracks(r"(\w+\s?)*:$"), _backtracks(r"(\w+,)*x"), _backtracks(r"[a-z]+\d*")
    (True, False, False)
    """
    try:
        return _nests(sre_parser.parse(pattern))
    except (re.error, OverflowError, RecursionError):
        return False


def _nests(parsed: Any) -> bool:
    """Say whether something in a pattern is repeated without a limit, of which a part alone may match any of it."""
    for op, argument in parsed:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            _, most, repeated = argument
            if (most is sre.MAXREPEAT and _is_ambiguous(repeated)) or _nests(repeated):
                return True
        else:
            parts = {sre.SUBPATTERN: [argument[-1]], sre.BRANCH: argument[1]} if isinstance(argument, tuple) else {}
            if any(_nests(part) for part in parts.get(op, ())):
                return True
    return False


def _is_ambiguous(parsed: Any) -> bool:
    """Say whether a sequence is an endless repetition, and else of what may be left out: no turn must end anywhere."""
    items = list(parsed)
    if len(items) == 1 and items[0][0] is sre.SUBPATTERN:
        return _is_ambiguous(items[0][1][-1])
    if len(items) == 1 and items[0][0] is sre.BRANCH:
        return any(map(_is_ambiguous, items[0][1][1]))
    repeats = [op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[1] is sre.MAXREPEAT for op, argument in items]
    optional = [op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[0] == 0 for op, argument in items]
    return any(repeats) and all(one or other for one, other in zip(repeats, optional, strict=True))


_LOOKS: tuple[Look, ...] = (_membership, _logging, _small_reads, _growing, _pattern)
