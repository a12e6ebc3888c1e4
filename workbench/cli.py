"""The ``workbench`` command: one thin function a subcommand; exit code 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import RecordError, UsageError, WorkbenchError

FAILED, WRONG_USAGE = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; a user's mistake is one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.WARNING, format="workbench: %(message)s", stream=sys.stderr)
    try:
        args = parser().parse_args(arguments)
        code: int = args.run(args)
        return code
    except UsageError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return WRONG_USAGE
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return FAILED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    top = argparse.ArgumentParser(prog="workbench", description="What bounds this code, and which fix pays?")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_diagnose(commands)
    return top


def _add_diagnose(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "diagnose",
        help="say what bounds a script, module or callable",
        usage="workbench diagnose [--json] [--out FILE] [--timeout S] (TARGET | -m MODULE | -c CODE) [-- ARG ...]",
        description="Say what bounds a task. TARGET is file.py, file.py:callable or package.module:callable. "
        "The task's own output and exit code pass through; a callable shorter than 0.5 s is repeated.",
    )
    command.add_argument("--json", action="store_true", help="write JSON to stdout, the task's own stdout to stderr")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the JSON to a file")
    command.add_argument("--timeout", type=float, metavar="S", help="end the task after S seconds and tell what it did")
    command.add_argument("-m", dest="module", help="run a module, like python -m")
    command.add_argument("-c", dest="code", help="run code, like python -c")
    command.add_argument("target", nargs="?", help=argparse.SUPPRESS)
    command.add_argument("args", nargs="*", help=argparse.SUPPRESS)
    command.set_defaults(run=_diagnose)


def _diagnose(args: argparse.Namespace) -> int:
    from workbench.diagnose.targets import Target, diagnose_target, parse_target

    if sum(item is not None for item in (args.module, args.code)) > 1:
        raise UsageError("pass one of TARGET, -m and -c")
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
    text = json.dumps(outcome.diagnosis.to_json(), indent=1, ensure_ascii=False)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    if args.json:
        print(text)
    else:
        print(outcome.diagnosis.summary(), file=sys.stderr)
    return outcome.exit_code


def _check_writable(path: Path | None) -> None:
    """Refuse a path that can't be written before the task runs, so that no measurement is lost."""
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise RecordError(f"can't write {path}: {error.strerror or error}") from error
