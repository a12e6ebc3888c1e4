"""A progress bar that is right in notebooks and in terminals, and absent elsewhere."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(total: int, wanted: bool | None) -> tqdm[Any]:
    """Return a tqdm bar on stderr.

    Parameters
    ----------
    total
        How many URLs there are.
    wanted
        Show it; None: when someone is there to see it, in a notebook or at a terminal.

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

        shown = _someone_sees_it() if wanted is None else wanted
        return tqdm(total=total, unit="URL", disable=not shown, file=sys.stderr, leave=False)


def _someone_sees_it() -> bool:
    return sys.stderr.isatty() or in_notebook()


def in_notebook() -> bool:
    """Say whether this runs in a Jupyter kernel; importing IPython just to know would be slow."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
