"""The process in which ``workbench diagnose`` runs a target; `workbench.light` runs this file there."""

from __future__ import annotations

import gc
import importlib.util
import inspect
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

from workbench.coroutines import run_coroutine, run_through
from workbench.diagnosis.recorder import REPEAT_UNTIL_S, Recorder
from workbench.errors import UsageError, one_line
from workbench.light import FRESH
from workbench.proc import end_with_parent
from workbench.targets import load_callable, module_of_package, read_arguments

USAGE = 2
#: A request is made again and again for so long.
ASK_FOR_S = 2.0
#: A second copy of this module would not know the threads of the first.
KEPT = {"threading"}


def main(folder_name: str, target_json: str) -> None:
    """Record the run of a target (JSON) into a folder; exits as the task does.

    The task finds the modules that a new interpreter has and no others: what it imports costs it what it costs without
    us, and it may put its own in the place of some.
    """
    folder, target = Path(folder_name), json.loads(target_json)
    end_with_parent(number=signal.SIGTERM)  # which lets it end what it has started
    for name in sys.modules.keys() - FRESH - KEPT:
        del sys.modules[name]
    # The main module is the task's; without a file, spawned children of it don't run the launcher.
    names = sys.modules["__main__"].__dict__
    for name in [name for name in names if not name.startswith("__") or name == "__file__"]:
        del names[name]
    names["__doc__"] = None
    run = _prepare(folder, target)
    recorder = Recorder(folder)
    collections = _watch_collections()
    facts: dict[str, Any] = {"runs": 0}
    failed: BaseException | None = None
    recorder.start()
    start = {
        "pid": os.getpid(), "tid": recorder.tid, "start_ns": recorder.start_ns, "watcher_tid": recorder.watcher_tid,
    }  # fmt: skip
    _write(folder / "start.json", start)
    try:
        run(facts)
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            failed = error
        raise
    finally:
        if os.getpid() == start["pid"]:  # a forked copy leaves the end to the first process
            recording = recorder.stop()
            facts["failure"] = one_line(failed) if failed is not None else None
            counters = {**recording.counters, **collections}
            _write(folder / "end.json", {**facts, "end_ns": recording.end_ns, "counters": counters})


def _prepare(folder: Path, target: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return what runs the target; a target that can't be run ends this process here, before anything is recorded."""
    kind, value, args = target["kind"], target["value"], target["args"]
    sys.argv = [value if kind in ("script", "callable", "request") else f"-{kind[0]}", *args]
    sys.path.insert(0, os.path.dirname(os.path.abspath(value)) if value.endswith(".py") else os.getcwd())
    if kind == "callable":
        return _callable(folder, value, target["name"], args)
    if kind == "request":
        return _request(folder, value, target["name"], *args)
    if kind == "module":
        try:
            found = importlib.util.find_spec(value)
        except ImportError:
            found = None
        if found is None:
            _refuse(folder, f"there is no module {value!r}")
        return lambda facts: _once(facts, lambda: runpy.run_module(value, run_name="__main__", alter_sys=True))
    if kind == "script" and (of_package := module_of_package(Path(value))):
        root, module = of_package
        sys.path.insert(0, root)
        return lambda facts: _once(facts, lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))
    source = value if kind == "code" else Path(value).read_bytes()
    name = "<string>" if kind == "code" else value
    try:
        program = compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        _refuse(folder, f"{name}, line {error.lineno}: {error.msg}")
    return lambda facts: _once(facts, lambda: _run_main(program, value if kind == "script" else None))


def _watch_collections() -> dict[str, float]:
    """Return counters of garbage collection, ``gc_runs`` and ``gc_s``, that go up from now on."""
    counted = {"gc_runs": 0.0, "gc_s": 0.0}
    now = time.thread_time  # what others did meanwhile is not its cost

    def watch(phase: str, info: object) -> None:
        counted["gc_s"] += now() if phase == "stop" else -now()
        counted["gc_runs"] += phase == "stop"

    gc.callbacks.append(watch)
    return counted


def _once(facts: dict[str, Any], run: Callable[[], object]) -> None:
    facts["runs"] = 1
    run()


def _run_main(program: CodeType, file: str | None) -> None:
    """Run a program as the main module."""
    names = sys.modules["__main__"].__dict__
    if file is not None:
        names["__file__"] = file
    exec(program, names)


def _callable(folder: Path, value: str, name: str, args: list[str]) -> Callable[[dict[str, Any]], None]:
    try:
        func = load_callable(value, name)
    except UsageError as error:
        _refuse(folder, str(error))
    try:
        given, named = read_arguments(func, args)
    except UsageError as error:
        _refuse(folder, f"{value}:{name}: {error}")

    def run(facts: dict[str, Any]) -> None:
        start = time.perf_counter()
        while not facts["runs"] or time.perf_counter() - start < REPEAT_UNTIL_S:
            facts["runs"] += 1
            _run_to_its_end(func(*given, **named))

    return run


def _request(folder: Path, value: str, name: str, path: str, method: str) -> Callable[[dict[str, Any]], None]:
    """Return what asks an application again and again, which has answered once already."""
    # They bring modules of their own: another class of the same name.
    from workbench.diagnosis import application
    from workbench.errors import UsageError as Told

    try:
        asked = application.asking(load_callable(value, name), path, method)
        status = asked.once()
    except (UsageError, Told) as error:
        _refuse(folder, str(error))
    except Exception as error:
        _refuse(folder, f"the application raises {one_line(error)} for {method} {path}")
    if status >= 400:
        _refuse(folder, f"{method} {path} answers {status}: pass a path that the application has")

    def run(facts: dict[str, Any]) -> None:
        start = time.perf_counter()
        while not facts["runs"] or time.perf_counter() - start < ASK_FOR_S:
            facts["runs"] += 1
            asked.once()
        asked.end()

    return run


def _run_to_its_end(answer: Any) -> None:
    """Do what a function left to be done: what it returned may be a coroutine or a generator."""
    if inspect.iscoroutine(answer):
        run_coroutine(answer)
    elif inspect.isasyncgen(answer):
        run_coroutine(run_through(answer))
    elif inspect.isgenerator(answer):
        for _ in answer:
            pass


def _refuse(folder: Path, reason: str) -> NoReturn:
    (folder / "usage").write_text(reason)
    sys.exit(USAGE)


def _write(path: Path, data: dict[str, Any]) -> None:
    path.with_suffix(".part").write_text(json.dumps(data))
    path.with_suffix(".part").rename(path)
