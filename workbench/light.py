"""Run one module of the workbench and nothing else of it: ``light.py MODULE ARGUMENT…`` calls its ``main(ARGUMENT…)``.

Some processes must be there in milliseconds, or load next to nothing beside the task that runs in them: the observer,
the minder of a server, the process of a diagnosed target. The packages above their module are empty there, so no
``__init__`` of them runs, and each file costs what it imports itself.
"""

import os
import sys

#: The modules that were there before any of ours; in a process that this file runs, those of a new interpreter.
FRESH = frozenset(sys.modules)


def command(module: str, *arguments: str, isolated: bool = True) -> list[str]:
    """Return the command that calls ``main`` of a module in a light process.

    Parameters
    ----------
    module
        Its whole name.
    arguments
        What ``main`` is called with, texts.
    isolated
        Nothing but the standard library can be imported, and the environment changes nothing of that.

    Examples
    --------
    >>> import subprocess
    >>> tried = subprocess.run(command("workbench.light", "no.such"), capture_output=True, text=True)
    >>> tried.stderr.splitlines()[-1]
    "ModuleNotFoundError: No module named 'no.such'"
    """
    return [sys.executable, *(("-I", "-S") if isolated else ()), os.path.abspath(__file__), module, *arguments]


def main(module: str, *arguments: str) -> None:
    """Load a module below packages that are empty, and call its ``main``."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the workbench's own folder, whose files are no modules of that name
    here = os.path.dirname(os.path.abspath(__file__))
    package = module.rpartition(".")[0]
    while package:
        empty = sys.modules[package] = type(sys)(package)
        empty.__path__ = [os.path.join(os.path.dirname(here), *package.split("."))]
        package = package.rpartition(".")[0]

    from workbench import light  # this file once more, as a module: the task may empty the main one

    light.FRESH = FRESH
    __import__(module)
    sys.modules[module].main(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
