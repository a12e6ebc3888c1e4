"""The source of the lines that a diagnosis names: whether one stands in a loop, what it calls, what a name is bound to.

All of it is read from the text; nothing is imported or run.
"""

from __future__ import annotations

import ast
import linecache
import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Protocol

#: Larger files are made by programs, and take seconds to be read.
_LARGEST = 1 << 20
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class At(Protocol):
    """A line in a file."""

    @property
    def file(self) -> str:
        """The file."""

    @property
    def line(self) -> int:
        """The line's number, from 1 on."""


class _Line(NamedTuple):
    file: str
    line: int


class Source:
    """Reads the files that are on this machine, or the cells of a notebook."""

    def text(self, at: At) -> str:
        """Return the text of a line; empty where it can't be read."""
        lines = _lines(at.file)
        return lines[at.line - 1].strip() if 0 < at.line <= len(lines) else ""

    def tree(self, file: str) -> ast.Module:
        """Return a file's syntax tree; an empty one where it can't be read."""
        return _parsed("".join(_lines(file)))

    def nodes(self, at: At) -> Iterator[ast.AST]:
        """Yield the expressions that reach over a line, the outer ones first."""
        yield from _expressions(self.tree(at.file)).get(at.line, ())

    def calls(self, at: At) -> list[ast.Call]:
        """Return the calls that a line makes, or is part of."""
        return [node for node in self.nodes(at) if isinstance(node, ast.Call)]

    def function(self, at: At) -> ast.AST:
        """Return the innermost function around a line, or the module."""
        return max(self._around(at), key=lambda node: node.lineno, default=self.tree(at.file))

    def _around(self, at: At) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [node for node in _functions(self.tree(at.file)) if node.lineno <= at.line <= _ends(node)]

    def bound(self, at: At, name: str) -> list[ast.expr]:
        """Return what a name is bound to, in a line's function or around it; an attribute: in its class.

        Nothing is known of a parameter.
        """
        tree = self.tree(at.file)
        owner, _, bare = name.rpartition(".")
        if owner:
            classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
            around = [node for node in classes if node.lineno <= at.line <= _ends(node)]
            return _bound(max(around, key=lambda node: node.lineno, default=tree), True).get(bare, [])
        for function in sorted(self._around(at), key=lambda node: -node.lineno):
            if bare in {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}:
                return []
            if found := _bound(function, False).get(bare):
                return found
        return _bound(tree, False).get(bare, [])

    def bound_anywhere(self, at: At, name: str) -> list[ast.expr]:
        """Return what a name, or an attribute of that name, is bound to anywhere in a line's file."""
        return _bound(self.tree(at.file), True).get(name.rpartition(".")[2], [])

    def users(self, at: At, name: str) -> set[str]:
        """Return the functions of a line's file that use a name, ``<module>`` for what stands outside of them."""
        tree = self.tree(at.file)
        uses = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
        around = (self.function(_Line(at.file, line)) for line in uses)
        return {function.name if isinstance(function, _NAMED) else "<module>" for function in around}

    def grows(self, at: At) -> bool:
        """Say whether a line in a loop binds a name, or an attribute, to something made of what it was bound to."""
        return bool(self.loops(at)) and any(
            isinstance(node, ast.Assign)
            and node.lineno <= at.line <= _ends(node)
            and {text_of(target) for target in node.targets} & {text_of(part) for part in _names(node.value)}
            for node in own_nodes(self.function(at))
        )

    def imported(self, at: At) -> list[str]:
        """Return the names that the imports on a line bind."""
        return [
            (name.asname or name.name).partition(".")[0]
            for node in ast.walk(self.tree(at.file))
            if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno <= at.line <= _ends(node)
            for name in node.names
        ]

    def loops(self, at: At) -> list[ast.AST]:
        """Return the loops of the line's own function that run it again and again, the innermost last.

        What a ``for`` goes over is evaluated once; a ``while`` tests each time.
        """
        return [node for node in own_nodes(self.function(at)) if _repeats(node, at.line)]

    def loop_at(self, at: At) -> tuple[int, int]:
        """Return the first and the last line of the innermost loop that a line is part of; its own where there is none.

        A line that says what a ``for`` goes over is part of it.
        """
        around = [
            (node.lineno, _ends(node))
            for node in own_nodes(self.function(at))
            if isinstance(node, (*_LOOPS, *_COMPREHENSIONS)) and node.lineno <= at.line <= _ends(node)
        ]
        return max(around, default=(at.line, at.line))

    def is_in_loop(self, at: At) -> bool:
        """Say whether a line runs again and again within one call of its function, or of the module."""
        return bool(self.loops(at)) or any(
            isinstance(node, ast.Call) and _name(node.func) == "map" for node in self.calls(at)
        )


def _lines(file: str) -> list[str]:
    """Return the lines of a regular file that is not too large, or of what a notebook keeps; none of anything else."""
    if file not in linecache.cache and not file.startswith("<"):
        try:
            known = os.stat(file)
        except (OSError, ValueError):
            return []
        if not stat.S_ISREG(known.st_mode) or known.st_size > _LARGEST:
            return []
    return linecache.getlines(file)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, each before those in it, but for those of functions inside it."""
    waiting = list(ast.iter_child_nodes(function))[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            waiting += list(ast.iter_child_nodes(node))[::-1]


def text_of(node: ast.AST) -> str:
    """Return an expression as text; empty where it is nested too deep to be written.

    Examples
    --------
    >>> text_of(ast.parse("queue.Queue( 2 )", mode="eval").body)
    'queue.Queue(2)'
    """
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


def _repeats(node: ast.AST, line: int) -> bool:
    if isinstance(node, ast.While):
        return node.lineno <= line <= _ends(node)
    if isinstance(node, _LOOPS):
        first, last = node.body[0], node.body[-1]
        return first.lineno <= line <= _ends(last)
    if isinstance(node, _COMPREHENSIONS):
        return node.lineno <= line <= _ends(node)
    return False


def called(call: ast.Call) -> tuple[str, str]:
    """Return what a call is made on, and the function's own name.

    Examples
    --------
    >>> called(ast.parse("log.debug('x')", mode="eval").body)
    ('log', 'debug')
    """
    owner = text_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    return owner, _name(call.func)


def _name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _ends(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0) or 0)


@lru_cache(maxsize=64)
def _expressions(tree: ast.Module) -> dict[int, list[ast.expr]]:
    """Return the expressions of a file by the lines that they reach over."""
    found: dict[int, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            for line in range(node.lineno, _ends(node) + 1):
                found.setdefault(line, []).append(node)
    return found


@lru_cache(maxsize=64)
def _functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _names(value: ast.expr) -> Iterator[ast.expr]:
    return (node for node in ast.walk(value) if isinstance(node, ast.Name | ast.Attribute))


@lru_cache(maxsize=64)
def _bound(scope: ast.AST, deep: bool) -> dict[str, list[ast.expr]]:
    """Return what names and attributes are bound to, by assignment or by ``with … as``; ``deep``: in functions, too."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope) if deep else own_nodes(scope):
        pairs: list[tuple[ast.expr | None, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.withitem):
            pairs = [(node.optional_vars, node.context_expr)]
        for target, value in pairs:
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            if name and value is not None:
                found.setdefault(name, []).append(value)
    return found


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last one of what is nested too deep
        return ast.Module([], [])
