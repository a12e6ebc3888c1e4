"""Find remedies by name among those that installed packages offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Self

from workbench.errors import UsageError, one_line

#: A package offers a remedy with an entry point ``name = "module:function"`` in this group.
GROUP = "workbench.remedies"

#: ``run(func, items, *, workers)`` returns ``func`` of every item, in order. It raises `NotApplicableError` for
#: tasks that it can't do; ``workers`` None leaves their number to the remedy.
Remedy = Callable[..., list[Any]]


@dataclass(frozen=True)
class Traits:
    """What a remedy says of itself, by attributes of the function; all may be left out.

    ``scales``: ``workers`` matter, so their number is worth a search. ``per_core``: it has a worker for each core
    unless told otherwise, for they take too long to start for a search. ``assumes``: what must hold for its times to be
    had; a remedy that assumes something is shown, with that, and never recommended. ``pure``: it needs a function whose
    answer is all that it does, and the same each time. ``in_order``: it does the items one at a time, in this process,
    so that each can be timed. ``price``: what it costs besides time. ``effort``: how large a change of the code or of
    what it runs on that is, beside others; of two that are as fast the smaller is recommended. ``model``: how
    `workbench.comparison.prediction` sees it, one of its `MODELS`.
    """

    scales: bool = False
    per_core: bool = False
    assumes: str = ""
    pure: bool = False
    in_order: bool = False
    price: str = ""
    effort: int = 1
    model: str = ""

    @classmethod
    def of(cls, remedy: Remedy) -> Self:
        """Read a remedy's traits."""
        return cls(**{name: getattr(remedy, name) for name in cls.__dataclass_fields__ if hasattr(remedy, name)})


def find_remedies(wanted: Iterable[str] | Mapping[str, Remedy] | None) -> dict[str, Remedy]:
    """Return remedies by name.

    Parameters
    ----------
    wanted
        Names of installed remedies, or remedies by a name of one's own, or None for all that are installed.

    Raises
    ------
    UsageError
        A name that is not installed, or a remedy that can't be called.

    Examples
    --------
    >>> list(find_remedies(["threads"]))
    ['threads']
    """
    if isinstance(wanted, Mapping):
        for name, remedy in wanted.items():
            if not callable(remedy):
                raise UsageError(f"the remedy {name!r} is not callable: pass a function run(func, items, *, workers)")
        return dict(wanted)
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if wanted is None:
        return {name: _load(installed[name]) for name in sorted(installed)}
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"give a remedy of your own a name: pass {{'mine': …}} instead of [{name!r}]")
        if name not in installed:
            raise UsageError(f"no remedy {name!r} is installed; there are {', '.join(sorted(installed)) or 'none'}")
    return {name: _load(installed[name]) for name in names}


def _load(point: EntryPoint) -> Remedy:
    try:
        remedy: Remedy = point.load()
    except Exception as error:
        message = f"the remedy {point.name!r} ({point.value}) can't be loaded: {one_line(error)}"
        raise UsageError(message) from error
    return remedy
