"""``%diagnose``, ``%%diagnose`` and ``%compare``; loaded with ``%load_ext workbench``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.display import display

from workbench import errors
from workbench.comparison import compare
from workbench.coroutines import run_coroutine
from workbench.diagnosis import Diagnosing
from workbench.results import Diagnosis


@magics_class
class WorkbenchMagics(Magics):
    """The magics of the workbench."""

    @line_cell_magic
    def diagnose(self, line: str, cell: str | None = None) -> Any:
        """Say what bounds a statement or a cell.

        ``%diagnose [-o] [-r N] statement`` repeats a statement that is shorter than 0.5 s; ``-r 1`` runs it once.
        ``%%diagnose [-o]`` runs the cell once; with a top-level ``await`` it runs in an event loop of its own. ``-o``
        returns the `Diagnosis` and shows nothing.
        """
        options, statement = self.parse_options(line, "or:", posix=False, strict=False)
        if cell is None and not statement.strip():
            raise UsageError("%diagnose what? Pass a statement, or use %%diagnose above a cell")
        if not str(options.get("r", "1")).isdigit():
            raise UsageError(f"-r {options['r']}: pass how often to run the statement")
        assert self.shell is not None
        if cell is None:
            repeat = int(options["r"]) if "r" in options else None
            diagnosis = _run(self.shell, statement, statement.strip(), repeat)
        else:
            diagnosis = _run(self.shell, cell, "cell", 1)
        if "o" in options:
            return diagnosis
        display(diagnosis)  # type: ignore[no-untyped-call]
        return None

    @line_magic
    def compare(self, line: str) -> Any:
        """Try remedies side by side on a function and items.

        ``%compare [-o] [-r A,B] [-b SECONDS] function, items``: both are Python expressions. ``-r`` names remedies (all
        that are installed), ``-b`` gives the time it may take (30 s). ``-o`` returns the `Comparison`, showing nothing.
        """
        options, expression = self.parse_options(line, "or:b:", posix=False, strict=False)
        assert self.shell is not None
        if not expression.strip():
            raise UsageError("%compare what? Pass a function and its items: %compare function, items")
        task = self.shell.ev(expression)  # type: ignore[no-untyped-call]
        if not (isinstance(task, tuple) and len(task) == 2 and callable(task[0])):
            raise UsageError("pass a function and its items: %compare function, items")
        try:
            budget_s = float(str(options.get("b", "30")).removesuffix("s"))
            names = str(options["r"]).split(",") if "r" in options else None
            comparison = compare(*task, names, budget_s=budget_s)
        except (errors.WorkbenchError, ValueError) as error:
            raise UsageError(f"%compare: {error}") from error
        if "o" in options:
            return comparison
        display(comparison)  # type: ignore[no-untyped-call]
        return None


def _run(shell: InteractiveShell, code: str, name: str, repeat: int | None) -> Diagnosis:
    block = Diagnosing(name)
    transformed = shell.transform_cell(code)  # type: ignore[no-untyped-call]
    if not shell.should_run_async(code, transformed_cell=transformed):
        with block:
            for _ in block.until_told(repeat):
                if not shell.run_cell(code).success:  # type: ignore[no-untyped-call]
                    break
        return block.result

    async def run() -> None:
        with block:
            for _ in block.until_told(repeat):
                if not (await shell.run_cell_async(code, transformed_cell=transformed)).success:
                    break

    with suppress(KeyboardInterrupt):  # what ran until then is diagnosed
        run_coroutine(run())
    return block.result
