"""Where the workbench keeps what it may need again, and who works in a folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from workbench.masking import masked


def cache_folder() -> Path:
    """Return the folder for caches: ``$WORKBENCH_CACHE_DIR``, else ``workbench`` in the user's cache folder.

    The user's cache folder is ``$XDG_CACHE_HOME``, else ``~/.cache`` (XDG Base Directory Specification). It may not
    exist yet.

    Examples
    --------
    >>> import os
    >>> os.environ["WORKBENCH_CACHE_DIR"] = str(tmp)
    >>> cache_folder() == tmp
    True
    >>> del os.environ["WORKBENCH_CACHE_DIR"]
    """
    if own := os.environ.get("WORKBENCH_CACHE_DIR"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "workbench"


def keep_log(name: str, text: str) -> str:
    r"""Keep a log where it outlives its folder, for nobody else to read; say in a line what was said last, and where.

    Examples
    --------
    >>> import os
    >>> os.environ["WORKBENCH_CACHE_DIR"] = str(tmp)
    >>> keep_log("redis", "ready\nno memory left\n")
    "it said last 'no memory left' (log: .../logs/redis.log)"
    >>> del os.environ["WORKBENCH_CACHE_DIR"]
    """
    text = masked(text.strip())
    kept = cache_folder() / "logs" / f"{name}.log"
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(kept, text + "\n")
    return f"it said last {text.splitlines()[-1].strip() if text else 'nothing'!r} (log: {kept})"


def write_private(path: Path, text: str) -> None:
    """Write a file that other users can't read, whatever the umask.

    Examples
    --------
    >>> write_private(tmp / "key", "secret")
    >>> oct((tmp / "key").stat().st_mode & 0o777)
    '0o600'
    """
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


class Presence:
    """A process's presence in a folder that several work in, which the kernel ends however the process does.

    Parameters
    ----------
    folder
        On a file system of this machine; it must exist.

    Examples
    --------
    >>> here, there = Presence(tmp), Presence(tmp)
    >>> here.is_last()
    False
    >>> there.end()
    >>> here.is_last()
    True
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._folder, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Say whether nobody else is there; who asks counts no longer for the others, so one of them is the last."""
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def end(self) -> None:
        """End it."""
        os.close(self._folder)
