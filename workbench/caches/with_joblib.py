"""A cache in a joblib store: joblib's folders, atomic writes and limits, without its pickles."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.caches.backend import Backend
from workbench.errors import UsageError

FOLDER = "workbench-caches"
#: Before the bytes: when they end, the length of their name, and the name.
HEAD = struct.Struct("<dH")


class Joblib(Backend):
    """Files in a joblib store, for the processes of one machine; `joblib.Memory.reduce_size` sees them as its own.

    Parameters
    ----------
    folder
        The store's; a `joblib.Memory` may share it.

    Raises
    ------
    UsageError
        The folder can't be written.

    Examples
    --------
    >>> files = Joblib(tmp)
    >>> files.set("a", b"1", None)
    >>> Joblib(tmp).get("a")
    b'1'
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._store = _bytes_store()
        self._folder = Path(folder, "joblib", FOLDER)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"can't make the cache folder {folder}: {reason}; pass another folder") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise UsageError(f"can't write to the cache folder {folder}; pass another folder")
        self._store.configure(str(Path(folder, "joblib")), verbose=0, backend_options={})

    def __repr__(self) -> str:
        return f"the joblib store {self._folder.parent.parent}"

    def get(self, name: str) -> bytes | None:
        try:
            return _unpack(name, self._store.load_item(_call_id(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def set(self, name: str, data: bytes, ttl_s: float | None) -> None:
        ends_s = math.inf if ttl_s is None else time.time() + ttl_s
        named = name.encode()
        self._store.dump_item(_call_id(name), HEAD.pack(ends_s, len(named)) + named + data)

    def add(self, name: str, data: bytes, ttl_s: float | None) -> bool:
        with open(self._folder / "lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go of when the file is closed, or its holder dies
            if self.get(name) is not None:
                return False
            self.set(name, data, ttl_s)
            return True

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._store.clear_item(_call_id(name))

    def clear(self, prefix: str) -> None:
        for item in self._folder.glob("*/output.pkl"):
            with contextlib.suppress(FileNotFoundError), item.open("rb") as file:
                _, length = HEAD.unpack(file.read(HEAD.size).ljust(HEAD.size, b"\0"))
                if file.read(length).startswith(prefix.encode()):
                    self._store.clear_item((self._folder.name, item.parent.name))


def _bytes_store() -> Any:
    """Return joblib's store on disk, for bytes: reading it runs nothing, whatever somebody put there."""
    from joblib.memory import FileSystemStoreBackend

    class BytesStore(FileSystemStoreBackend):  # type: ignore[misc]
        def load_item(self, call_id: Sequence[str], **ignored: Any) -> bytes:
            with open(os.path.join(self.location, *call_id, "output.pkl"), "rb") as file:
                return file.read()

        def dump_item(self, call_id: Sequence[str], item: bytes, verbose: int = 1) -> None:
            folder = os.path.join(self.location, *call_id)
            self.create_location(folder)
            self._concurrency_safe_write(item, os.path.join(folder, "output.pkl"), _write)

    return BytesStore()


def _write(data: bytes, path: str) -> None:
    Path(path).write_bytes(data)


def _call_id(name: str) -> tuple[str, str]:
    # joblib takes a folder for one of its own by the 32 digits.
    return FOLDER, hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _unpack(name: str, data: bytes) -> bytes | None:
    """Return what was kept under a name; None if it has ended or is cut short, or if it is another's."""
    if len(data) < HEAD.size:
        return None
    ends_s, length = HEAD.unpack_from(data)
    start = HEAD.size + length
    if data[HEAD.size : start] != name.encode() or ends_s <= time.time():
        return None
    return data[start:]
