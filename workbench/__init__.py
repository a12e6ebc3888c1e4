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
from workbench.plots import plot, plot_shares
from workbench.remedies import memoize
from workbench.report import make_report
from workbench.results import Comparison, Diagnosis, Table
from workbench.tasks.fib import is_fib, is_fib_float

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
    "is_fib",
    "is_fib_float",
    "make_report",
    "memoize",
    "plot",
    "plot_shares",
    "records",
]
