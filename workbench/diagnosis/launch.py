"""The program that `workbench.diagnosis.targets` starts for a target: ``launch.py FOLDER TARGET``."""

import sys


def launch() -> None:
    """Load the few files that record, in packages that are empty, so that nothing else of what we use is loaded."""
    fresh = frozenset(sys.modules)
    here = sys.path.pop(0)
    for name, folder in (("workbench", here.rpartition("/")[0]), ("workbench.diagnosis", here)):
        sys.modules[name] = type(sys)(name)
        sys.modules[name].__path__ = [folder]

    from workbench.diagnosis.child import main

    main(fresh, *sys.argv[1:])


if __name__ == "__main__":
    launch()
