"""The errors of the workbench, one tree.

::

    WorkbenchError                    everything the workbench raises on purpose
    ├── UsageError                    a wrong argument, target or parameter (exit 2)
    ├── RecordError                   a record that can't be written, read or understood
    │   └── RecordExistsError         saving would overwrite a record
    ├── MissingExtraError             an optional package is not installed
    ├── TaskError                     the studied task failed before anything was measured
    ├── NotApplicableError            a remedy can't be tried on this task, and why
    └── FetchError                    a URL or an answer that can't be used: it becomes the error of a row
"""


class WorkbenchError(Exception):
    """Base of every error that the workbench raises on purpose; its text is one clear line."""


class UsageError(WorkbenchError, ValueError):
    """A wrong argument, target or parameter: says what was wrong and what to pass."""


class RecordError(WorkbenchError):
    """A record that can't be written, read or understood."""


class RecordExistsError(RecordError, FileExistsError):
    """Saving would overwrite a record; pass ``replace=True`` to mean it."""


class TaskError(WorkbenchError):
    """The studied task failed before anything was measured."""


class NotApplicableError(WorkbenchError):
    """A remedy can't be tried on this task: says why, for the note of its row."""


class FetchError(WorkbenchError):
    """A URL or an answer that can't be used: the fetchers catch it, and it becomes the error of a row.

    Parameters
    ----------
    message
        One line.
    transient
        Whether trying again may help.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class MissingExtraError(WorkbenchError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package
        The package that is missing.
    extra
        The extra of the workbench that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'workbench[{extra}]'")
