"""What a task does besides answering: what leaves the process, what it shares and changes, whom it talks to.

The interface::

    with watched(func) as seen:          # 1-15 ms in all, some 3 µs for each message or file inside
        answers = run(func, items, workers=workers)
    seen.outward                         # tuple of Effect: "prints", "sends POST to 127.0.0.1:8931", "writes /a/b"
    seen.shared                          # name -> Change: {"Total.value": by 40, "seen": 40 appended}
    seen.talks_to                        # peers and what can't be known to be a read: "127.0.0.1:5432"

    steady = agreed(seen, again)         # two plain runs of the same items: what happens each time, what varies
    comparable(steady, found)            # (what is wrong with a remedy's run, what comes in another order)
    steady.impure, notes(steady)         # why memo can't stand in; lines for the table's reader

`workbench.comparison.outward` says how things are seen, `workbench.comparison.shared` what is looked at. What happens
the first time only, as filling a cache or making a connection, is no effect; reading is none either.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from workbench.comparison.answers import MOST_READ, same
from workbench.comparison.outward import Effect, watch
from workbench.comparison.shared import OF_A_THREAD, Change, Snapshot, changes, contents, snapshot
from workbench.masking import masked

__all__ = [
    "Change",
    "Effect",
    "Seen",
    "agreed",
    "changed",
    "changes",
    "comparable",
    "copied",
    "joined",
    "notes",
    "state_of",
    "watched",
]

#: Names that are told of many.
SHOWN = 3
#: How far two plain runs do the same to a variable: the same values, the same keys and lengths, as many, or anything.
Likeness = Literal["values", "shape", "name"]


@dataclass
class Seen:
    """What a run of a task did besides answering.

    ``likeness`` says by name how far two plain runs agree, where that is known: see `agreed`. ``once`` names what
    a second run of the same items can't do again, though it is no cache: it is told, and not compared.
    """

    outward: tuple[Effect, ...] = ()
    shared: dict[str, Change] = field(default_factory=dict)
    talks_to: tuple[str, ...] = ()
    likeness: dict[str, Likeness] = field(default_factory=dict)
    once: frozenset[str] = frozenset()
    #: Where each peer was talked to first; what was done to the process though it was so before; what is no cache.
    first_talk: dict[str, int] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    collects: frozenset[str] = frozenset()

    @property
    def impure(self) -> str:
        """Why answers that are remembered can't stand in for calls; empty where nothing was seen."""
        if self.shared:
            return f"it changes {some(map(repr, self.variables))}"
        if self.outward:
            return f"it {some(map(str, self.outward))}"
        return f"it talks to {some(self.talks_to)}, which may be writing" if self.talks_to else ""

    @property
    def variables(self) -> list[str]:
        """The variables that it changes, without the keys and elements in them."""
        return list(dict.fromkeys(_variable(name) for name in self.shared))


@contextmanager
def watched(func: Callable[..., Any], *, at: Callable[[], int] = lambda: 0) -> Iterator[Seen]:
    """Watch calls of a function in this process; what is yielded is filled at the end.

    Parameters
    ----------
    func
        The task: what it reaches is looked at.
    at
        Returns a number that says where something is seen: the item at work.

    Examples
    --------
    >>> seen = []
    >>> def note(n):
    ...     seen.append(n)
    >>> with watched(note) as did:
    ...     note(1)
    >>> {name: str(change) for name, change in did.shared.items()}, did.outward
    ({'seen': '1 appended'}, ())
    """
    found = Seen()
    before = state_of(func)
    try:
        with watch(lambda: before.files, at=at) as outside:
            yield found
    finally:
        after = state_of(func)
        found.outward = tuple(outside.effects.values())
        found.first_talk = dict(outside.talks_to)
        found.talks_to = tuple(outside.talks_to)
        found.touched = frozenset(outside.touched)
        found.shared = changes(before, after)
        found.collects = frozenset(name for name in found.shared if after.collects(name))


def state_of(func: Callable[..., Any]) -> Snapshot:
    """Return copies of what a function can change in this process, and of the process's folder and environment.

    Examples
    --------
    >>> seen = []
    >>> state_of(lambda n: seen.append(n)).values["seen"]
    []
    """
    found = snapshot(func)
    found.values |= {f"os.environ[{name!r}]": value for name, value in os.environ.items()}
    try:
        found.values["the working directory"] = os.getcwd()
    except OSError:  # removed meanwhile
        found.values["the working directory"] = ""
    return found


def joined(first: Seen, then: Seen, shared: dict[str, Change]) -> Seen:
    """Return what two runs of different items did, one after the other; ``shared`` is what both did to variables."""
    outward = {(effect.kind, effect.what): effect for effect in then.outward}
    for effect in first.outward:
        later = outward.get((effect.kind, effect.what))
        outward[effect.kind, effect.what] = replace(effect, times=effect.times + (later.times if later else 0))
    return Seen(
        outward=tuple(outward.values()),
        shared=shared,
        talks_to=tuple({**first.first_talk, **then.first_talk}),
        first_talk={**then.first_talk, **first.first_talk},
        touched=first.touched | then.touched,
        collects=frozenset(name for name in shared if name in first.collects | then.collects),
    )


def agreed(first: Seen, again: Seen, *, reached: int | None = None, whole: bool = True) -> Seen:
    """Return what two plain runs of the same items have in common: what happens whenever the task runs.

    Parameters
    ----------
    first, again
        The two runs, the first one before the other.
    reached
        The number of items of the first that the second did again; None for all.
    whole
        Whether both did the same items, so that what they did to variables can be compared by value.

    Examples
    --------
    >>> stamp, later = Seen(shared={"last": Change("by", 3.25)}), Seen(shared={"last": Change("by", 0.5)})
    >>> agreed(stamp, later).likeness
    {'last': 'name'}
    """
    variables = {_variable(name) for name in again.shared}
    shared, once, likeness = {}, set(), {}
    for name, change in first.shared.items():
        if name in again.touched or (_variable(name) not in variables and name in first.collects):
            once.add(name)
        elif _variable(name) not in variables:
            continue
        later = again.shared.get(name)
        if whole and later is not None and _begun(change, later):
            change = later
        shared[name] = change
        likeness[name] = _likeness(change, later) if whole else _likely(change)
    repeated = {effect.what for effect in again.outward}
    kinds = {effect.kind for effect in again.outward}
    outward = tuple(
        effect
        for effect in first.outward
        if effect.what in repeated
        or (effect.kind == "file" and effect.kind in kinds)
        or (reached is not None and effect.first >= reached and not _only_once(effect, first, kinds, reached))
    )
    talks_to = tuple(
        peer
        for peer, where in first.first_talk.items()
        if peer in again.talks_to or (reached is not None and where >= reached)
    )
    return replace(first, outward=outward, shared=shared, talks_to=talks_to, likeness=likeness, once=frozenset(once))


def _only_once(effect: Effect, first: Seen, kinds: set[str], reached: int) -> bool:
    """Say whether the first items did the like the first time and no more, as where answers are kept in files."""
    return effect.kind not in kinds and any(
        other.kind == effect.kind and other.first < reached for other in first.outward
    )


def comparable(expected: Seen, found: Seen, *, outward: bool = False) -> tuple[str, str]:
    """Say how a run differs from what the task does besides answering: what is wrong, and what is in another order.

    Parameters
    ----------
    expected
        From `agreed`, where there were two plain runs.
    found
        A remedy's run of the same items.
    outward
        Whether effects outside have to agree too, in number: what a child process does is not seen here.

    Examples
    --------
    >>> plain = Seen(shared={"seen": Change("appended", [1, 2]), "count": Change("by", 2)})
    >>> comparable(plain, Seen(shared={"seen": Change("appended", [2, 1]), "count": Change("by", 2)}))
    ('', "what it does to 'seen' comes in another order")
    >>> comparable(plain, Seen(shared={"seen": Change("appended", [1, 2]), "count": Change("by", 1)}))
    ("changes 'count' by 1, not by 2: a side effect is lost", '')
    """
    order = ""
    touched = {_variable(name) for name in found.shared}
    likely = {name: expected.likeness.get(name) or _likely(wanted) for name, wanted in expected.shared.items()}
    loose = {name for name, likeness in likely.items() if likeness == "name"}
    for name, wanted in expected.shared.items():
        if name in expected.once or name.endswith(OF_A_THREAD):
            continue
        likeness = likely[name]
        got = found.shared.get(name)
        if likeness == "name":
            # One of them may stand, by chance, where it stood: a bucket that is full again. All of them don't.
            if not touched & {_variable(other) for other in loose}:
                return f"does not do to {_variable(name)!r} what the task does: a side effect is lost", ""
        elif got is None or got.how != wanted.how:
            return f"does not do to {_variable(name)!r} what the task does: a side effect is lost", ""
        elif _same_value(wanted, got):
            continue
        elif _other_order(wanted, got):
            order = order or f"what it does to {_variable(name)!r} comes in another order"
        elif likeness == "values" or not _same_shape(wanted, got):
            return f"changes {name!r} {got}, not {wanted}: a side effect is lost", ""
    if outward:
        counts = {effect.what: effect.times for effect in found.outward}
        for effect in expected.outward:
            if effect.kind != "file" and counts.get(effect.what, 0) != effect.times:
                return f"{effect} {counts.get(effect.what, 0)} times, not {effect.times}", ""
    return "", order


def notes(seen: Seen) -> tuple[str, ...]:
    """Return what the reader of a table should know, a line each.

    Examples
    --------
    >>> notes(Seen(outward=(Effect("output", "prints"),), shared={"Total.value": Change("by", 40)}))
    ('prints', "changes 'Total.value' outside")
    """
    return (
        *map(str, seen.outward[:SHOWN]),
        *([f"and does {len(seen.outward) - SHOWN} things more outside"] if len(seen.outward) > SHOWN else []),
        *([f"changes {some(map(repr, seen.variables))} outside"] if seen.shared else []),
        *([f"talks to {some(seen.talks_to)}: memo is shown, not advised"] if seen.talks_to else []),
    )


def some(names: Iterable[str]) -> str:
    """Return a few of many names, in a line.

    Examples
    --------
    >>> some("abcde")
    'a, b, c and 2 more'
    """
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _variable(name: str) -> str:
    """Return the variable that a name stands for, without the key or element in it."""
    return name if name.startswith("os.environ[") else name.partition("[")[0]


def _begun(first: Change, again: Change) -> bool:
    """Say whether a count that did not exist was begun with what is added each time."""
    return first.how == "set" and again.how == "by" and type(first.value) is int and first.value == again.value


def _likeness(first: Change, again: Change | None) -> Likeness:
    """Say how far two plain runs do the same to a variable."""
    if again is None or first.how != again.how or first.how == "set":
        return "name"
    if _same_value(first, again) or _other_order(first, again):
        return "values"
    return "shape" if _same_shape(first, again) else "name"


def _likely(change: Change) -> Likeness:
    """Say what can be asked of another run where there was one plain run alone: numbers of seconds vary."""
    if change.how == "by":
        return "values" if isinstance(change.value, int) else "name"
    return "name" if change.how == "set" else "shape"


def _same_value(wanted: Change, got: Change) -> bool:
    if wanted.how == "by":
        return _close(wanted.value, got.value)
    return same(wanted.value, got.value)


def _close(wanted: Any, got: Any) -> bool:
    """Compare what was added up: in another order, the last digits of a sum are others."""
    try:
        return bool(math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-12))
    except (TypeError, ValueError, OverflowError):
        return _close_arrays(wanted, got) if hasattr(wanted, "shape") else same(wanted, got)


def _close_arrays(wanted: Any, got: Any) -> bool:
    import numpy as np

    return np.shape(wanted) == np.shape(got) and bool(np.allclose(wanted, got, rtol=1e-9, equal_nan=True))


def _other_order(wanted: Change, got: Change) -> bool:
    if not isinstance(wanted.value, list) or not isinstance(got.value, list):
        return False
    return sorted(map(repr, wanted.value)) == sorted(map(repr, got.value))


def _same_shape(wanted: Change, got: Change) -> bool:
    """Say whether lengths and keys agree; where keys vary, their number."""
    if wanted.how == "by":
        return False
    if isinstance(wanted.value, dict) and isinstance(got.value, dict) and wanted.value.keys() == got.value.keys():
        return True
    return _size(wanted.value) == _size(got.value)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | dict | set | tuple) else -1


def copied(items: Sequence[Any]) -> list[Any] | None:
    """Return deep copies; None where an item can't be copied, or its copy can't be told from a changed one."""
    try:
        copies = [copy.deepcopy(item) for item in items]
        return None if changed(items, copies) else copies
    except Exception:  # whatever an item's __deepcopy__ raises
        return None


def changed(before: Sequence[Any], after: Sequence[Any], numbers: Sequence[int] | None = None) -> str:
    """Return the first item that isn't as it was, in a line; nothing where all are. Numbers: if they are some of many.

    Examples
    --------
    >>> changed([[1], [2]], [[1], [2, 3]])
    'item 1: [2, 3] instead of [2]'
    """
    for index, was, now in zip(numbers or range(len(before)), before, after, strict=True):
        if was is not now and not _alike(was, now):
            return f"item {index}: {_short(now)} instead of {_short(was)}"
    return ""


def _alike(was: Any, now: Any) -> bool:
    """Say whether a value is as it was; those without an ``==`` of their own are alike when their pickles are."""
    try:
        if same(was, now):
            return True
        alike = pickle.dumps(was) == pickle.dumps(now)
    except Exception:  # whatever its __eq__ or __reduce__ raises: what it holds tells
        return _alike_inside(was, now)
    return alike


def _alike_inside(was: Any, now: Any) -> bool:
    try:
        return not changes(Snapshot({"item": contents(was)}), Snapshot({"item": contents(now)}))
    except Exception:  # it can't be told
        return True


def _short(value: Any) -> str:
    text = masked(" ".join(repr(value)[:MOST_READ].split()))
    return text if len(text) <= 40 else text[:37] + "..."
