"""Find what a person names on the command line: a callable, and the items to call it with."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, one_line
from workbench.names import module_and_name
from workbench.plain import from_json


def load_callable(place: str, name: str) -> Callable[..., Any]:
    """Return the callable of a file or module.

    Parameters
    ----------
    place
        ``file.py`` or ``package.module``. The folder of the file, or the current one, is put on ``sys.path``.
    name
        Its name there; dots lead into classes.

    Returns
    -------
    Callable

    Raises
    ------
    UsageError
        There is no such file, module or callable, or it has a syntax error.

    Examples
    --------
    >>> load_callable("math", "isqrt")(10)
    3
    >>> load_callable("math", "no_such")
    Traceback (most recent call last):
    workbench.errors.UsageError: math has no callable 'no_such'
    """
    try:
        found: Any = _load(place)
    except SyntaxError as error:
        raise UsageError(f"{place}, line {error.lineno}: {error.msg}") from error
    except ModuleNotFoundError as error:
        raise UsageError(f"there is no module {error.name!r}") from error
    except OSError as error:
        raise UsageError(f"can't read {place}: {error.strerror or error}") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"{place} has no callable {name!r}")
    called: Callable[..., Any] = found
    return called


def read_items(path: str | os.PathLike[str]) -> list[Any]:
    r"""Return the items in a file: the elements of a JSON list, or one item a line, in JSON or else as plain text.

    Returns
    -------
    list
        One element or more.

    Raises
    ------
    UsageError
        The file can't be read, or holds no item.

    Examples
    --------
    >>> (tmp / "items.txt").write_text("3\nhttp://127.0.0.1/\n[1, 2]\n")
    27
    >>> read_items(tmp / "items.txt")
    [3, 'http://127.0.0.1/', [1, 2]]
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read the items in {path}: {getattr(error, 'strerror', None) or error}") from error
    whole = _json_or_text(text)
    lines = [line for line in text.splitlines() if line.strip()]
    items = whole if isinstance(whole, list) else [_json_or_text(line) for line in lines]
    if not isinstance(whole, list) and text.lstrip().startswith("[") and isinstance(items[0], str):
        raise UsageError(f"{path} begins as a JSON list, but is none: mend it, or write one item a line")
    if not items:
        raise UsageError(f"{path} holds no items: pass a JSON list, or one item a line")
    return items


class WithoutItem:
    """A callable without arguments, as a function of one item that it ignores; it pickles as the callable does."""

    def __init__(self, func: Callable[[], Any]) -> None:
        self.func = func
        self.__module__, self.__qualname__ = module_and_name(func)
        self.__name__ = self.__qualname__

    def __call__(self, item: Any) -> Any:
        """Call it."""
        return self.func()


def _load(place: str) -> Any:
    try:
        return _imported(place)
    except (Exception, SystemExit) as error:
        if isinstance(error, ImportError | OSError | SyntaxError):  # told by who asked for it
            raise
        raise UsageError(f"importing {place} fails: {one_line(error)}") from error


def _imported(place: str) -> Any:
    if not place.endswith(".py"):
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(place)
    path = Path(place).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _json_or_text(text: str) -> Any:
    try:
        return from_json(text)
    except json.JSONDecodeError:
        return text.strip()
    except ValueError as error:
        raise UsageError(f"can't read the item {text[:20]}…: {error}") from error
