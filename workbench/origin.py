"""Whose code a file is: the user's own, an installed package's, the standard library's, or ours.

>>> is_users("task.py"), is_users(json_file := __import__("json").__file__), package_of(json_file)
(True, False, '')
"""

from __future__ import annotations

import os
import re
import site
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar


def _folders(*more: str) -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {*site.getsitepackages(), site.getusersitepackages(), *(paths[name] for name in ("purelib", "platlib"))}
    folders |= {paths[name] for name in more}
    return tuple(folder.rstrip("/") + "/" for folder in folders)


_HERE = Path(__file__).parent
#: The files whose frames are around a task's own when it is diagnosed.
OWN_CODE = (
    str(_HERE / "diagnosis") + os.sep,
    *(str(_HERE / name) for name in ("magics.py", "light.py", "coroutines.py")),
)
_PACKAGES = _folders()
_LIBRARIES = (*_folders("stdlib", "platstdlib"), *OWN_CODE)


#: Where other interpreters keep theirs.
_ELSEWHERE = re.compile(r"/lib(64)?/python\d[\d.]*t?/|/(site|dist)-packages/")


class _InFile(Protocol):
    @property
    def file(self) -> str: ...


_Place = TypeVar("_Place", bound=_InFile)


def is_users(file: str) -> bool:
    """Say whether a file is the user's own code, rather than an installed package or the standard library."""
    if file.startswith("<"):
        return not file.startswith("<frozen")
    return not file.startswith(_LIBRARIES) and not _ELSEWHERE.search(file)


def package_of(file: str) -> str:
    """Return the folder, or the file, right below where packages are installed; empty for any other file."""
    below = next((folder for folder in _PACKAGES if file.startswith(folder)), "")
    return below + file.removeprefix(below).partition("/")[0] if below and not file.startswith(OWN_CODE) else ""


def innermost(places: Iterable[_Place]) -> _Place | None:
    """Return the innermost place in the user's own code, of places from the innermost on.

    Code that was made from a string is told at the user's line that called it, if that stands in a file: libraries make
    such code, as dataclasses do. Where all is library code, that is the code of the package that was started; else the
    innermost of all, if any. Code of ours is nobody's.
    """
    listed = [place for place in places if not place.file.startswith(OWN_CODE)]
    users = [place for place in listed if is_users(place.file)]
    if users:
        return next((place for place in users if not place.file.startswith("<")), users[0])
    started = next((package for place in reversed(listed) if (package := package_of(place.file))), "")
    own = (place for place in listed if started and package_of(place.file) == started)
    return next(own, listed[0] if listed else None)
