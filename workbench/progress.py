"""A progress bar that is right in notebooks and in terminals, and absent elsewhere."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(total: float, *, wanted: bool = True, **style: Any) -> tqdm[Any]:
    """Return a tqdm bar, drawn where someone sees it: in a notebook, or on stderr where that is a terminal.

    Parameters
    ----------
    total
        What it counts up to.
    wanted
        Draw it there; nothing is drawn anywhere otherwise.
    style
        As for tqdm: ``unit``, ``desc``, ``bar_format``.

    Examples
    --------
    >>> with progress_bar(10, wanted=False) as bar:
    ...     _ = bar.update(10)
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        # Without ipywidgets tqdm falls back to text by itself, and says so in a warning.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm

        shown = wanted and (sys.stderr.isatty() or in_notebook())
        return tqdm(total=total, disable=not shown, file=sys.stderr, leave=False, **style)


def in_notebook() -> bool:
    """Say whether this runs in a Jupyter kernel; importing IPython just to know would be slow.

    Examples
    --------
    >>> in_notebook()
    False
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
