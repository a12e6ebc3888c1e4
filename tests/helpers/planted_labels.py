"""The planted site: where its faults are, and how it is set up and asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: The folder of the site's manage.py.
SITE = Path(__file__).parent.parent / "endpoint" / "planted"
SETTINGS = "shop_site.settings"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A page with one fault, and the twin that was written by hand without it.

    Attributes
    ----------
    name, path, fixed
        Its name, the page, and its twin, which gives the same answer; it may be the same path with other settings.
    area, kind
        Which of the areas it belongs to, and the kind of the fault.
    file, line_marker
        The file from the site's folder, and what stands in the line where the fix is made.
    access_file, access_marker
        Another line of Python that is right to name: it touches the rows, or asks for them, or is what is costly.
    template, template_line_marker, template_access_markers
        The template and what stands in its line, where a template causes it; other lines of it that are right to name.
    user
        Who must be logged in; empty for nobody.
    settings, fixed_settings
        The settings that have the fault, and those of the twin.
    queries_before, queries_after
        Queries of a warm request.
    also
        Kinds that would be right as well: an expensive public page can be cached too.
    """

    name: str
    path: str
    fixed: str
    area: str
    kind: str
    file: str
    line_marker: str
    queries_before: int
    queries_after: int
    access_file: str = ""
    access_marker: str = ""
    template: str = ""
    template_line_marker: str = ""
    template_access_markers: tuple[str, ...] = ()
    user: str = ""
    settings: str = SETTINGS
    fixed_settings: str = SETTINGS
    also: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """The line of the fix."""
        return line_of(self.file, self.line_marker)

    @property
    def lines(self) -> set[tuple[str, int]]:
        """Each file and line of Python that is right to name."""
        access = {(self.access_file, line_of(self.access_file, self.access_marker))} if self.access_marker else set()
        return {(self.file, self.line), *access}

    @property
    def template_line(self) -> int:
        """The line of the template, 0 where no template causes it."""
        return line_of(self.template, self.template_line_marker) if self.template else 0

    @property
    def template_lines(self) -> set[int]:
        """Each line of the template that is right to name."""
        markers = (self.template_line_marker, *self.template_access_markers)
        return {line_of(self.template, marker) for marker in markers} if self.template else set()


@dataclass(frozen=True, kw_only=True)
class Control:
    """A page in which nothing of importance is wrong, though it may look so."""

    name: str
    path: str
    why_fine: str
    queries: int
    user: str = ""
    settings: str = SETTINGS
    also: tuple[str, ...] = ()


def line_of(file: str, marker: str) -> int:
    """Return the number of the one line of a file of the site that ends its code with a marker."""
    text = (SITE / file).read_text()
    found = [number for number, line in enumerate(text.splitlines(), 1) if holds(line, marker)]
    if len(found) != 1:
        raise ValueError(f"{file} has {marker!r} in lines {found}: it must stand in one")
    return found[0]


def holds(line: str, marker: str) -> bool:
    """Say whether a line has just this marker, and not a longer one that begins with it."""
    _, found, rest = line.partition(marker)
    return bool(found) and (not rest or not (rest[0].isalnum() or rest[0] == "_"))


def labels() -> tuple[list[Fault], list[Control]]:
    """Return the faults and the controls of the site."""
    table = tomllib.loads((SITE / "labels.toml").read_text())

    def fixed(entry: dict[str, Any]) -> dict[str, Any]:
        return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}

    return [Fault(**fixed(entry)) for entry in table["fault"]], [Control(**fixed(entry)) for entry in table["control"]]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the variables with which the site keeps its database in a folder."""
    sqlite = {
        "PLANTED_SQLITE": str(folder / "shop.sqlite3"),
        "PYTHONPATH": str(SITE),
        "DJANGO_SETTINGS_MODULE": SETTINGS,
    }
    return {**os.environ, **sqlite, **more}


def set_up(env: Mapping[str, str], *, visits: int = 100_000) -> None:
    """Make the site's tables, and fill them with the same rows every time."""
    manage(env, "migrate", "-v0")
    manage(env, "seed", f"--visits={visits}")


def manage(env: Mapping[str, str], *words: str) -> None:
    """Run the site's manage.py."""
    subprocess.run([sys.executable, str(SITE / "manage.py"), *words], env=env, check=True, capture_output=True)


@contextmanager
def on_postgresql(url: str, folder: Path) -> Iterator[dict[str, str]]:
    """Fill the site's tables in a database of a server, with few visits; the block gets the site's variables."""
    import psycopg

    server = urlsplit(url)
    where = {"HOST": server.hostname, "PORT": server.port, "USER": server.username, "PASSWORD": server.password}
    env = environment(folder, **{f"PLANTED_PG_{name}": str(value) for name, value in where.items()})
    env["PLANTED_PG_NAME"] = "planted_shop"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE planted_shop")
        try:
            set_up(env, visits=5_000)
            yield env
        finally:
            connection.execute("DROP DATABASE planted_shop WITH (FORCE)")


@contextmanager
def warehouse(*, latency_ms: float = 20) -> Iterator[str]:
    """Run the service that the site asks; the block gets its address, for ``PLANTED_UPSTREAM``."""
    env = {**os.environ, "PLANTED_LATENCY_MS": str(latency_ms)}
    command = [sys.executable, str(SITE / "upstream.py")]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def ask(env: Mapping[str, str], pages: list[tuple[str, str]], *, settings: str = SETTINGS) -> list[dict[str, Any]]:
    """Return what a warm site answers to each path and user; see `planted_answers`."""
    command = [sys.executable, str(Path(__file__).with_name("planted_answers.py"))]
    env = {**env, "DJANGO_SETTINGS_MODULE": settings}
    found = subprocess.run(command, env=env, input=json.dumps(pages), stdout=subprocess.PIPE, check=True, text=True)
    answers: list[dict[str, Any]] = json.loads(found.stdout)
    return answers
