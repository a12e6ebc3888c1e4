"""Start of a child: ``python start.py FD PARENT`` takes orders from a socket, and ends with its parent.

The folder of this file becomes the package ``workbench_inside``; nothing else of the workbench is on the path.
"""

import ctypes
import importlib
import os
import signal
import sys


def main() -> None:
    """Take orders until the parent closes the socket or is gone."""
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if folder != here]
    package = sys.modules["workbench_inside"] = type(sys)("workbench_inside")
    package.__path__ = [here]
    importlib.import_module("workbench_inside.child").serve(fd)


if __name__ == "__main__":
    main()
