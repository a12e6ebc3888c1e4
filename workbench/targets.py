"""Find what a person names on the command line: a callable, and the items to call it with."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, one_line
from workbench.names import module_and_name
from workbench.plain import from_json

_RELATIVE = re.compile(rb"^[ \t]*from[ \t]+\.", re.MULTILINE)


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
        owner, found = found, getattr(found, part, None)
    if not callable(found):
        callables = (known for known in dir(owner) if callable(getattr(owner, known, None)))
        raise UsageError(f"{place} has no callable {name!r}{did_you_mean(name.rpartition('.')[2], callables)}")
    called: Callable[..., Any] = found
    return called


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what is spelt alike; empty where nothing is.

    Examples
    --------
    >>> did_you_mean("isqr", dir(__import__("math")))
    ": did you mean 'isqrt'?"
    """
    alike = difflib.get_close_matches(name, [word for word in known if not word.startswith("_")], 1)
    return f": did you mean {alike[0]!r}?" if alike else ""


def read_arguments(func: Callable[..., Any], words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return what words on a command line stand for as arguments of a function: each in JSON, or else as plain text.

    ``depth=3`` is that argument by its name, where the function has one, or takes any.

    Raises
    ------
    UsageError
        The function can't be called with these.

    Examples
    --------
    >>> read_arguments(print, ["3", "a word", "sep=-"])
    ([3, 'a word'], {'sep': '-'})
    """
    try:
        signature = inspect.signature(func)
    except ValueError:  # a builtin that does not tell
        return [_json_or_text(word) for word in words], {}
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    args: list[Any] = []
    named: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if equals and name.isidentifier() and (takes_any or name in signature.parameters):
            named[name] = _json_or_text(value)
        else:
            args.append(_json_or_text(word))
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        given = "1 argument" if len(words) == 1 else f"{len(words)} arguments"
        raise UsageError(f"it can't be called with {given}: {error}; pass them after --") from error
    return args, named


def module_of_package(path: Path) -> tuple[str, str] | None:
    """Return the folder and the dotted name by which a file is imported as of its package, if it asks for its package.

    It does with a relative import, such as ``from .models import Book``.
    """
    try:
        asks = _RELATIVE.search(path.read_bytes()) is not None
    except OSError:
        return None
    folder, names = path.resolve().parent, [path.stem]
    while (folder / "__init__.py").exists():
        folder, names = folder.parent, [folder.name, *names]
    return (str(folder), ".".join(names)) if asks and len(names) > 1 else None


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
    if of_package := module_of_package(path):
        folder, module_name = of_package
        sys.path.insert(0, folder)
        return importlib.import_module(module_name)
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
