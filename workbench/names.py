"""The name of a callable: for people, and by which it is found again.

>>> import functools, math
>>> shown_name(math.isqrt), shown_name(functools.partial(math.isqrt, 10)), shown_name([].append)
('math:isqrt', 'math:isqrt', 'builtins:list.append')
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

from workbench.errors import UsageError


def module_and_name(func: Any) -> tuple[str, str]:
    """Return the module and the qualified name of a callable; what has none of its own has those of its type.

    Examples
    --------
    >>> module_and_name(str.upper), module_and_name(functools.lru_cache(maxsize=1)(len))
    (('builtins', 'str.upper'), ('builtins', 'len'))
    """
    name = getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or type(func).__qualname__
    # A method of a built-in type has no module, only the type, or the object, that it is of.
    owner = getattr(func, "__objclass__", None) or type(getattr(func, "__self__", func))
    return getattr(func, "__module__", None) or owner.__module__, name


def full_name(func: Any) -> str:
    """Return ``module:qualname``, by which `find` finds a callable that stands in a module.

    Examples
    --------
    >>> full_name(ValueError)
    'builtins:ValueError'
    """
    return ":".join(module_and_name(func))


def shown_name(func: Any) -> str:
    """Return the name under which people see a callable: ``module:qualname``, and no module for the program's own.

    Of a `functools.partial`, that of the function inside.

    Examples
    --------
    >>> def mine(): ...
    >>> mine.__module__ = "__main__"
    >>> shown_name(mine)
    'mine'
    """
    while isinstance(func, functools.partial):
        func = func.func
    return full_name(func).removeprefix("__main__:")


def short_name(target: str) -> str:
    """Return the last part of a target's name.

    Examples
    --------
    >>> short_name("package.module:function"), short_name("script.py")
    ('function', 'script.py')
    """
    return target.rpartition(":")[2]


def cell_name(file: str) -> str:
    """Return what a notebook that runs here calls the cell whose code is in a file; empty for any other file.

    Examples
    --------
    >>> cell_name("task.py")
    ''
    """
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if get_ipython is not None else None
    label_and_name = shell.compile.format_code_name(file) if shell is not None else None
    return label_and_name[1] if label_and_name else ""


def find(name: str) -> Callable[..., Any]:
    """Return what `full_name` named.

    Examples
    --------
    >>> find("math:isqrt")(10)
    3
    """
    module, _, qualname = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    called: Callable[..., Any] = found
    return called


def findable_name(func: Any) -> str:
    """Return the full name of a function that another process finds by it.

    Raises
    ------
    UsageError
        It would not find it, or would find another one.

    Examples
    --------
    >>> import math
    >>> findable_name(math.isqrt)
    'math:isqrt'
    >>> findable_name(lambda number: number)
    Traceback (most recent call last):
    workbench.errors.UsageError: workers can't import ...<lambda>: put a named function into a module
    """
    name = full_name(func)
    try:
        found: Any = find(name)
    except (ImportError, AttributeError):
        found = None
    if found is not func or name.startswith("__main__:"):
        raise UsageError(f"workers can't import {name}: put a named function into a module")
    return name
