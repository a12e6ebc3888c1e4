"""Lines whose text shows why they are dear: a search through a list, messages that nobody reads, bytes one by one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.advice import loops
from workbench.advice.evidence import Evidence, Frame, Sample, seconds_of
from workbench.advice.fault import MOST_OF_IT, Fault, Look, is_cheap, is_mapping
from workbench.advice.patterns import backtracks
from workbench.advice.saving import NEARLY_ALL, Share, opportunity
from workbench.opportunity import Opportunity
from workbench.source import called, own_nodes, text_of
from workbench.views import number

_LOGS = ("debug", "info")
_SEARCHES = ("match", "search", "fullmatch", "findall", "finditer", "sub", "split")
_AT_START = ("match", "fullmatch")
_POSITIONS = ("index", "count", "remove")
_JOINS, _ARRAYS = ("concat", "append", "vstack", "hstack", "concatenate"), ("pd", "np", "pandas", "numpy")
_READS = ("read", "recv", "iter_content", "read1")
#: Of a line that writes and flushes.
_FLUSHED = Share(0.4, 0.7, 0.95)
#: What reads less at a time costs mostly calls.
_SMALL_BYTES = 512


def find(seen: Evidence) -> Iterator[Opportunity]:
    """Find the lines on the CPU whose text shows why."""
    on_cpu = seen.places(lambda sample: sample.part in ("python", "native", "gil", "runqueue"))
    told: set[tuple[str, str, tuple[int, int]]] = set()
    for place, samples in on_cpu:
        seconds = seconds_of(samples)
        if not seen.is_large(seconds):
            break
        fault = next((fault for look in _LOOKS if (fault := look(seen, place, samples)) is not None), None)
        if fault is None:
            continue
        if fault.of_loop is not None and seconds > fault.of_loop * (loop_s := _of_loop(seen, place)):
            seconds, key = loop_s, (fault.kind, place.file, seen.source.loop_at(place))
            if key in told:
                continue
            told.add(key)
        yield opportunity(
            seen, fault.kind, place._replace(line=fault.line or place.line), seconds, fault.share,
            what=fault.what, why=f"{number(seconds)} s: {fault.why}", how=fault.how, hazard=fault.hazard,
        )  # fmt: skip


def _of_loop(seen: Evidence, place: Frame) -> float:
    """Return what all lines of the innermost loop around a line take."""
    first, last = seen.source.loop_at(place)
    return seconds_of(
        sample for sample in seen.samples if sample.place.file == place.file and first <= sample.place.line <= last
    )


def _membership(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
    if not is_cheap(seen, place, *(call for call in seen.source.calls(place) if called(call)[1] in _POSITIONS)):
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
        or (isinstance(value, ast.List) and (not value.elts or _grows_by(seen, place, name)))
        or (isinstance(value, ast.Call) and called(value)[1] in ("list", "sorted", "split", "readlines", "splitlines"))
        for value in values
    )


def _grows_by(seen: Evidence, place: Frame, name: str) -> bool:
    """Say whether the function of a line appends to a list."""
    calls = (node for node in own_nodes(seen.source.function(place)) if isinstance(node, ast.Call))
    return any(called(call) in ((name, "append"), (name, "extend"), (name, "insert")) for call in calls)


def _logging(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
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


def _small_reads(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
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
            and is_cheap(seen, place, call)
        ):
            return Fault(
                "larger-reads", "read more at a time",
                f"{name}() takes {min(sizes, default=1)} bytes at a time",
                f"{name}(65536)" if name != "iter_content" else "response.iter_content(chunk_size=65536)",
                NEARLY_ALL, MOST_OF_IT,
            )  # fmt: skip
    return None


def _flushes(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
    for call in seen.source.calls(place):
        owner, name = called(call)
        told = any(word.arg == "flush" and getattr(word.value, "value", None) is True for word in call.keywords)
        of_file = name == "flush" and all(called(made)[1] == "open" for made in _calls_bound_to(seen, place, owner))
        if (of_file or (name == "print" and told)) and seen.repeats(samples[0]) is not None:
            return Fault(
                "flush-less", "let the file keep what is written until there is enough of it",
                f"{'print()' if told else owner + '.flush()'} hands every line to the system by itself",
                "print(line, file=file)  # without flush=True; closing the file writes the rest",
                _FLUSHED if told else NEARLY_ALL, hazard="who reads along sees it later",
            )  # fmt: skip
    return None


def _calls_bound_to(seen: Evidence, place: Frame, name: str) -> list[ast.Call]:
    """Return the calls that a name is bound to, as far as is known."""
    return [value for value in seen.source.bound(place, name) if isinstance(value, ast.Call)]


def _number(node: ast.expr) -> int:
    """Return the integer that stands there, 0 for all else."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else 0


def _growing(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
    if not seen.source.loops(place):
        return None
    for call in seen.source.calls(place):
        owner, name = called(call)
        arguments = [text_of(arg) for arg in call.args]
        if not is_cheap(seen, place, call) or "(" in owner or is_mapping(seen, place, owner):
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


def _pattern(seen: Evidence, place: Frame, samples: list[Sample]) -> Fault | None:
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
        if nested := next(
            (text for text in texts if isinstance(text, str) and backtracks(text, at_start=name in _AT_START)), None
        ):
            return Fault(
                "simpler-pattern", "write a pattern that can't match the same text in so many ways",
                f"{nested!r} can match the same text in many ways, and tries all of them where it does not match",
                "# (\\w+\\s?)* -> [\\w\\s]*: one repetition; or atomic (?>…), possessive ++ (Python 3.11)\n"
                "# \\s+$ -> text.rstrip()", NEARLY_ALL,
            )  # fmt: skip
    return None


_LOOKS: tuple[Look, ...] = (_membership, _logging, _small_reads, _flushes, _growing, _pattern, *loops.LOOKS)
