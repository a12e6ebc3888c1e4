"""What keeps a request from changing anything but its copies: files, databases, mail, tasks and caches are guarded.

Guards stand before any code of the project runs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from typing import Any

from . import network, programs
from .refusals import count

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove": 1,
    "os.rename": 2,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.link": 2,
    "os.symlink": 2,
}
_DATABASES: set[str] = set()


def before_anything(private: str, allowed: list[str]) -> None:
    """Guard files, databases, mail, the network and other processes.

    ``private`` is the folder that may change, ``allowed`` are servers that may be asked, as ``HOST:PORT``.
    """
    tempfile.tempdir = private
    os.environ["TMPDIR"] = private
    sys.dont_write_bytecode = True
    _guard_files(private)
    for place in allowed:
        network.allow(place)
    network.guard()
    programs.guard()


def allow_database(path: str) -> None:
    """Let SQLite open this file."""
    _DATABASES.add(os.path.realpath(path))


def _guard_files(private: str) -> None:
    kept = (os.path.realpath(private) + os.sep, private + os.sep, "/dev/", "/proc/")

    def is_kept(path: Any) -> bool:
        if isinstance(path, int):
            return True
        text = os.path.abspath(os.fsdecode(path))
        return text.startswith(kept) or os.path.realpath(text).startswith(kept)

    def refuse(effect: str, path: Any) -> None:
        count(effect, os.fsdecode(path))
        raise PermissionError(f"the study keeps files as they are: {os.fsdecode(path)}")

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = set(mode) & set("wax+") if isinstance(mode, str) else (flags or 0) & _WRITES
            if writes and path is not None and not is_kept(path):
                refuse("files", path)
        elif event in _CHANGES:
            for path in args[: _CHANGES[event]]:
                if not is_kept(path):
                    refuse("files", path)
        elif event == "sqlite3.connect" and args:
            _check_database(args[0])

    sys.addaudithook(audit)


def _check_database(database: Any) -> None:
    if not isinstance(database, (str, bytes, os.PathLike)):
        return
    text = os.fsdecode(database)
    if text.startswith("file:"):
        text = text[5:].partition("?")[0]
        read_only = "mode=ro" in os.fsdecode(database)
    else:
        read_only = False
    if text in ("", ":memory:") or read_only or os.path.realpath(text) in _DATABASES:
        return
    if text.startswith(":memory:") or "mode=memory" in os.fsdecode(database):
        return
    count("databases", text)
    raise PermissionError(f"the study opens copies alone, not {text}")


def guard_settings(settings: Any, private: str) -> None:
    """Turn what settings name into private things, before ``django.setup()``."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    settings.CACHES = {
        alias: {
            **{key: known[key] for key in ("TIMEOUT", "VERSION", "KEY_PREFIX", "KEY_FUNCTION") if key in known},
            "BACKEND": "django.core.cache.backends.dummy.DummyCache"
            if "DummyCache" in str(known.get("BACKEND"))
            else "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": f"workbench-{alias}",
        }
        for alias, known in settings.CACHES.items()
    }
    if hasattr(settings, "TASKS"):
        settings.TASKS = {alias: {"BACKEND": "django.tasks.backends.dummy.DummyBackend"} for alias in settings.TASKS}
    handlers = (getattr(settings, "LOGGING", None) or {}).get("handlers", {})
    for handler in handlers.values():
        if "Stream" not in str(handler.get("class", "")):
            handler["class"] = "logging.NullHandler"
            for key in set(handler) - {"class", "level", "filters", "formatter"}:
                del handler[key]


def guard_django(private: str) -> None:
    """Count mail, tasks and ``on_commit``, and keep what is saved as a file in the private folder."""
    from django.core.files.storage import FileSystemStorage
    from django.core.mail.backends import dummy
    from django.db.backends.base.base import BaseDatabaseWrapper

    def send_messages(self: Any, messages: Any) -> int:
        sent = list(messages)
        for _ in sent:
            count("mail")
        return len(sent)

    dummy.EmailBackend.send_messages = send_messages
    on_commit = BaseDatabaseWrapper.on_commit

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        count("on_commit")
        return on_commit(self, *args, **options)

    BaseDatabaseWrapper.on_commit = counted
    BaseDatabaseWrapper.queries_logged = property(lambda self: False)
    _guard_storage(FileSystemStorage, os.path.join(private, "media"))
    _guard_celery()
    _guard_tasks()
    network.guard_drivers()


def _guard_storage(storage: Any, folder: str) -> None:
    saved: set[str] = set()
    path, save = storage.path, storage._save

    def private_path(self: Any, name: str) -> str:
        return os.path.join(folder, str(name).lstrip("/")) if name in saved else str(path(self, name))

    def private_save(self: Any, name: str, content: Any) -> Any:
        count("media")
        usual = self.location
        os.makedirs(folder, exist_ok=True)
        self.__dict__["location"] = folder
        try:
            kept = save(self, name, content)
        finally:
            self.__dict__["location"] = usual
        saved.add(kept)
        return kept

    def keep(self: Any, name: str) -> None:
        count("media")

    storage.path, storage._save, storage.delete = private_path, private_save, keep


def _guard_celery() -> None:
    try:
        from celery import Celery
        from celery.app.task import Task
        from celery.result import AsyncResult
    except ImportError:
        return

    def apply_async(self: Any, *args: Any, **options: Any) -> Any:
        count("tasks")
        return AsyncResult("00000000-0000-0000-0000-000000000000", app=getattr(self, "app", self))

    Task.apply_async = apply_async
    Celery.send_task = apply_async


def _guard_tasks() -> None:
    """Count Django's own tasks, of Django 6.0 and newer."""
    if not importlib.util.find_spec("django.tasks"):
        return
    from django.tasks.backends.dummy import DummyBackend

    enqueue = DummyBackend.enqueue

    def enqueued(self: Any, *args: Any, **options: Any) -> Any:
        count("tasks")
        result = enqueue(self, *args, **options)
        self.results.clear()
        return result

    DummyBackend.enqueue = enqueued
