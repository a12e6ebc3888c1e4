"""Say what bounds a piece of Python code, and which fix pays."""

from workbench import records
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
    "Diagnosis",
    "MissingExtraError",
    "RecordError",
    "RecordExistsError",
    "Table",
    "TaskError",
    "UsageError",
    "WorkbenchError",
    "records",
]
