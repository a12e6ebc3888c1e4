"""Save results under ``data/results`` and load them again.

A record is one JSON file, with the raw values and the provenance of the result, and a CSV of its table beside it.

>>> from workbench import Table, records
>>> path = records.save(Table(title="squares", columns=("n", "square"), rows=((2, 4),)), "squares", tmp)
>>> sorted(file.name for file in tmp.iterdir())
['squares.csv', 'squares.json']
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import uuid
from dataclasses import replace as replaced
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from workbench.errors import RecordError, RecordExistsError, UsageError
from workbench.plain import from_json
from workbench.proc import cores_allowed
from workbench.results import SCHEMA, Comparison, Diagnosis, EndpointStudy, Provenance, Result, Table

RESULTS = Path("data/results")
KINDS: dict[str, type[Result]] = {cls.kind: cls for cls in (Diagnosis, Comparison, EndpointStudy, Table)}
#: The packages whose versions change what is measured.
PACKAGES = ("workbench", "numpy", "numba", "gmpy2", "joblib", "requests", "aiohttp", "pandas", "line_profiler")

_Result = TypeVar("_Result", bound=Result)


def save(result: _Result, name: str, folder: str | os.PathLike[str] = RESULTS, *, replace: bool = False) -> Path:
    """Save a result as ``folder/name.json``, and its table as ``folder/name.csv``.

    Records are made to be shared: paths in them are relative to the checkout, or the folder, in which we are, and those
    in the user's home folder begin with ``~``. Secrets in them are masked, as in every result. Who may read the files
    is up to the umask.

    Parameters
    ----------
    result
        A `Diagnosis`, `Comparison` or `Table`. Its provenance is filled in where it is empty.
    name
        Letters, digits, ``-``, ``_`` and ``.``: the files' name without an ending.
    folder
        Made when it is not there.
    replace
        Overwrite a record of this name.

    Returns
    -------
    pathlib.Path
        The JSON file. Each file appears whole or not at all.

    Raises
    ------
    RecordExistsError
        A record of this name exists and ``replace`` is not set.
    RecordError
        The folder can't be written, or the result holds what JSON can't.
    UsageError
        The name is not a file's name.

    Examples
    --------
    >>> from workbench import Table, records
    >>> path = records.save(Table(title="squares", columns=("n", "square"), rows=((2, 4),)), "squares", tmp)
    >>> records.load(path).table().to_dict("list")
    {'n': [2], 'square': [4]}
    """
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise UsageError(f"{name!r} is no name for a record: use letters, digits, '-', '_' and '.'")
    path = Path(folder) / f"{name}.json"
    if path.exists() and not replace:
        raise RecordExistsError(f"{path} exists: choose another name, or pass replace=True to overwrite it")
    if not result.provenance:
        result = replaced(result, provenance=provenance())  # type: ignore[type-var]
    try:
        result = type(result).from_json(_portable(result.to_json(), _prefixes()))
        text = json.dumps(result.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, text + "\n")
        _write_whole(path.with_suffix(".csv"), result.table().to_csv(index=False))
    except (OSError, TypeError, ValueError) as error:
        raise RecordError(f"can't write the record {path}: {getattr(error, 'strerror', None) or error}") from error
    return path


def load(path: str | os.PathLike[str]) -> Result:
    """Load a record.

    Raises
    ------
    RecordError
        The file is missing, cut off, of a newer schema or of an unknown kind: one line says which.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RecordError(f"can't read the record {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not a record: it is not text in UTF-8") from error
    try:
        data = from_json(text)
    except json.JSONDecodeError as error:
        raise RecordError(
            f"{path} is not a whole record: {error.msg} at line {error.lineno}; record it again"
        ) from error
    except ValueError as error:
        raise RecordError(f"{path} is no record: {error}") from error
    return _understood(data, path)


def provenance(seed: int | None = None) -> Provenance:
    """Return what a reader needs to judge, or repeat, a measurement made now on this machine.

    Returns
    -------
    dict
        ``created_at`` (UTC, ISO 8601), ``machine``, ``cores_allowed``, ``load_1min``, ``python``, ``packages``,
        ``commit`` and ``dirty`` (None outside a git checkout) and ``seed``.
    """
    commit, dirty = _commit()
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.system(), "release": platform.release(), "cpu": _cpu_model()},
        "cores_allowed": cores_allowed(),
        "load_1min": os.getloadavg()[0],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "commit": commit,
        "dirty": dirty,
        "seed": seed,
    }


def _understood(data: Any, path: str | os.PathLike[str]) -> Result:
    if not isinstance(data, dict) or "kind" not in data or "schema" not in data:
        raise RecordError(f"{path} is not a record: it has no 'kind' and 'schema'")
    if data["schema"] != SCHEMA:
        raise RecordError(f"{path} has schema {data['schema']!r}; this workbench understands {SCHEMA}: upgrade it")
    cls = KINDS.get(data["kind"])
    if cls is None:
        raise RecordError(f"{path} is of the unknown kind {data['kind']!r}; known are {', '.join(KINDS)}")
    try:
        return cls.from_json(data)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def _prefixes() -> dict[str, str]:
    """Return what paths of this machine begin with and what stands for it in a record, the longest first."""
    top = _git("rev-parse", "--show-toplevel")
    return {f"{top or os.getcwd()}/": "", f"{Path.home()}/": "~/"}


def _portable(data: Any, prefixes: dict[str, str]) -> Any:
    """Replace the beginnings of paths wherever they stand in plain data."""
    if isinstance(data, dict):
        return {key: _portable(value, prefixes) for key, value in data.items()}
    if isinstance(data, list):
        return [_portable(value, prefixes) for value in data]
    if isinstance(data, str):
        for prefix, short in prefixes.items():
            data = data.replace(prefix, short)
    return data


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, a full disk or an interrupt never sees half of it."""
    part = path.with_name(f".{uuid.uuid4().hex}")
    with part.open("x", encoding="utf-8") as file:  # unlike `tempfile`, with the mode that the umask asks for
        try:
            file.write(text)
            file.flush()
            part.replace(path)
        except BaseException:
            part.unlink()
            raise


def _commit() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout we are in and whether it has changes; results themselves don't count."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ":/", f":(exclude,top){RESULTS.as_posix()}")
    return commit, None if commit is None else bool(changed)


def _git(*words: str) -> str | None:
    """Return what git says in the current folder; None where it is no checkout or git is missing."""
    command = ["git", "--no-optional-locks", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
