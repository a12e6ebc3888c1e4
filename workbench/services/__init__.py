"""Real servers as child processes: Redis, Memcached, RabbitMQ, PostgreSQL and nginx.

Each runs on a free port of this machine only, or a Unix socket, with a folder of its own, as root or not. No other user
of the machine gets in: the URL holds a password that is new every time. It ends with the ``with`` block, and also when
this process is killed. A server of your own is used instead where its variable names one:
``REDIS_URL``, ``MEMCACHED_URL``, ``RABBITMQ_URL``, ``DATABASE_URL`` (PostgreSQL) or ``NGINX_URL``.

>>> from workbench import services
>>> with services.start("redis") as redis:
...     redis.url
'redis://:...@127.0.0.1:.../0'
"""

from workbench.services.api import Found, find, running, start
from workbench.services.service import Service

__all__ = ["Found", "Service", "find", "running", "start"]
