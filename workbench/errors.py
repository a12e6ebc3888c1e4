"""The errors of the workbench, one tree.

::

    WorkbenchError                    everything the workbench raises on purpose
    ├── UsageError                    a wrong argument, target or parameter (exit 2)
    ├── RecordError                   a record that can't be written, read or understood
    │   └── RecordExistsError         saving would overwrite a record
    ├── MissingExtraError             an optional package is not installed
    ├── TaskError                     the studied task failed before anything was measured
    ├── NotApplicableError            a remedy can't be tried on this task, and why
    ├── QueueError                    a queue can't go on, or a task in it crashed its workers
    ├── ServiceError                  a server did not start, or can't be reached
    │   └── MissingServerError        it is not installed: says how to get it
    └── FetchError                    a URL or an answer that can't be used: it becomes the error of a row
"""

from workbench.masking import masked


def one_line(error: BaseException) -> str:
    r"""Return an exception as one line: its type and the first line of its text, secrets masked.

    Examples
    --------
    >>> one_line(ValueError("no such thing"))
    'ValueError: no such thing'
    >>> one_line(ConnectionError("redis://:hunter2@127.0.0.1:6379/0 is gone\nfor good"))
    'ConnectionError: redis://:***@127.0.0.1:6379/0 is gone'
    """
    return line_of(type(error).__name__, str(error))


def line_of(kind: str, text: str) -> str:
    """Return what `one_line` does for an exception that is not at hand: the name of its type, and its text."""
    first = text.strip().partition("\n")[0].rstrip()
    return masked(f"{kind}: {first}" if first else kind)


class WorkbenchError(Exception):
    """Base of every error that the workbench raises on purpose; its text is one clear line, secrets masked.

    Examples
    --------
    >>> from workbench import WorkbenchError, records
    >>> try:
    ...     records.load(tmp / "none.json")
    ... except WorkbenchError as error:
    ...     str(error).endswith("none.json: No such file or directory")
    True
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(masked(arg) if isinstance(arg, str) else arg for arg in args))


class UsageError(WorkbenchError, ValueError):
    """A wrong argument, target or parameter: says what was wrong and what to pass.

    Examples
    --------
    >>> from workbench import compare
    >>> compare(abs, [])
    Traceback (most recent call last):
    workbench.errors.UsageError: there are no items to compare on: pass at least one
    """


class RecordError(WorkbenchError):
    """A record that can't be written, read or understood.

    Examples
    --------
    >>> from workbench import records
    >>> records.load("no/such.json")
    Traceback (most recent call last):
    workbench.errors.RecordError: can't read the record no/such.json: No such file or directory
    """


class RecordExistsError(RecordError, FileExistsError):
    """Saving would overwrite a record; pass ``replace=True`` to mean it.

    Examples
    --------
    >>> from workbench import RecordExistsError, Table, records
    >>> table = Table(title="empty", columns=("n",), rows=())
    >>> path = records.save(table, "once", tmp)
    >>> try:
    ...     records.save(table, "once", tmp)
    ... except RecordExistsError as error:
    ...     print(str(error).partition(": ")[2])
    choose another name, or pass replace=True to overwrite it
    """


class TaskError(WorkbenchError):
    """The studied task failed before anything was measured.

    Examples
    --------
    >>> from workbench import compare
    >>> compare(lambda item: 1 / item, [0], ["threads"], progress=False)
    Traceback (most recent call last):
    workbench.errors.TaskError: the task itself fails: ZeroDivisionError: division by zero
    """


class NotApplicableError(WorkbenchError):
    """A remedy can't be tried on this task: says why, for the note of its row.

    Examples
    --------
    >>> from workbench.remedies import asynchronous
    >>> asynchronous(abs, [-1])
    Traceback (most recent call last):
    workbench.errors.NotApplicableError: not a coroutine function: asyncio needs an async twin
    """


class QueueError(WorkbenchError):
    """A queue whose workers can't work, or a task that no worker survives: the log is named where there is one.

    Examples
    --------
    >>> import signal
    >>> from workbench.queues import ProcessQueue
    >>> with ProcessQueue(1) as queue:
    ...     queue.result(queue.submit(signal.raise_signal, signal.SIGKILL))
    Traceback (most recent call last):
    workbench.errors.QueueError: the pool could not do it: TerminatedWorkerError: ...
    """


class FetchError(WorkbenchError):
    """A URL or an answer that can't be used: the fetchers catch it, and it becomes the error of a row.

    Parameters
    ----------
    message
        One line.
    transient
        Whether trying again may help.

    Examples
    --------
    >>> from workbench import fetch_all
    >>> fetch_all(["no-url"], progress=False)[0].ok
    False
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class ServiceError(WorkbenchError):
    """A server that did not start or can't be reached: says why, and where its log is.

    Examples
    --------
    >>> from workbench import services
    >>> services.start("mysql")
    Traceback (most recent call last):
    workbench.errors.UsageError: there is no service 'mysql'; there are memcached, nginx, postgresql, rabbitmq, redis
    """


class MissingServerError(ServiceError):
    """A server that is not installed: says how to get it, or how to name one of your own.

    Examples
    --------
    >>> raise MissingServerError("Memcached is not installed: apt-get install memcached; or set MEMCACHED_URL")
    Traceback (most recent call last):
    workbench.errors.MissingServerError: Memcached is not installed: apt-get install memcached; or set MEMCACHED_URL
    """


class MissingExtraError(WorkbenchError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package
        The package that is missing.
    extra
        The extra of the workbench that installs it.

    Examples
    --------
    >>> raise MissingExtraError("matplotlib", "notebooks")
    Traceback (most recent call last):
    workbench.errors.MissingExtraError: matplotlib is not installed; install it with: pip install 'workbench[notebooks]'
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'workbench[{extra}]'")
