"""Regular expressions that try a text in very many ways before they give up."""

from __future__ import annotations

import re
from typing import Any

try:
    import re._constants as sre  # type: ignore[import-not-found]
    import re._parser as sre_parser  # type: ignore[import-not-found]
except ImportError:  # they are CPython's own, and a later one may not have them
    sre_parser = None


def backtracks(pattern: str, *, at_start: bool = False) -> bool:
    r"""Say whether a pattern repeats what holds such a repetition, or looks for one that an end must follow.

    ``at_start`` is for what is tried at the start of a text alone. Where the interpreter does not let a pattern be
    read, none is said to do so.

    Examples
    --------
    >>> backtracks(r"(\w+\s?)*:$"), backtracks(r"(\w+,)*x"), backtracks(r"[a-z]+\d*"), backtracks(r"\s+$")
    (True, False, False, True)
    """
    if sre_parser is None:
        return False
    try:
        parsed = sre_parser.parse(pattern)
        return _nests(parsed) or (not at_start and _seeks_end(list(parsed)))
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


def _seeks_end(items: list[Any]) -> bool:
    """Say whether a search tries an endless repetition from each place on, and only its end decides."""
    if len(items) < 2 or items[-1][0] is not sre.AT or items[0][0] is not sre.MAX_REPEAT:
        return False
    return items[0][1][1] is sre.MAXREPEAT
