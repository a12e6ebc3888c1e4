"""``%diagnose``, ``%%diagnose``, ``%compare`` and ``%endpoint``; loaded with ``%load_ext workbench``."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable
from types import CodeType, TracebackType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display

from workbench import errors
from workbench.comparison import compare
from workbench.coroutines import run_coroutine
from workbench.diagnosis import Diagnosing
from workbench.diagnosis.targets import diagnose_request, is_application
from workbench.endpoint import study_endpoint
from workbench.errors import one_line

_COMPARE = "%compare function, items"


@magics_class
class WorkbenchMagics(Magics):
    """The magics of the workbench. As with ``%timeit``, nothing but the result is shown."""

    @no_var_expand
    @line_cell_magic
    def diagnose(self, line: str, cell: str | None = None) -> Any:
        """Say what bounds a statement or a cell.

        ``%diagnose [-o] [-r N] statement`` repeats a statement that is shorter than 0.5 s, unless it prints or displays
        something; ``-r N`` runs it so often. What its first run shows is shown. One that raises gives one line.

        ``%%diagnose [-o] [-r N]`` runs the cell below once, or so often. One that raises shows its traceback and no
        verdict; the diagnosis of what ran is ``sys.last_value.diagnosis``.

        A value is not echoed, names that are set stay, a top-level ``await`` runs in an event loop of its own. One that
        is interrupted shows where the time went until then. ``-o`` returns the `Diagnosis` and shows nothing.
        """
        __tracebackhide__ = True
        options, statement = _parsed(self, line, "or:", "%diagnose [-o] [-r N] statement")
        repeat = _repeat(options)
        code = _compile(_shell(self), _task(statement, cell))
        block = Diagnosing("cell" if cell is not None else statement.strip())
        try:
            _run(_shell(self), code, block, repeat or (None if cell is None else 1))
        except KeyboardInterrupt as interrupt:
            if "o" not in options and hasattr(interrupt, "diagnosis"):
                display(interrupt.diagnosis)  # type: ignore[no-untyped-call]
            raise
        except (Exception, SystemExit) as error:
            if cell is not None:
                raise
            raise UsageError(f"%diagnose: the statement raises {one_line(error)}") from error
        return _returned_or_shown(block.result, options)

    @no_var_expand
    @line_magic
    def compare(self, line: str) -> Any:
        """Try remedies side by side on a function and items.

        ``%compare [-o] [-r A,B] [-b SECONDS] function, items``: both are Python expressions. ``-r`` names remedies (all
        that are installed), ``-b`` gives the time it may take (30 s). ``-o`` returns the `Comparison`, showing nothing.
        """
        options, expression = _parsed(self, line, "or:b:", "%compare [-o] [-r A,B] [-b SECONDS] function, items")
        budget_s, names = _budget_s(options), _names(options)
        func, items = _function_and_items(_shell(self), expression.strip())
        try:
            comparison = compare(func, items, names, budget_s=budget_s)
        except errors.WorkbenchError as error:
            raise UsageError(f"%compare: {error}") from error
        return _returned_or_shown(comparison, options)

    @no_var_expand
    @line_magic
    def endpoint(self, line: str) -> Any:
        """Study one request of the Django project in the current folder, or of that which ``-p`` names.

        ``%endpoint [-o] [-p PROJECT] [-u USER] [-b SECONDS] [-s SETTINGS] [-y PYTHON] [-m METHOD] [-d DATA]
        [-a HOST:PORT,…] /path/``, as of the command ``workbench endpoint``. ``-o`` returns the `EndpointStudy`, showing
        nothing. Of ``-p app.py:app``, a WSGI or ASGI application, it is the `Diagnosis` of its requests.
        """
        usage = "%endpoint [-o] [-p PROJECT] [-u USER] [-b SECONDS] [-s SETTINGS] [-y PYTHON] [-m METHOD] [-d DATA] "
        usage += "[-a HOST:PORT,…] /path/"
        options, path = _parsed(self, line, "op:u:b:s:y:m:d:a:", usage)
        budget_s = _budget_s(options, "60", "%endpoint -b 60 /path/")
        if not path.strip():
            raise UsageError(f"%endpoint what? Type {usage}")
        project, method = options.get("p", "."), options.get("m", "GET")
        try:
            if is_application(project):
                return _returned_or_shown(diagnose_request(project, path.strip(), method=method), options)
            study = study_endpoint(
                project, path.strip(), user=options.get("u"), settings=options.get("s"),
                python=options.get("y"), method=method, data=options.get("d"), budget_s=budget_s,
                allow=options["a"].split(",") if "a" in options else (),
            )  # fmt: skip
        except errors.WorkbenchError as error:
            raise UsageError(f"%endpoint: {error}") from error
        return _returned_or_shown(study, options)


def _shell(magics: Magics) -> InteractiveShell:
    assert magics.shell is not None
    return magics.shell


def _parsed(magics: Magics, line: str, known: str, usage: str) -> tuple[Any, str]:
    try:
        return magics.parse_options(line, known, posix=False, strict=False, preserve_non_opts=True)
    except UsageError as error:
        raise UsageError(f"{str(error).partition(' (')[0]}: type {usage}") from error


def _returned_or_shown(result: Any, options: Any) -> Any:
    if "o" in options:
        return result
    display(result)  # type: ignore[no-untyped-call]
    return None


def _repeat(options: Any) -> int | None:
    if "r" not in options:
        return None
    if not str(options["r"]).isdigit() or int(options["r"]) < 1:
        raise UsageError(f"-r {options['r']}: pass how often to run it, 1 or more: %diagnose -r 3 statement")
    return int(options["r"])


def _task(statement: str, cell: str | None) -> str:
    if cell is None:
        if not statement.strip():
            raise UsageError("%diagnose what? Pass a statement, or use %%diagnose above a cell")
        return statement
    if statement.strip():
        raise UsageError(f"%%diagnose {statement.strip()}: put that into the cell, below the line of %%diagnose")
    return cell


def _compile(shell: InteractiveShell, source: str) -> CodeType:
    """Compile a statement or a cell as IPython does, but so that no value is echoed."""
    transformed = shell.transform_cell(source)  # type: ignore[no-untyped-call]
    cell = len(shell.history_manager.input_hist_parsed) - 1 if shell.history_manager else shell.execution_count
    name = shell.compile.cache(transformed, cell, raw_code=source)
    try:
        with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            tree = shell.transform_ast(shell.compile.ast_parse(transformed, filename=name))  # type: ignore[no-untyped-call]
            _await_coroutine(shell, tree)
            code: CodeType = shell.compile(tree, name, "exec")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"%diagnose can't read {_first_line(source)!r}: {_complaint(error)}") from error
    if not any(not isinstance(node, ast.Pass) for node in tree.body):
        raise UsageError("%diagnose what? There is no statement in it")
    return code


def _await_coroutine(shell: InteractiveShell, tree: ast.Module) -> None:
    """Await a statement that calls a coroutine function: there is nothing else to study in it."""
    first = tree.body[0] if len(tree.body) == 1 else None
    call = first.value if isinstance(first, ast.Expr) else None
    name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
    if isinstance(first, ast.Expr) and inspect.iscoroutinefunction(shell.user_ns.get(name)):
        first.value = ast.copy_location(ast.Await(first.value), first.value)


def _complaint(error: SyntaxError | ValueError) -> str:
    return (error.msg or "invalid syntax") if isinstance(error, SyntaxError) else str(error)


def _first_line(source: str) -> str:
    lines = source.strip().splitlines()
    return lines[0] + " …" if len(lines) > 1 else "".join(lines)


class _Screen:
    """What a task shows while it runs: noticed in the first run, and dropped once ``muted``."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shown = False
        self.muted = False
        self._shell = shell

    def __enter__(self) -> _Screen:
        self._real = sys.stdout, sys.stderr, self._shell.display_pub
        places: Any = [_Watched(place, self) for place in self._real]
        sys.stdout, sys.stderr, self._shell.display_pub = places
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.stdout, sys.stderr, self._shell.display_pub = self._real
        self.muted = False  # for a log, say, that was opened meanwhile and goes on writing here


class _Watched:
    """A stream, or IPython's display, of a `_Screen`; in all but what puts something there it is the real one."""

    def __init__(self, real: Any, screen: _Screen) -> None:
        self._real = real
        self._screen = screen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, text: str) -> int:
        self._screen.shown |= bool(text)
        return len(text) if self._screen.muted else self._real.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def publish(self, *args: Any, **options: Any) -> None:
        self._screen.shown = True
        if not self._screen.muted:
            self._real.publish(*args, **options)

    def clear_output(self, *args: Any, **options: Any) -> None:
        if not self._screen.muted:
            self._real.clear_output(*args, **options)


def _run(shell: InteractiveShell, code: CodeType, block: Diagnosing, repeat: int | None) -> None:
    """Run compiled code in the user's namespace as often as the block says, and diagnose that.

    Code that showed something has run for someone to read: it is not run again unless ``repeat`` says so.
    """
    __tracebackhide__ = True
    screen = _Screen(shell)

    async def run_awaited() -> None:
        __tracebackhide__ = True
        with block, screen:
            for _ in block.until_told(repeat):
                await eval(code, shell.user_global_ns, shell.user_ns)
                if screen.shown and repeat is None:
                    break
                screen.muted = True

    if code.co_flags & inspect.CO_COROUTINE:
        try:
            run_coroutine(run_awaited())
        except KeyboardInterrupt as interrupt:
            interrupt.diagnosis = block.result  # type: ignore[attr-defined]
            raise
        return
    with block, screen:
        for _ in block.until_told(repeat):
            exec(code, shell.user_global_ns, shell.user_ns)
            if screen.shown and repeat is None:
                break
            screen.muted = True


def _budget_s(options: Any, usual: str = "30", example: str = "%compare -b 30 function, items") -> float:
    text = str(options.get("b", usual))
    try:
        budget_s = float(text.removesuffix("s"))
    except ValueError:
        budget_s = 0.0
    if not 0 < budget_s < float("inf"):
        raise UsageError(f"-b {text}: pass the seconds that it may take, above 0: {example}")
    return budget_s


def _names(options: Any) -> list[str] | None:
    if "r" not in options:
        return None
    names = str(options["r"]).split(",")
    if not all(names):
        raise UsageError(f"-r {options['r']}: pass names of remedies, without spaces between: -r threads,memo")
    return names


def _function_and_items(shell: InteractiveShell, expression: str) -> tuple[Callable[[Any], Any], list[Any]]:
    """Return what ``function, items`` stands for; each way to write that wrongly has a line of its own."""
    if not expression:
        raise UsageError(f"%compare what? Pass a function and its items: {_COMPARE}")
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise UsageError(
            f"%compare can't read {expression!r}: {_complaint(error)}. Type {_COMPARE}, a comma between"
        ) from error
    _refuse_missing_comma(shell, expression, tree)
    if isinstance(tree, ast.Tuple) and len(tree.elts) > 2:
        func, *items = map(ast.unparse, tree.elts)
        raise UsageError(f"%compare: items go into one list: %compare {func}, [{', '.join(items)}]")
    task = _evaluated(shell, expression)
    if callable(task):
        raise UsageError(f"%compare: pass items too, to call it with: %compare {expression.rstrip(', ')}, [1, 2, 3]")
    if not (isinstance(task, tuple) and len(task) == 2):
        raise UsageError(f"%compare: {expression!r} is no function and items: type {_COMPARE}")
    func, items = task
    if not callable(func):
        raise UsageError(f"%compare: {func!r:.60} is no function: type {_COMPARE}, the function first")
    return func, _listed(items)


def _refuse_missing_comma(shell: InteractiveShell, expression: str, tree: ast.expr) -> None:
    """Raise for ``f [1, 2]`` and ``f (1, 2)``, which would index and call f."""
    if isinstance(tree, ast.Subscript) and callable(_evaluated(shell, ast.unparse(tree.value))):
        func, items = tree.value, tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    elif isinstance(tree, ast.Call) and expression.encode()[tree.func.end_col_offset or 0 :][:1].isspace():
        func, items = tree.func, tree.args
    else:
        return
    listed = ", ".join(map(ast.unparse, items))
    raise UsageError(f"%compare: a comma is missing after the function: %compare {ast.unparse(func)}, [{listed}]")


def _evaluated(shell: InteractiveShell, expression: str) -> Any:
    try:
        return shell.ev(expression)  # type: ignore[no-untyped-call]
    except NameError as error:
        raise UsageError(f"%compare: {error}: run the cell that defines it, then {_COMPARE}") from error
    except Exception as error:
        raise UsageError(f"%compare: {expression!r} raises {one_line(error)}") from error


def _listed(items: Any) -> list[Any]:
    try:
        found = list(items)
    except Exception as error:
        if isinstance(items, Iterable):
            raise UsageError(f"%compare: the items raise {one_line(error)}") from error
        raise UsageError(f"%compare: {items!r:.60} is no list of items: pass [{items!r:.60}]") from error
    if not found:
        raise UsageError("%compare: there are no items to compare on: pass at least one")
    return found
