"""Copies of the project's databases: what is studied is always a copy, in a private folder that goes with us."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from workbench import light, services
from workbench.endpoint.inside.sqlite import reading_mode
from workbench.errors import TaskError, UsageError
from workbench.masking import masked
from workbench.services import Service

#: What a child is told to connect to, by alias: settings of Django's ``DATABASES``.
Places = dict[str, dict[str, str]]
Databases = Mapping[str, Mapping[str, str]]


#: What makes a copy harmless: nothing in it leads to another server, and who works on it may do nothing outside it.
_HARMLESS = """
DO $harmless$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT srvname FROM pg_foreign_server LOOP
        EXECUTE format('DROP SERVER %I CASCADE', one.srvname);
    END LOOP;
    DROP EXTENSION IF EXISTS dblink CASCADE;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'workbench_copy') THEN
        CREATE ROLE workbench_copy LOGIN PASSWORD '{password}';
    END IF;
    FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO workbench_copy', one.nspname);
    END LOOP;
    FOR one IN
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'e', 'i')
                        AND d.classid = 'pg_class'::regclass AND (c.relkind = 'S' OR d.deptype = 'e'))
    LOOP
        EXECUTE format('ALTER TABLE %I.%I OWNER TO workbench_copy', one.nspname, one.relname);
    END LOOP;
END $harmless$
"""


class PrivateFolder:
    """A temporary folder, closed to others, that is removed however this process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="workbench-endpoint-")).resolve()
        self._minder = subprocess.Popen(
            light.command("workbench.services.minder", str(self.path), str(os.getpid())),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder."""
        assert self._minder.stdin is not None
        self._minder.stdin.close()
        self._minder.wait()


class Copies:
    """One copy of every database for each child that asks.

    Parameters
    ----------
    databases
        ``DATABASES`` of the project: ``ENGINE``, ``NAME`` and so on, by alias.
    folder
        Where the copies go.

    Raises
    ------
    UsageError
        A database that can't be copied.
    """

    def __init__(self, databases: Databases, folder: Path) -> None:
        self._folder = folder
        self._server: Service | None = None
        self._masters: dict[str, Path] = {}
        self._remote: dict[str, dict[str, str]] = {}
        self._owner: dict[str, str] = {}
        self._password = secrets.token_urlsafe(24)
        for alias, known in databases.items():
            engine = known["ENGINE"].rpartition(".")[2]
            if engine == "sqlite3":
                self._masters[alias] = _backup(known["NAME"], folder / f"{alias}.sqlite3")
            elif engine in ("postgresql", "psycopg2", "postgis"):
                self._remote[alias] = self._restored(alias, known)
            elif engine != "dummy":
                raise UsageError(f"a database of {engine} can't be copied: pass --database readonly")

    def places(self, child: str) -> Places:
        """Return the copies for a child: files of its own, and databases of a server of ours."""
        found: Places = {}
        for alias, master in self._masters.items():
            own = self._folder / f"{alias}-{child}.sqlite3"
            shutil.copyfile(master, own)
            own.chmod(0o600)
            found[alias] = {"NAME": str(own)}
        for alias, place in self._remote.items():
            found[alias] = {**place, "NAME": self._cloned(place, child)}
        return found

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()

    def _restored(self, alias: str, known: Mapping[str, str]) -> dict[str, str]:
        dump = self._folder / f"{alias}.dump"
        _run("pg_dump", ["-Fc", "--no-owner", "--no-privileges", "-f", str(dump), known["NAME"]], known)
        if self._server is None:
            self._server = services.start("postgresql", ours=True)
        url = urlsplit(self._server.url)
        place = {
            "NAME": f"copy_{alias}", "HOST": str(url.hostname), "PORT": str(url.port), "USER": str(url.username),
            "PASSWORD": str(url.password),
        }  # fmt: skip
        _run("createdb", [place["NAME"]], place)
        _run("pg_restore", ["--no-owner", "--no-privileges", "--exit-on-error", "-d", place["NAME"], str(dump)], place)
        _run("psql", ["-q", "-c", "ANALYZE", place["NAME"]], place)
        dump.unlink()
        harmless = _HARMLESS.format(password=self._password)
        _run("psql", ["-q", "-v", "ON_ERROR_STOP=1", "-c", harmless, place["NAME"]], place)
        self._owner = place
        return {**place, "USER": "workbench_copy", "PASSWORD": self._password}

    def _cloned(self, place: dict[str, str], child: str) -> str:
        name = f"{place['NAME']}_{child}"
        _run("createdb", ["-T", place["NAME"], "-O", place["USER"], name], self._owner)
        return name


def _backup(name: str, copy: Path) -> Path:
    """Copy a SQLite database as it is at one moment; the original is only read."""
    if name in ("", ":memory:") or "mode=memory" in name:
        raise UsageError("the database is in memory: nothing in it can be copied; pass --settings with one on disk")
    path = Path(unquote(name.removeprefix("file:").partition("?")[0]) if name.startswith("file:") else name)
    if not path.is_file():
        raise UsageError(f"there is no database {path}: run manage.py migrate first")
    mode = reading_mode(str(path))
    try:
        with (
            closing(sqlite3.connect(f"file:{_quoted(path)}?{mode}", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise TaskError(f"the database {path} can't be copied: {error}") from None
    copy.chmod(0o600)
    return copy


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _run(program: str, words: list[str], known: Mapping[str, str]) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment."""
    where = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    given = {variable: known[key] for variable, key in where.items() if known.get(key)}
    found = shutil.which(program) or _beside_server(program)
    if found is None:
        raise UsageError(f"{program} is not installed, so the database can't be copied: pass --database readonly")
    done = subprocess.run(
        [found, "--no-password", *words], env={**os.environ, **given}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = masked(done.stderr.strip().partition("\n")[0])
        raise TaskError(f"the database can't be copied: {said}; pass --database readonly to study it as it is")


def _beside_server(program: str) -> str | None:
    for found in services.find():
        if found.name == "postgresql" and found.program:
            beside = Path(found.program).with_name(program)
            return str(beside) if beside.is_file() else None
    return None
