"""What keeps a request from changing anything but its copies: files, databases, mail, tasks and caches are guarded.

Guards stand before any code of the project runs.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import sys
import tempfile
from typing import Any, Callable, Optional
from urllib.parse import parse_qs, unquote

from . import network, programs
from .refusals import RefusedAct, count

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Which arguments name an entry of a folder that is made or taken away, each with the one that names the folder which a
#: relative path begins at; and which a file whose content, rights or times may change.
_ENTRIES = {
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
}
_CONTENTS = {
    "os.truncate": (0, None),
    "os.link": (0, 2),
    "os.chmod": (0, 2),
    "os.chown": (0, 3),
    "os.utime": (0, 3),
    "os.chflags": (0, None),
    "os.setxattr": (0, None),
    "os.removexattr": (0, None),
}
#: Devices that keep nothing.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")
_DATABASES: set[str] = set()
#: Of the limits of a connection, the one to other databases that it may open besides.
_SQLITE_LIMIT_ATTACHED = 7
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
        text = f"/proc/self/fd/{path}" if isinstance(path, int) else os.path.abspath(os.fsdecode(path))
        if text in _DEVICES:
            return True
        folder, name = os.path.split(text)
        place = os.path.join(os.path.realpath(folder), name)
        # What is in memory alone is gone with us.
        return ((place if entry else os.path.realpath(place)) + os.sep).startswith((kept, "/memfd:"))

    def refuse(path: Any) -> None:
        count("files", os.fsdecode(path) if not isinstance(path, int) else "a file")
        place = os.fsdecode(path)
        raise RefusedAct(f"the study keeps files as they are: {place}", asks=place, does="writes to")

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = set(mode) & set("wax+") if isinstance(mode, str) else (flags or 0) & _WRITES
            if writes and path is not None and not isinstance(path, int):
                may_change(path)
        elif event in _ENTRIES or event in _CONTENTS:
            for number, folder in _ENTRIES.get(event, ()):
                place = _from(args[number], args[folder])
                if not is_private(place, entry=True):
                    refuse(place)
            if event in _CONTENTS:
                named, begins = _CONTENTS[event]
                may_change(args[named] if begins is None else _from(args[named], args[begins]))
        elif event == "socket.bind" and isinstance(args[1], (str, bytes)) and args[1][:1] not in ("", "\0", b"", b"\0"):
            if not is_private(args[1], entry=True):
                refuse(args[1])
        elif event == "sqlite3.connect" and args:
            _check_database(args[0])

    def may_change(path: Any) -> None:
        if is_private(path):
            return
        if isinstance(path, int) or not is_private(path, entry=True):
            refuse(path)
        _detach(os.fsdecode(path))

    sys.addaudithook(audit)
    _guard_unseen(is_private, refuse)


def _from(path: Any, folder: Any) -> Any:
    """Return a path that begins at an open folder as one that begins at the root."""
    if isinstance(path, int) or not isinstance(folder, int) or folder < 0:
        return path
    return os.path.join(os.path.realpath(f"/proc/self/fd/{folder}"), os.fsdecode(path))


def _guard_unseen(is_private: Callable[..., bool], refuse: Callable[[Any], None]) -> None:
    """Guard what no audit event tells, or not wholly: files that begin at an open folder, pipes, the system's log."""
    plain = os.open

    def open_(path: Any, flags: int, mode: int = 0o777, *, dir_fd: Optional[int] = None) -> int:
        if dir_fd is not None and flags & _WRITES and not is_private(_from(path, dir_fd)):
            refuse(_from(path, dir_fd))
        return plain(path, flags, mode, dir_fd=dir_fd)

    os.open = open_
    for name in ("mkfifo", "mknod"):
        make = getattr(os, name, None)
        if make is not None:

            def made(path: Any, *args: Any, make: Any = make, dir_fd: Optional[int] = None, **options: Any) -> Any:
                place = _from(path, dir_fd)
                if not is_private(place, entry=True):
                    refuse(place)
                return make(path, *args, dir_fd=dir_fd, **options)

            setattr(os, name, made)
    for name in ("fchmod", "fchown"):
        change = getattr(os, name, None)
        if change is not None:

            def changed(fd: int, *args: Any, change: Any = change) -> Any:
                if not is_private(fd):
                    refuse(fd)
                return change(fd, *args)

            setattr(os, name, changed)
    connect = sqlite3.connect

    def alone(*args: Any, **options: Any) -> Any:
        """Open a database that can't open others besides."""
        found = connect(*args, **options)
        if hasattr(found, "setlimit"):
            found.setlimit(_SQLITE_LIMIT_ATTACHED, 0)
        return found

    sqlite3.connect = sqlite3.dbapi2.connect = alone
    try:
        import syslog
    except ImportError:
        return

    def log(*_: Any) -> None:
        count("log")

    syslog.syslog = log  # type: ignore[assignment]


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
    mode = ""
    if text.startswith("file:"):
        text, _, query = text[5:].partition("?")
        text, modes = unquote(text), parse_qs(query).get("mode", [""])
        mode = modes[0] if len(modes) == 1 else ""
    if text in ("", ":memory:") or mode in ("ro", "memory") or os.path.realpath(text) in _DATABASES:
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
        """Delete what was saved during the study alone."""
        count("media")
        if name in saved:
            saved.discard(name)
            os.unlink(os.path.join(folder, str(name).lstrip("/")))

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
