"""A progress bar that is right in notebooks and in terminals, and absent elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(total: float, *, wanted: bool = True, **style: Any) -> tqdm[Any]:
    """Return a tqdm bar, drawn where someone sees it: in a notebook, or on stderr where that is a terminal.

    It is gone once it is closed. A notebook without ipywidgets has none: it would show the text of one as an error.

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
    if wanted and in_notebook() and find_spec("ipywidgets"):
        return _widget(total=total, leave=False, **style)
    from tqdm import tqdm

    shown = wanted and sys.stderr.isatty() and not in_notebook()
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


def _widget(**options: Any) -> tqdm[Any]:
    """Return a bar of which nothing stays in the notebook.

    tqdm leaves its first state, 0 %, in the file; and one that was closed early stays in sight, red.
    """
    from IPython.display import display
    from tqdm.notebook import tqdm_notebook

    class Bar(tqdm_notebook):  # type: ignore[type-arg]
        def __init__(self) -> None:
            super().__init__(display=False, **options)
            self.place = display(self.container, display_id=True)  # type: ignore[no-untyped-call]

        def close(self) -> None:
            if not self.disable:
                self.n = options["total"]
                self.place.update({"text/html": ""}, raw=True)
            super().close()

    return Bar()
