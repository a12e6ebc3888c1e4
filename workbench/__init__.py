"""Say what bounds a piece of Python code, and which fix pays."""

from workbench import records
from workbench.errors import (
    FetchError,
    MissingExtraError,
    RecordError,
    RecordExistsError,
    TaskError,
    UsageError,
    WorkbenchError,
)
from workbench.results import Comparison, Diagnosis, Table
from workbench.tasks.fetch import Fetched, FetchInterrupted, FetchRow, fetch_all, send_requests
from workbench.tasks.site import Site, SiteStats

__all__ = [
    "Comparison",
    "Diagnosis",
    "FetchError",
    "FetchInterrupted",
    "FetchRow",
    "Fetched",
    "MissingExtraError",
    "RecordError",
    "RecordExistsError",
    "Site",
    "SiteStats",
    "Table",
    "TaskError",
    "UsageError",
    "WorkbenchError",
    "fetch_all",
    "records",
    "send_requests",
]
