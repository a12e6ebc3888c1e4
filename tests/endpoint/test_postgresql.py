"""A study of a project whose database is PostgreSQL."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import planted_labels
import psycopg
import pytest
from planted_labels import SITE

from workbench import TaskError, UsageError, study_endpoint
from workbench.services import Service

pytestmark = [pytest.mark.slow, pytest.mark.service]


@pytest.fixture(scope="module")
def site(
    shared_service: Callable[[str], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, str]]]:
    """The server that holds the planted site's rows, and the site's variables: no test changes the rows."""
    server = shared_service("postgresql").url
    with planted_labels.on_postgresql(server, tmp_path_factory.mktemp("planted")) as env:
        yield server, env


@pytest.fixture
def url(site: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of the planted site, whose variables are set."""
    server, env = site
    for name in env.keys() - {"PYTHONPATH", "DJANGO_SETTINGS_MODULE"}:
        monkeypatch.setenv(name, env[name])
    monkeypatch.setenv("PLANTED_UPSTREAM", "http://127.0.0.1:9")
    return server


def state_of(url: str) -> tuple[list[object], list[object], str]:
    """Return a server's databases and roles, and all that the site's database holds."""
    with psycopg.connect(url) as connection:
        databases = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        roles = connection.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
    pg_dump = shutil.which("pg_dump")
    assert pg_dump
    place = psycopg.conninfo.make_conninfo(url, dbname="planted_shop")
    dump = subprocess.run([pg_dump, "-d", place], capture_output=True, text=True, check=True).stdout
    return databases, roles, "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))


def test_a_study_finds_the_fault_on_a_copy_and_leaves_the_server_as_it_was(url: str) -> None:
    before = state_of(url)
    study = study_endpoint(SITE, "/orders/recent/", python=sys.executable, budget_s=10)
    found = next(one for one in study.findings if one.kind == "n_plus_one_fk")
    assert (study.queries, found.queries_after, found.same_answer) == (201, 1, True)
    assert found.verdict in ("pays", "can't be tried")  # the latter where a busy machine left too little time
    assert study.copy_s > 0
    assert state_of(url) == before


def test_a_quick_page_that_connects_each_time_is_told_to_keep_its_connection(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_CONN_MAX_AGE", "0")
    study = study_endpoint(SITE, "/orders/any-open/fixed/", python=sys.executable, budget_s=5)
    kept = next(one for one in study.findings if one.kind == "reconnects")
    assert (kept.same_answer, 'DATABASES["default"]' in kept.fix) == (True, True)
    assert kept.verdict in ("pays", "can't be tried")
    assert Path(kept.file).name == "settings.py"


def test_read_only_connections_study_the_database_itself(url: str) -> None:
    before = state_of(url)
    study = study_endpoint(SITE, "/orders/recent/", python=sys.executable, database="readonly", budget_s=5)
    assert (study.queries, study.findings[0].kind) == (201, "n_plus_one_fk")
    assert state_of(url) == before


def test_a_database_that_is_only_read_is_not_to_be_unlocked(url: str) -> None:
    before = state_of(url)
    with pytest.raises(TaskError, match="the view writes to the database, which the study refuses"):
        study_endpoint(SITE, "/traffic/unlocks/", python=sys.executable, database="readonly", budget_s=1)
    assert state_of(url) == before


def test_a_copy_leads_nowhere(url: str, tmp_path: Path) -> None:
    place = psycopg.conninfo.make_conninfo(url, dbname="planted_shop")
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgres_fdw")
        connection.execute("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'postgres')")
    before = state_of(url)
    with pytest.raises(TaskError, match="answers 500"):
        study_endpoint(SITE, f"/traffic/starts-a-program/?file={tmp_path / 'file'}", python=sys.executable, budget_s=1)
    assert (state_of(url), (tmp_path / "file").exists()) == (before, False)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("DROP EXTENSION postgres_fdw CASCADE")


def test_a_server_that_does_not_answer_is_told_in_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_PG_PORT", "9")
    with pytest.raises(Exception, match=r"the database can't be copied: .* pass --database readonly") as told:
        study_endpoint(SITE, "/orders/recent/", python=sys.executable, budget_s=5)
    assert not isinstance(told.value, UsageError)
    assert "\n" not in str(told.value)
