"""Where the workbench keeps what it may need again."""

from __future__ import annotations

import os
from pathlib import Path


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
