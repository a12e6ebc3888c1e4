"""What keeps a request from changing anything but its copies: files, databases, mail, tasks and caches are guarded.

Guards stand before any code of the project runs.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from typing import Any

from . import network, programs
from .refusals import RefusedAct, count

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Which arguments name an entry of a folder that is made or taken away, and which a file whose content may change.
_ENTRIES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
}
_CONTENTS = {"os.truncate": 0, "os.link": 0}
_DATABASES: set[str] = set()
#: So many media files can be deleted or replaced in the private folder; folders beyond that stay as they are.
MOST_MEDIA = 5_000


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
    kept = os.path.realpath(private) + os.sep

    def is_private(path: Any, entry: bool = False) -> bool:
        """Say whether a file, or the entry of a folder that names it, may change: links are followed."""
        if isinstance(path, int):
            return True
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        if folder.startswith(("/dev", "/proc")):
            return True
        place = os.path.join(os.path.realpath(folder), name)
        return (place if entry else os.path.realpath(place)).startswith(kept)

    def refuse(path: Any) -> None:
        count("files", os.fsdecode(path))
        place = os.fsdecode(path)
        raise RefusedAct(f"the study keeps files as they are: {place}", asks=place, does="writes to")

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = set(mode) & set("wax+") if isinstance(mode, str) else (flags or 0) & _WRITES
            if writes and path is not None and not is_private(path):
                if not is_private(path, entry=True):
                    refuse(path)
                _detach(os.fsdecode(path))
        elif event in _ENTRIES or event in _CONTENTS:
            for place in _ENTRIES.get(event, ()):
                if not is_private(args[place], entry=True):
                    refuse(args[place])
            if event in _CONTENTS and not is_private(args[_CONTENTS[event]]):
                refuse(args[_CONTENTS[event]])
        elif event == "sqlite3.connect" and args:
            _check_database(args[0])

    sys.addaudithook(audit)


def _detach(link: str) -> None:
    """Put a copy of a file in the place of a private link to it: the copy may change."""
    count("media")
    own = f"{link}.own"
    shutil.copyfile(link, own)
    os.replace(own, link)


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
    if settings.MEDIA_ROOT:
        settings.MEDIA_ROOT = _mirrored(os.fsdecode(settings.MEDIA_ROOT), os.path.join(private, "media"))
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


def _mirrored(folder: str, private: str) -> str:
    """Make a private folder that holds what another one holds, by links: what is made in it stays there."""
    os.makedirs(private, exist_ok=True)
    waiting, made = [(folder, private)], 0
    while waiting:
        theirs, ours = waiting.pop(0)
        for entry in os.scandir(theirs) if os.path.isdir(theirs) else ():
            made += 1
            place = os.path.join(ours, entry.name)
            if entry.is_dir() and made <= MOST_MEDIA:
                os.mkdir(place)
                waiting.append((entry.path, place))
            else:
                os.symlink(os.path.abspath(entry.path), place)
    return private


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
