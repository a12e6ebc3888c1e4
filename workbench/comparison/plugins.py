"""Find remedies by name among those that installed packages offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from workbench.errors import UsageError, one_line
from workbench.remedy import Remedy, Run

#: A package offers a remedy with an entry point ``name = "module:function"`` in this group.
GROUP = "workbench.remedies"


def find_remedies(wanted: Iterable[str] | Mapping[str, Run] | None) -> list[Remedy]:
    """Return remedies by their names.

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
    >>> [remedy.name for remedy in find_remedies(["threads"])]
    ['threads']
    """
    if isinstance(wanted, Mapping):
        for name, run in wanted.items():
            if not callable(run):
                raise UsageError(f"the remedy {name!r} is not callable: pass a function run(func, items, *, workers)")
        return [Remedy(name, run) for name, run in wanted.items()]
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if wanted is None:
        return [_load(installed[name]) for name in sorted(installed)]
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"give a remedy of your own a name: pass {{'mine': …}} instead of [{name!r}]")
        if name not in installed:
            raise UsageError(f"no remedy {name!r} is installed; there are {', '.join(sorted(installed)) or 'none'}")
    return [_load(installed[name]) for name in dict.fromkeys(names)]


def _load(point: EntryPoint) -> Remedy:
    try:
        run: Run = point.load()
    except Exception as error:
        message = f"the remedy {point.name!r} ({point.value}) can't be loaded: {one_line(error)}"
        raise UsageError(message) from error
    return Remedy(point.name, run)
