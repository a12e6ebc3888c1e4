"""The command line: each subcommand is a thin function that calls the library and prints what it returns.

Exit codes: 0 done, 1 failed, 2 wrong usage. Progress and logs go to stderr.
"""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from workbench.errors import RecordError, UsageError, WorkbenchError
from workbench.masking import masked
from workbench.plain import from_json
from workbench.records import RESULTS
from workbench.ward import INTERRUPTED, in_ward

if TYPE_CHECKING:
    from workbench.comparison.answers import Equal
    from workbench.results import Diagnosis


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ``workbench`` command.

    Parameters
    ----------
    arguments
        Words after the command's name; those of this process when None.

    Returns
    -------
    int
        The exit code.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("workbench").setLevel(logging.INFO)
    return _guarded(lambda: options.command(options))


def _guarded(command: Callable[[], int]) -> int:
    """Return a command's exit code; an error of the workbench is one line on stderr, and so is an interrupt."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("workbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # who read what we write wants no more
        _write_no_more()
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _write_no_more()
        print(f"workbench: {error.strerror}: {error.filename or 'what the results are written to'}", file=sys.stderr)
        return 1
    except UsageError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 2
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 1


def _write_no_more() -> None:
    """Let what is still to be written go nowhere: the interpreter would try again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command and end this process."""
    sys.exit(main())


class _Parser(argparse.ArgumentParser):
    """One whose errors quote what was passed, but no secret in it."""

    def error(self, message: str) -> NoReturn:
        hint = "; the task's own go after --" if message.startswith("unrecognized") and "diagnose" in self.prog else ""
        super().error(masked(message) + hint)


def _parser() -> argparse.ArgumentParser:
    about = "What bounds this code, and which fix pays?"
    parser: argparse.ArgumentParser = _Parser(prog="workbench", description=about)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_diagnose(commands)
    _add_compare(commands)
    _add_endpoint(commands)

    services = commands.add_parser(
        "services", help="say which servers there are: path, version, or how to install them"
    )
    services.add_argument("--json", action="store_true", help="write JSON to stdout instead of a table")
    services.set_defaults(command=_services)

    report = commands.add_parser("report", help="write the report of the recorded results")
    report.add_argument("--run", nargs="+", default=[], metavar="NOTEBOOK", help="run these notebooks or folders first")
    report.add_argument("--results", default=RESULTS, metavar="FOLDER", help="where the records are (%(default)s)")
    report.add_argument("--out", default="report.html", metavar="FILE", help="the page to write (%(default)s)")
    _add_parameters(report)
    report.set_defaults(command=_report)

    notebooks = commands.add_parser("notebooks", help="run notebooks; they record their tables")
    notebooks.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="notebooks, or folders of notebooks")
    _add_parameters(notebooks)
    notebooks.set_defaults(command=_notebooks)
    return parser


def _add_parameters(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="parameters", type=_parameter,
        help="give a parameter of the notebooks another value, in JSON or as plain text",
    )  # fmt: skip


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, from_json(value)
    except json.JSONDecodeError:
        return name, value
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"can't read {name}: {error}") from error


def _add_diagnose(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "diagnose",
        help="say what bounds a script, module or callable",
        usage="workbench diagnose [--json] [--out FILE] [--timeout S] (TARGET | -m MODULE | -c CODE) [-- ARG ...]\n"
        "       workbench diagnose [--json] [--out FILE] --pid PID [--for S]",
        description="Say what bounds a task. TARGET is file.py, file.py:callable or package.module:callable. "
        "The task's own output and exit code pass through; a callable shorter than 0.5 s is repeated, and gets its "
        "arguments in JSON or as text, depth=3 by its name.",
    )
    command.add_argument("--json", action="store_true", help="write JSON to stdout, the task's own stdout to stderr")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON to a file")
    command.add_argument("--timeout", type=float, metavar="S", help="end the task after S seconds and tell what it did")
    command.add_argument("--pid", type=int, help="watch a process that runs, and those below it, from outside")
    command.add_argument(
        "--for", dest="for_s", type=_seconds, default=10.0, metavar="10s", help="watch it so long (%(default)s s)"
    )
    command.add_argument("-m", dest="module", help="run a module, like python -m")
    command.add_argument("-c", dest="code", help="run code, like python -c")
    command.add_argument("target", nargs="?", help=argparse.SUPPRESS)
    command.add_argument("args", nargs="*", help=argparse.SUPPRESS)
    command.set_defaults(command=_diagnose)


def _diagnose(args: argparse.Namespace) -> int:
    from workbench.diagnosis.attached import diagnose_process
    from workbench.diagnosis.targets import Target, diagnose_target, parse_target

    if sum(item is not None for item in (args.module, args.code, args.pid)) > 1 or (args.pid and args.target):
        raise UsageError("pass one of TARGET, -m, -c and --pid")
    _end_as_by_interrupt()
    if args.pid is not None:
        _check_writable(args.out)
        _print_diagnosis(diagnose_process(args.pid, for_s=args.for_s), args)
        return 0
    rest = [*([args.target] if args.target is not None else []), *args.args]
    if args.module is not None:
        target = Target("module", args.module, args=tuple(rest))
    elif args.code is not None:
        target = Target("code", args.code, args=tuple(rest))
    elif args.target is not None:
        target = parse_target(args.target, args.args)
    else:
        raise UsageError("nothing to diagnose: pass file.py, file.py:callable, package.module:callable, -m or -c")
    if args.timeout is not None and args.timeout <= 0:
        raise UsageError(f"--timeout {args.timeout:g}: pass seconds above 0")
    _check_writable(args.out)
    json_alone = args.json and args.out is None
    outcome = diagnose_target(target, timeout_s=args.timeout, stdout=sys.stderr if json_alone else None)
    _print_diagnosis(outcome.diagnosis, args)
    return outcome.exit_code


def _end_as_by_interrupt() -> None:
    """Let who ends us, as `timeout` does, end the task and its observer as well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _print_diagnosis(diagnosis: Diagnosis, args: argparse.Namespace) -> None:
    text = json.dumps(diagnosis.to_json(), indent=1, ensure_ascii=False)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    if args.json:
        print(text)
    else:
        print(diagnosis.summary(), file=sys.stderr)


def _check_writable(path: Path | None) -> None:
    """Refuse a path that can't be written before the task runs, so that no measurement is lost."""
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise RecordError(f"can't write {path}: {error.strerror or error}") from error


def _add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "compare",
        help="try remedies side by side on a callable",
        description="Try remedies side by side on a callable of one item, predict what each gains, recommend one.",
    )
    command.add_argument("target", metavar="TARGET", help="file.py:callable or package.module:callable")
    items = command.add_mutually_exclusive_group(required=True)
    items.add_argument("--items", metavar="FILE", help="what to call it with: a JSON list, or one item a line")
    items.add_argument("--repeat", type=int, metavar="N", help="call it N times without an argument")
    command.add_argument("--remedies", metavar="A,B", help="names of installed remedies (all)")
    command.add_argument(
        "--budget", type=_seconds, default=30.0, metavar="30s", help="time it may take (%(default)s s)"
    )
    command.add_argument(
        "--equal", type=_equal, metavar="approx:1e-9", help="call answers equal that are this near, relatively (exact)"
    )
    command.add_argument(
        "--repeat-effects", action="store_true", help="repeat the task although each call prints, writes or sends"
    )
    command.add_argument("--once", action="store_true", help="no remedy does an item twice: give it many items")
    command.add_argument("--dry-run", action="store_true", help="say how often it would be called, and call nothing")
    command.add_argument("--json", action="store_true", help="write JSON to stdout instead of a table")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON to a file")
    command.set_defaults(command=_compare)


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: pass seconds, as in 30s")
    return seconds


def _equal(text: str) -> Equal:
    from workbench.comparison.answers import approximately

    kind, _, tolerance = text.partition(":")
    try:
        if kind != "approx":
            raise ValueError
        return approximately(float(tolerance or "1e-9"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: pass approx:1e-9, or another relative difference") from None


def _compare(options: argparse.Namespace) -> int:
    """Compare in a child process, for the task may leave anything behind."""
    _check_writable(options.out)
    limit_s = 2 * options.budget + 60
    code, results = in_ward(lambda results: _guarded(lambda: _compare_here(options, results)), limit_s)
    sys.stdout.write(results)
    if code is None:
        print(f"workbench: an item did not end: the comparison was ended after {limit_s:g} s", file=sys.stderr)
        return 1
    return code


def _compare_here(options: argparse.Namespace, results: TextIO) -> int:
    from workbench.comparison import compare
    from workbench.comparison.sides import end_processes
    from workbench.diagnosis import parse_target
    from workbench.targets import WithoutItem, load_callable, read_items

    target = parse_target(options.target)
    if target.kind != "callable":
        raise UsageError(f"{options.target!r} names no callable: pass file.py:callable or package.module:callable")
    func = load_callable(target.value, target.name)
    if options.items:
        items = read_items(options.items)
    else:
        func, items = WithoutItem(func), list(range(options.repeat))
    wanted = options.remedies.split(",") if options.remedies is not None else None
    if options.dry_run:
        results.write(f"{options.target} was not called. {_most_calls(options, len(items))}\n")
        return 0
    try:
        found = compare(
            func,
            items,
            wanted,
            budget_s=options.budget,
            equal=options.equal,
            repeat_effects=options.repeat_effects,
            once=options.once,
        )
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing more to interrupt
        code = INTERRUPTED
        if not hasattr(interrupt, "comparison"):
            print("workbench: interrupted before the first item was done: nothing was measured", file=sys.stderr)
            return code
        found = interrupt.comparison
    else:
        code = 0
    finally:
        end_processes()  # or the exit waits for a pool that waits for more
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    results.write(f"{text if options.json else found.summary()}\n")
    return code


def _most_calls(options: argparse.Namespace, items: int) -> str:
    """Say how often a comparison would call a task."""
    from workbench.comparison.looking import FEW

    often = "at most once" if options.once else f"as often as there is time for in {options.budget:g} s"
    usual = f"with each of the {items} items {often} under each remedy"
    if options.repeat_effects:
        return f"A comparison would call it {usual}, whatever it prints, writes or sends."
    return (
        f"A comparison would call it at most {min(items, FEW + 1)} times if each call is seen to print, write or send, "
        f"else {usual}. What programs do that it starts is not seen, nor what it sends in an unknown protocol."
    )


def _add_endpoint(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "endpoint",
        help="say what bounds a request of a Django project, and which fix pays",
        description="Say what bounds one request of a Django project, and try fixes, all on a copy of its database. "
        "Of another WSGI or ASGI application it is said what bounds the request and what would pay; nothing is tried.",
    )
    command.add_argument(
        "project", metavar="PROJECT", help="the folder that holds manage.py; or file.py:app, of Flask, FastAPI …"
    )
    command.add_argument("path", metavar="PATH", help="what to ask for, as in /books/?page=2")
    command.add_argument("--user", metavar="U", help="the name of the user who is logged in")
    command.add_argument("--settings", metavar="M", help="the settings module (as manage.py names it)")
    command.add_argument("--python", metavar="P", help="the project's interpreter (of a .venv in or above PROJECT)")
    command.add_argument("--method", default="GET", metavar="M", help="%(default)s")
    command.add_argument("--data", metavar="D", help="the body: JSON, or a form as in a=1&b=2")
    command.add_argument("--database", choices=("copy", "readonly"), default="copy", help="%(default)s")
    command.add_argument("--rtt", type=_short_time, default=0.0, metavar="1ms", help="round trip to the database")
    command.add_argument("--link", type=_link, metavar="20Mbit", help="the clients' link")
    command.add_argument("--hit-rate", type=float, default=0.8, metavar=".8", help="of a cache (%(default)s)")
    command.add_argument("--budget", type=_seconds, default=60.0, metavar="60s", help="time that trying may take")
    command.add_argument(
        "--allow", action="append", default=[], metavar="HOST:PORT", help="a server that the view may ask (repeatable)"
    )
    command.add_argument("--json", action="store_true", help="write JSON to stdout instead of text")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON to a file")
    command.set_defaults(command=_endpoint)


def _short_time(text: str) -> float:
    for unit, seconds in (("ms", 1e-3), ("us", 1e-6), ("s", 1.0)):
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return float(number) * seconds
    raise argparse.ArgumentTypeError(f"{text!r}: pass a time with its unit, as in 1ms")


def _link(text: str) -> float:
    for unit, bits in (("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)):
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and float(number) > 0:
            return float(number) * bits
    raise argparse.ArgumentTypeError(f"{text!r}: pass bits a second with their unit, as in 20Mbit")


def _endpoint(options: argparse.Namespace) -> int:
    from workbench.diagnosis.targets import diagnose_request, is_application
    from workbench.endpoint import study_endpoint

    _check_writable(options.out)
    if is_application(options.project):
        _end_as_by_interrupt()
        diagnosis = diagnose_request(options.project, options.path, method=options.method)
        _print_diagnosis(diagnosis, options)
        print("This is no Django project: what would pay is predicted, and nothing was tried.", file=sys.stderr)
        return 0
    study = study_endpoint(
        options.project,
        options.path,
        user=options.user,
        settings=options.settings,
        python=options.python,
        method=options.method,
        data=options.data,
        database=options.database,
        rtt_s=options.rtt,
        link_bits=options.link,
        hit_rate=options.hit_rate,
        budget_s=options.budget,
        allow=options.allow,
    )
    text = json.dumps(study.to_json(), indent=1, ensure_ascii=False)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text if options.json else study.summary())
    return 0


def _services(options: argparse.Namespace) -> int:
    from workbench import services

    found = services.find()
    if options.json:
        print(json.dumps([dataclasses.asdict(each) for each in found], indent=1))
    else:
        print("\n".join(str(each) for each in found))
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    return 1 if _run_notebooks(options.notebooks, dict(options.parameters)) else 0


def _report(options: argparse.Namespace) -> int:
    from workbench.report import make_report

    failures = _run_notebooks(options.run, dict(options.parameters))
    report = make_report(options.results, options.out, failures=failures)
    print(f"{report.path}: {report.shown} records")
    return 1 if failures or report.left_out else 0


def _run_notebooks(places: Sequence[str], parameters: dict[str, Any]) -> list[str]:
    """Run notebooks, saying how each ended; return a line for each that failed."""
    from workbench.notebooks import EXECUTED, run_notebooks

    failures = []
    for run in run_notebooks(places, parameters=parameters) if places else ():
        print(f"{run.notebook}: {run.error or 'done'} ({run.wall_s:.0f} s)", file=sys.stderr)
        if run.error:
            failures.append(f"{run.notebook} failed in {run.error} (see {EXECUTED / run.notebook.name})")
    return failures
