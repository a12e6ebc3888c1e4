"""Run notebooks from top to bottom, each in a fresh kernel; they record their tables themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import MissingExtraError, UsageError, line_of, one_line
from workbench.masking import get_logger

#: Executed copies go here, for a look at the cell that failed.
EXECUTED = Path(".cache/notebooks")

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """How one notebook ended: ``error`` is None, or one line that names the cell and what went wrong."""

    notebook: Path
    wall_s: float
    error: str | None


def find_notebooks(places: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return the notebooks at some paths; a folder stands for all notebooks in it, by name.

    Raises
    ------
    UsageError
        A path is no notebook and no folder that holds one.

    Examples
    --------
    >>> (tmp / "02-b.ipynb").touch(), (tmp / "01-a.ipynb").touch()
    (None, None)
    >>> [path.name for path in find_notebooks([tmp])]
    ['01-a.ipynb', '02-b.ipynb']
    """
    found: list[Path] = []
    for place in map(Path, places):
        here = sorted(place.glob("*.ipynb")) if place.is_dir() else [place]
        if not here or not here[0].is_file() or here[0].suffix != ".ipynb":
            raise UsageError(f"{place} is no notebook and no folder of notebooks: pass a path to an .ipynb file")
        found += here
    return found


def run_notebooks(
    places: Iterable[str | os.PathLike[str]],
    *,
    parameters: Mapping[str, Any] | None = None,
    executed: str | os.PathLike[str] = EXECUTED,
) -> Iterator[NotebookRun]:
    """Run notebooks one after the other; one that fails does not stop the others.

    Parameters
    ----------
    places
        Notebooks, or folders of notebooks.
    parameters
        Values for the names in the cells tagged ``parameters``; a notebook ignores those it does not have.
    executed
        Folder for the executed copies.

    Yields
    ------
    NotebookRun
        As soon as that notebook has ended.

    Raises
    ------
    UsageError
        A path is no notebook.
    MissingExtraError
        papermill is not installed.
    """
    try:
        import papermill  # noqa: F401 (asked for here, so that nothing runs when it is missing)
    except ImportError as error:
        raise MissingExtraError("papermill", "notebooks") from error
    for notebook in find_notebooks(places):
        start = time.perf_counter()
        logger.info("running %s", notebook)
        error_line = _run(notebook, dict(parameters or {}), Path(executed))
        yield NotebookRun(notebook=notebook, wall_s=time.perf_counter() - start, error=error_line)


def _run(notebook: Path, parameters: dict[str, Any], executed: Path) -> str | None:
    """Run one notebook as JupyterLab would, in its own folder; return what went wrong."""
    import papermill
    from nbformat.reader import NotJSONError
    from papermill.exceptions import PapermillException, PapermillExecutionError

    executed.mkdir(parents=True, exist_ok=True)
    try:
        known = papermill.inspect_notebook(str(notebook))
        papermill.execute_notebook(
            str(notebook),
            str(executed / notebook.name),
            parameters={name: value for name, value in parameters.items() if name in known},
            kernel_name="python3",
            cwd=str(notebook.parent),
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        return f"cell {error.exec_count}: {line_of(error.ename, error.evalue or '')}"
    except (PapermillException, NotJSONError, OSError, RuntimeError, ValueError) as error:
        return one_line(error)
    return None
