"""All rules on one diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.advice import (
    again,
    aside,
    blocking,
    callees,
    connecting,
    cores,
    importing,
    lines,
    messages,
    overlapping,
    polling,
    queries,
    scarce,
)
from workbench.advice.evidence import Evidence
from workbench.errors import one_line
from workbench.masking import get_logger
from workbench.opportunity import Opportunity
from workbench.proc import cores_allowed
from workbench.results import Diagnosis
from workbench.source import Source

_log = get_logger(__name__)

Rule = Callable[[Evidence], Iterator[Opportunity]]
#: Each finds opportunities of its kinds; of two that are alike, the larger is told.
RULES: tuple[Rule, ...] = (
    callees.find,
    lines.find,
    again.find,
    queries.find,
    polling.find,
    connecting.find,
    scarce.find,
    blocking.find,
    overlapping.find,
    messages.find,
    cores.find,
    importing.find,
    aside.find,
)


def advised(diagnosis: Diagnosis, source: Source | None = None) -> tuple[Opportunity, ...]:
    """Return what would pay, the largest saving first; nothing where no change would save 5 % of the wall time.

    Parameters
    ----------
    diagnosis
        What was seen.
    source
        Where the text of its lines is read.

    Examples
    --------
    >>> import time
    >>> from workbench import diagnose
    >>> def ask(item): time.sleep(0.02)
    >>> def ask_all():
    ...     for item in range(10): ask(item)
    >>> [found.kind for found in diagnose(ask_all, repeat=1).opportunities]
    ['overlap-waits']
    """
    return tuple(find_all(Evidence(diagnosis, source or Source(), cores_allowed())))


def find_all(seen: Evidence) -> list[Opportunity]:
    """Return what all rules find that is worth a word, the largest saving first; nothing of what is not clear."""
    if seen.diagnosis.verdict == "unclear":
        return []
    best: dict[tuple[str, str, int], Opportunity] = {}
    for one in (opportunity for rule in RULES for opportunity in _found(rule, seen)):
        if seen.is_large(one.saves_s or 0.0):
            alike = best.setdefault((one.kind, one.file, one.line), one)
            best[one.kind, one.file, one.line] = max(alike, one, key=_saving)
    return sorted(best.values(), key=_saving, reverse=True)


def _found(rule: Rule, seen: Evidence) -> list[Opportunity]:
    """Return what a rule finds; one that fails is told, and costs nobody the diagnosis."""
    try:
        return list(rule(seen))
    except Exception as error:
        _log.warning("no advice on some things: %s fails: %s", rule.__module__, one_line(error))
        return []


def _saving(one: Opportunity) -> float:
    return one.saves_s or 0.0
