"""The program that `workbench.diagnose.targets` starts for a target: ``launch.py FOLDER TARGET``.

The packages are empty here: the task's process loads the few files that record, and nothing else of what we use.
"""

import sys

fresh = frozenset(sys.modules)
here = sys.path.pop(0)
for name, folder in (("workbench", here.rpartition("/")[0]), ("workbench.diagnose", here)):
    sys.modules[name] = type(sys)(name)
    sys.modules[name].__path__ = [folder]

from workbench.diagnose.child import main  # noqa: E402

main(fresh, *sys.argv[1:])
