"""Say what bounds a piece of Python code, and which fix pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import records, services
from workbench.comparison import compare
from workbench.diagnosis import Diagnosing, diagnose, diagnose_process, diagnose_request
from workbench.endpoint import study_endpoint
from workbench.errors import (
    FetchError,
    MissingExtraError,
    MissingServerError,
    NotApplicableError,
    QueueError,
    RecordError,
    RecordExistsError,
    ServiceError,
    TaskError,
    UsageError,
    WorkbenchError,
)
from workbench.opportunity import Opportunity
from workbench.plots import plot, plot_shares
from workbench.remedies import memoize
from workbench.report import make_report
from workbench.results import Comparison, Diagnosis, EndpointStudy, Finding, Table
from workbench.targets import load_callable, read_items
from workbench.tasks.fetch import Fetched, FetchInterrupted, FetchRow, fetch_all, send_requests
from workbench.tasks.fib import is_fib, is_fib_float
from workbench.tasks.site import Site, SiteStats

__all__ = [
    "Comparison",
    "Diagnosing",
    "Diagnosis",
    "EndpointStudy",
    "FetchError",
    "FetchInterrupted",
    "FetchRow",
    "Fetched",
    "Finding",
    "MissingExtraError",
    "MissingServerError",
    "NotApplicableError",
    "Opportunity",
    "QueueError",
    "RecordError",
    "RecordExistsError",
    "ServiceError",
    "Site",
    "SiteStats",
    "Table",
    "TaskError",
    "UsageError",
    "WorkbenchError",
    "compare",
    "diagnose",
    "diagnose_process",
    "diagnose_request",
    "fetch_all",
    "is_fib",
    "is_fib_float",
    "load_callable",
    "make_report",
    "memoize",
    "plot",
    "plot_shares",
    "read_items",
    "records",
    "send_requests",
    "services",
    "study_endpoint",
]


if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: ``%load_ext workbench``."""
    from workbench.magics import WorkbenchMagics

    shell.register_magics(WorkbenchMagics)
