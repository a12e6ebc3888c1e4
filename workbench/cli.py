"""The command line: each subcommand is a thin function that calls the library and prints what it returns.

Exit codes: 0 done, 1 failed, 2 wrong usage. Progress and logs go to stderr.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

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
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
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
    report.set_defaults(command=_report)

    notebooks = commands.add_parser("notebooks", help="run notebooks; they record their tables")
    notebooks.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", help="notebooks, or folders of notebooks")
    notebooks.set_defaults(command=_notebooks)
    return parser


def _notebooks(options: argparse.Namespace) -> int:
    return 1 if _run_notebooks(options.notebooks) else 0


def _report(options: argparse.Namespace) -> int:
    from workbench.report import make_report

    failures = _run_notebooks(options.run)
    report = make_report(options.results, options.out, failures=failures)
    print(f"{report.path}: {report.shown} records")
    return 1 if failures or report.left_out else 0


def _run_notebooks(places: Sequence[str]) -> list[str]:
    """Run notebooks, saying how each ended; return a line for each that failed."""
    from workbench.notebooks import EXECUTED, run_notebooks

    failures = []
    for run in run_notebooks(places) if places else ():
        print(f"{run.notebook}: {run.error or 'done'} ({run.wall_s:.0f} s)", file=sys.stderr)
        if run.error:
            failures.append(f"{run.notebook} failed in {run.error} (see {EXECUTED / run.notebook.name})")
    return failures
