"""Queues of one contract: ``submit``, ``map``, ``result``, retries, keys, dead letters, progress and a graceful stop.

=============== =======================================================================================
`CeleryQueue`   Celery's workers over RabbitMQ or Redis; loses no task, whoever is killed
`AsyncioQueue`  an event loop in this process, for coroutine functions
`ProcessQueue`  a pool of processes, for functions that compute
=============== =======================================================================================

A queue is for work that must be done though processes die, or that must not be waited for. Where neither matters a pool
or an event loop does the same work for less: see what each costs in ``notebooks/07-queues.ipynb``.
"""

from workbench.queues.contract import DeadLetter, Handle, Progress, Queue
from workbench.queues.in_process import AsyncioQueue, ProcessQueue
from workbench.queues.timing import QueueTiming, time_queue
from workbench.queues.with_celery import CeleryQueue

__all__ = [
    "AsyncioQueue",
    "CeleryQueue",
    "DeadLetter",
    "Handle",
    "ProcessQueue",
    "Progress",
    "Queue",
    "QueueTiming",
    "time_queue",
]
