"""Say what bounds a running task: `diagnose` watches it from a process of its own and tells where its time went.

The way of the data, one file each::

    recorder, layout   start the observer of this process and tell it where Python keeps its stacks
    observer/          the process that looks at all threads and children, some hundred times a second
    attached           a process that runs already, watched from outside
    awaits             the one thing only to be seen from inside: what the tasks of an event loop await
    tracks             looks and counters -> what each thread did, tick by tick
    accounting         tracks -> seconds that add up to the wall time, joined threads and children told as what they did
    naming, peers      lines of code, locks, what is behind an address
    concurrency        how many tasks of an event loop wait at a line at once
    inside             what hides in Python and native code
    stalls             what kept an event loop from running
    verdict            parts -> verdict, what bounds it, and why
    assemble           all of that -> a Diagnosis
    api                the ways to ask for one from Python
    targets            the ways to ask for one from the command line
    application        asking a WSGI or ASGI application there for a page
    child              the process of its own in which such a target runs
    exact              exact lines, by line_profiler
"""

from workbench.diagnosis.api import Diagnosing, diagnose
from workbench.diagnosis.attached import diagnose_process
from workbench.diagnosis.targets import Outcome, Target, diagnose_request, diagnose_target, parse_target

__all__ = [
    "Diagnosing",
    "Outcome",
    "Target",
    "diagnose",
    "diagnose_process",
    "diagnose_request",
    "diagnose_target",
    "parse_target",
]
