"""Say what bounds a piece of Python code, and which fix pays."""

from typing import Any

from workbench import records
from workbench.diagnose import Diagnosing, diagnose
from workbench.errors import (
    MissingExtraError,
    RecordError,
    RecordExistsError,
    TaskError,
    UsageError,
    WorkbenchError,
)
from workbench.results import Comparison, Diagnosis, Table

__all__ = [
    "Comparison",
    "Diagnosing",
    "Diagnosis",
    "MissingExtraError",
    "RecordError",
    "RecordExistsError",
    "Table",
    "TaskError",
    "UsageError",
    "WorkbenchError",
    "diagnose",
    "records",
]


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: ``%load_ext workbench``."""
    from workbench.magics import WorkbenchMagics

    shell.register_magics(WorkbenchMagics)
