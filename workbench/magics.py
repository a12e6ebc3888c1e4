"""``%diagnose`` and ``%%diagnose``; loaded with ``%load_ext workbench``."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from workbench.diagnose import Diagnosing
from workbench.errors import UsageError


@magics_class
class WorkbenchMagics(Magics):
    """The magics of the workbench."""

    @line_cell_magic
    def diagnose(self, line: str, cell: str | None = None) -> Any:
        """Say what bounds a statement or a cell.

        ``%diagnose [-o] [-r N] statement`` repeats a short statement; ``-r 1`` runs it once. ``%%diagnose [-o]`` runs
        the cell once, with top-level ``await`` as usual. ``-o`` returns the `Diagnosis`.
        """
        options, rest = self.parse_options(line, "or:", posix=False, strict=False)
        if cell is None and not rest.strip():
            raise UsageError("%diagnose what? Pass a statement, or use %%diagnose above a cell")
        code, repeat = (rest, int(options["r"]) if "r" in options else None) if cell is None else (cell, 1)
        block = Diagnosing("cell" if cell is not None else rest.strip())
        result, shell = None, self.shell
        assert shell is not None
        with block:
            for _ in block.until_told(repeat):
                result = shell.run_cell(code, store_history=False, silent=False)  # type: ignore[no-untyped-call]
                if not result.success:
                    break
        diagnosis = block.result
        display(diagnosis)  # type: ignore[no-untyped-call]
        return diagnosis if "o" in options else None
