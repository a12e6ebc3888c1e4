"""Caches of one contract: `Cache` holds the rules, a backend holds the bytes.

================ ======================================================= ===================
backend          where                                                   shared by
================ ======================================================= ===================
`Memory`         this process: the latest used values                    threads
`Joblib`         files in a joblib store                                 processes
`SQLite`         one file                                                processes
`Redis`          a Redis server                                          machines
`Memcached`      a Memcached server                                      machines
`Django`         what Django's setting ``CACHES`` names                  as that
`TwoTier`        memory in front of another one, told of others' writes  as that
================ ======================================================= ===================

RabbitMQ is no cache but a message broker: here it carries the announcements of `TwoTier`.
"""

from workbench.caches.aio import AsyncCache
from workbench.caches.announcer import Announcer
from workbench.caches.backend import Backend
from workbench.caches.cache import Cache, CacheCounts, Hit
from workbench.caches.memory import Memory
from workbench.caches.timing import CacheTiming, Call, time_cache, watch_calls
from workbench.caches.two_tier import TwoTier
from workbench.caches.with_django import Django, django_options
from workbench.caches.with_joblib import Joblib
from workbench.caches.with_memcached import Memcached
from workbench.caches.with_redis import Redis
from workbench.caches.with_sqlite import SQLite

__all__ = [
    "Announcer",
    "AsyncCache",
    "Backend",
    "Cache",
    "CacheCounts",
    "CacheTiming",
    "Call",
    "Django",
    "Hit",
    "Joblib",
    "Memcached",
    "Memory",
    "Redis",
    "SQLite",
    "TwoTier",
    "django_options",
    "time_cache",
    "watch_calls",
]
