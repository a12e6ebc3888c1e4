"""Makes every cache there is from its kind and where it is; in tests, and in the processes that they start."""

import hashlib
from urllib.parse import urlsplit

from workbench import caches

#: The server behind a kind of cache.
SERVERS = {
    "redis": "redis",
    "memcached": "memcached",
    "django redis": "redis",
    "django memcached": "memcached",
    "django postgresql": "postgresql",
}
ON_DISK = ["joblib", "sqlite", "django file", "django sqlite"]
SHARED = [*ON_DISK, *SERVERS]
KINDS = ["memory", "django locmem", *SHARED]

#: How long a server may take: on a busy machine one that is well may not answer sooner.
PATIENCE_S = 30.0


def make_backend(kind, folder, url, timeout_s=PATIENCE_S):
    """Return a backend: of its own in this folder, or on the server at this URL."""
    if kind == "memory":
        return caches.Memory()
    if kind == "joblib":
        return caches.Joblib(folder)
    if kind == "sqlite":
        return caches.SQLite(f"{folder}/cache.sqlite", timeout_s=timeout_s)
    if kind == "redis":
        return caches.Redis(url, timeout_s)
    if kind == "memcached":
        return caches.Memcached(url, timeout_s)
    return caches.Django(_django_alias(kind.removeprefix("django "), folder, url, timeout_s), timeout_s)


class Router:
    """Sends the model behind a cache to the database that is called as its table."""

    def db_for_read(self, model, **hints):
        return model._meta.db_table

    db_for_write = db_for_read


def _django_alias(kind, folder, url, timeout_s):
    import django
    from django.conf import settings
    from django.core.cache import caches as handler
    from django.core.management import call_command
    from django.db import connections

    if not settings.configured:
        settings.configure(DATABASES={"default": {}}, DATABASE_ROUTERS=[Router()], USE_TZ=True)
        django.setup()
    alias = "cache_" + hashlib.sha256(f"{kind} {folder} {url}".encode()).hexdigest()[:12]
    backends, many = "django.core.cache.backends", {"MAX_ENTRIES": 100_000}
    if kind == "locmem":
        handler.settings[alias] = {"BACKEND": f"{backends}.locmem.LocMemCache", "LOCATION": alias, "OPTIONS": many}
    elif kind == "file":
        location = f"{folder}/django"
        handler.settings[alias] = {
            "BACKEND": f"{backends}.filebased.FileBasedCache",
            "LOCATION": location,
            "OPTIONS": many,
        }
    elif kind in ("redis", "memcached"):
        handler.settings[alias] = caches.django_options(url, timeout_s)
    elif alias not in handler.settings:
        database = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{folder}/django.sqlite",
            "OPTIONS": {"timeout": timeout_s, "transaction_mode": "IMMEDIATE"},
        }
        if kind == "postgresql":
            at = urlsplit(url)
            database = {"ENGINE": "django.db.backends.postgresql", "HOST": at.hostname, "PORT": at.port}
            database |= {"USER": at.username, "PASSWORD": at.password, "NAME": at.path[1:]}
        connections.settings[alias] = connections.configure_settings({"default": {}, alias: database})[alias]
        handler.settings[alias] = {"BACKEND": f"{backends}.db.DatabaseCache", "LOCATION": alias, "OPTIONS": many}
        call_command("createcachetable", alias, database=alias, verbosity=0)
    return alias
