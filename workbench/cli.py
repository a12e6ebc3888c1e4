"""The command line: each subcommand is a thin function that calls the library and prints what it returns.

Exit codes: 0 done, 1 failed, 2 wrong usage. Progress and logs go to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from workbench.errors import UsageError, WorkbenchError
from workbench.records import RESULTS


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
    try:
        code: int = options.command(options)
    except UsageError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 2
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbench", description="What bounds this code, and which fix pays?")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

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
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


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
