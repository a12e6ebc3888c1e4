"""Pieces of the endpoint study by themselves: finding a project, masked answers, the syntax of what runs inside."""

import ast
import math
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import workbench.endpoint
from workbench import Finding, UsageError
from workbench.comparison.statistics import Interval
from workbench.endpoint.copies import Copies, PrivateFolder
from workbench.endpoint.findings import Candidate
from workbench.endpoint.inside.patches import _function_at
from workbench.endpoint.inside.places import SERIALIZER, USER, Places
from workbench.endpoint.inside.record import fingerprint
from workbench.endpoint.project import find_project
from workbench.endpoint.trials import _judged, has_waits, same_but_for_tokens, seconds_of

INSIDE = sorted((Path(workbench.endpoint.__file__).parent / "inside").glob("*.py"))
MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")'


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.name)
def test_what_runs_in_the_project_imports_the_standard_library_and_django_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            roots.add((node.module or "").partition(".")[0])
    assert roots - set(sys.stdlib_module_names) <= {"django", "rest_framework", "celery"}


def test_a_project_is_found_by_its_folder_or_its_file_with_its_own_interpreter(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manage.py").write_text(MANAGE)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    found = {find_project(path) for path in (tmp_path, tmp_path / "site", tmp_path / "site" / "manage.py")}
    assert [(one.folder, one.settings, one.python) for one in found] == [
        (tmp_path / "site", "shop.settings", str(python))
    ]
    assert find_project(tmp_path, settings="other").settings == "other"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no manage.py"),
        ({"manage.py": ""}, "names no DJANGO_SETTINGS_MODULE: pass --settings"),
        ({"a/manage.py": MANAGE, "b/manage.py": MANAGE}, "holds 2 projects"),
    ],
)
def test_what_is_no_project_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as refused:
        find_project(tmp_path)
    assert said in str(refused.value)


def test_a_copy_is_whole_and_the_database_in_wal_mode_gets_no_files_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    database = sqlite3.connect(path)
    database.executescript("pragma journal_mode=wal; create table t (n); insert into t values (1)")
    database.close()
    before = sorted(tmp_path.iterdir())
    with PrivateFolder() as folder:
        known = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}}
        place = Copies(known, folder.path).places("x")
        copy = sqlite3.connect(place["default"]["NAME"])
        assert copy.execute("select n from t").fetchall() == [(1,)]
        copy.close()
        assert folder.path.stat().st_mode & 0o077 == 0
    assert (sorted(tmp_path.iterdir()), folder.path.exists()) == (before, False)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"ENGINE": "django.db.backends.mysql", "NAME": "shop"}, "mysql can't be copied: pass --database readonly"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, "in memory"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "/no/db"}, "there is no database /no/db"),
    ],
)
def test_a_database_that_can_not_be_copied_is_one_line(tmp_path: Path, known: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Copies({"default": known}, tmp_path)
    assert said in str(refused.value)


def test_answers_are_the_same_but_for_tokens_in_which_bare_ones_differ() -> None:
    bare = [b'<input value="aXb"> 10 books', b'<input value="cYd"> 10 books']
    assert same_but_for_tokens(bare, b'<input value="eZf"> 10 books')
    assert not same_but_for_tokens(bare, b'<input value="eZf"> 9 books')
    assert not same_but_for_tokens(bare, b'<input value="eZf"> 10 books more')


def test_waits_count_where_even_the_least_disturbed_request_waits() -> None:
    disturbed = [(0.05, 0.02, 0.01), (0.021, 0.02, 0.0)]
    waiting = [(0.05, 0.02, 0.0), (0.051, 0.02, 0.001)]
    assert (has_waits(disturbed), has_waits(waiting)) == (False, True)
    assert seconds_of(disturbed, waits=False) == pytest.approx(0.04)
    assert seconds_of(waiting, waits=True) == pytest.approx(0.1)


def test_a_trial_that_time_cut_short_says_nothing_of_the_saving() -> None:
    asked = Finding(area="database", kind="n_plus_one_fk")
    arms: Any = SimpleNamespace(body_bytes=0, link_bits=1e6, wall_s=0.01)
    found = _judged(arms, asked, Candidate(finding=asked), Interval(3.0, 0.0, math.inf))
    assert (found.verdict, found.tried_ms, "larger --budget" in found.hazard) == ("can't be tried", None, True)


def test_fingerprints_hold_no_values() -> None:
    assert fingerprint("SELECT a FROM t WHERE b = 'it''s' AND c IN (%s, %s, %s) LIMIT 21") == (
        "SELECT a FROM t WHERE b = ? AND c IN (%s, …) LIMIT ?"
    )


def test_an_apps_lines_count_where_it_is_installed_and_frameworks_do_not() -> None:
    places = Places("/home/ann/site")
    places.use_apps(["django.contrib.auth", "rest_framework", "helpdesk.apps.Config"])
    lib = "/home/ann/.venv/lib/python3.11/site-packages"
    kinds = [
        places.kind(file)
        for file in ("/home/ann/site/views.py", f"{lib}/helpdesk/models.py", f"{lib}/rest_framework/serializers.py")
    ]
    assert kinds == [USER, USER, SERIALIZER]
    assert USER not in {places.kind(f"{lib}/requests/api.py"), places.kind(f"{lib}/django/db/models/query.py")}


def test_what_pays_was_tried_with_the_same_answer() -> None:
    with pytest.raises(ValueError, match="the same answer"):
        Finding(area="database", kind="n_plus_one_fk", verdict="pays")


def test_a_function_is_known_by_its_first_line_and_a_method_by_none() -> None:
    code = of_this_module.__code__
    assert _function_at([code.co_filename, code.co_firstlineno], "of_this_module") is of_this_module
    with pytest.raises(LookupError, match="keep what it returns by hand"):
        _function_at([code.co_filename, code.co_firstlineno + 1], "of_this_module")


def of_this_module() -> None: ...
