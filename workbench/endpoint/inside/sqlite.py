"""How a SQLite database is opened so that reading it leaves nothing behind."""

from __future__ import annotations

import os


def reading_mode(path: str) -> str:
    """Return the words of a URI by which a database is only read.

    One that keeps a log (WAL) would get its log's files by mere reading, where they are not there: then nobody writes,
    and it may be taken for one that does not change. Of any other somebody may write, and its locks count.
    """
    with open(path, "rb") as file:
        in_wal = file.read(20)[18:19] == b"\x02"
    return "mode=ro&immutable=1" if in_wal and not os.path.exists(f"{path}-wal") else "mode=ro"
