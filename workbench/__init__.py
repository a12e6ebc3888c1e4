"""Say what bounds a piece of Python code, and which fix pays."""

from workbench import records
from workbench.compare import compare
from workbench.errors import (
    MissingExtraError,
    NotApplicableError,
    RecordError,
    RecordExistsError,
    TaskError,
    UsageError,
    WorkbenchError,
)
from workbench.remedies import memoize
from workbench.results import Comparison, Diagnosis, Table

__all__ = [
    "Comparison",
    "Diagnosis",
    "MissingExtraError",
    "NotApplicableError",
    "RecordError",
    "RecordExistsError",
    "Table",
    "TaskError",
    "UsageError",
    "WorkbenchError",
    "compare",
    "memoize",
    "records",
]
