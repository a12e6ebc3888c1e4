"""Ways to do the same task faster, all of one signature: ``run(func, items, *, workers=None) -> list``.

Each returns ``func`` of every item, in order, lets an exception of the task through, and raises
`workbench.NotApplicableError` for tasks that it can't do. `remedy` marks one with what it says of itself. A package
offers more of them by an entry point in the group ``workbench.remedies``.

================== ============================================================================
`sequential`       one item after the other: the baseline
`threads`          a pool of threads, for tasks that wait
`processes`        a pool of processes (joblib, loky), for tasks that compute
`asynchronous`     one event loop, for coroutine functions; installed as ``asyncio``
`cluster`          the workers of a Dask cluster, started here or running elsewhere
`subinterpreters`  a pool of interpreters, where this Python has them (3.14)
`free_threads`     threads without the GIL, where this Python has none; installed as ``free-threading``
`memo`             every distinct item once
`stored`           answers kept on disk by `memoize`, for duplicates
`recalled`         the same, as a second run finds them; tried only when it is named
`cached` (c)       answers kept in a cache c of `workbench.caches`, for duplicates
`celery`           workers of a Celery queue over Redis, for functions that workers can import
`celery_on` (b)    the same over another broker
`compiled`         machine code by numba, for numeric functions
`cluster_at` (a)   the workers of the Dask cluster at that address
`vectorised` (f)   all items as one array, given to f
`twin` (f)         another function for the same task, run by any of these
================== ============================================================================

`call_costs` says what a cache costs a call, and so from which hit rate on it pays; `stampede` what it does when many
want one missing answer.
"""

from workbench.remedies.cluster import cluster, cluster_at
from workbench.remedies.compiled import compiled, vectorised
from workbench.remedies.memo import cached, memo, memoize, recalled, stored
from workbench.remedies.payoff import CallCosts, call_costs
from workbench.remedies.pools import asynchronous, free_threads, processes, subinterpreters, threads
from workbench.remedies.queued import celery, celery_on
from workbench.remedies.sequential import sequential, twin
from workbench.remedies.stampede import Stampede, stampede
from workbench.remedy import Remedy, Run, Traits, remedy

__all__ = [
    "CallCosts",
    "Remedy",
    "Run",
    "Stampede",
    "Traits",
    "asynchronous",
    "cached",
    "call_costs",
    "celery",
    "celery_on",
    "cluster",
    "cluster_at",
    "compiled",
    "free_threads",
    "memo",
    "memoize",
    "processes",
    "recalled",
    "remedy",
    "sequential",
    "stampede",
    "stored",
    "subinterpreters",
    "threads",
    "twin",
    "vectorised",
]
