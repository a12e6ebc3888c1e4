"""Find a Django project: its manage.py, its settings and the interpreter that it runs in."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UsageError

#: Names of folders that hold a virtual environment.
VENVS = (".venv", "venv", "env")
#: How far above a project its environment is looked for.
ABOVE = 3
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


@dataclass(frozen=True)
class Project:
    """A Django project on the disk: the folder of manage.py, the settings module and the interpreter."""

    folder: Path
    settings: str
    python: str


def find_project(path: str | Path, settings: str | None = None, python: str | None = None) -> Project:
    """Find a project by a folder, or by its manage.py.

    Parameters
    ----------
    path
        The folder that holds manage.py, one folder above it, or the file itself.
    settings
        The settings module, when it is not the one that manage.py names.
    python
        The interpreter, when it is not that of a virtual environment in or above the folder.

    Raises
    ------
    UsageError
        There is no manage.py, it names no settings, or there is no such interpreter.

    Examples
    --------
    >>> _ = (tmp / "manage.py").write_text('os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")')
    >>> find_project(tmp).settings
    'shop.settings'
    """
    manage = _manage(Path(path).expanduser())
    if settings is None:
        named = _SETTINGS.search(manage.read_text(encoding="utf-8", errors="replace"))
        if named is None:
            raise UsageError(f"{manage} names no DJANGO_SETTINGS_MODULE: pass --settings MODULE")
        settings = named[1]
    folder = manage.resolve().parent
    return Project(folder, settings, _interpreter(folder, python))


def _manage(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no project {path}: pass the folder that holds manage.py")
    if (path / "manage.py").is_file():
        return path / "manage.py"
    below = sorted(path.glob("*/manage.py"))
    if len(below) == 1:
        return below[0]
    if below:
        raise UsageError(f"{path} holds {len(below)} projects: pass one, as in {below[0].parent}")
    raise UsageError(f"there is no manage.py in {path}: pass the folder that holds it")


def _interpreter(folder: Path, python: str | None) -> str:
    if python is not None:
        if not Path(python).expanduser().is_file():
            raise UsageError(f"there is no interpreter {python}: pass --python PATH")
        return str(Path(python).expanduser().absolute())
    for place in (folder, *list(folder.parents)[:ABOVE]):
        for name in VENVS:
            found = place / name / "bin" / "python"
            if found.is_file():
                return str(found)
    return sys.executable
