"""Say what bounds a running task: `diagnose` watches it from a process of its own and tells where its time went.

The way of the data, one file each::

    recorder, layout   start the observer of this process and tell it where Python keeps its stacks
    observer/          the process that looks at all threads and children, some hundred times a second
    accounting         looks and counters -> seconds that add up to the wall time
    naming             lines of code, locks, peers
    verdict            parts -> verdict, what bounds it, and why
    assemble           all of that -> a Diagnosis
"""

from workbench.diagnose.api import Diagnosing, diagnose

__all__ = ["Diagnosing", "diagnose"]
