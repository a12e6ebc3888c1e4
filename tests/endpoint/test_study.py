"""The endpoint study on a small project: what it finds, what it leaves as it was, what it refuses in one line."""

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from waiting import eventually

from workbench import EndpointStudy, UsageError, WorkbenchError, study_endpoint
from workbench.cli import main
from workbench.endpoint import api

PROJECT = Path(__file__).parent / "library"
VIEWS = PROJECT / "books" / "views.py"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("surroundings")]


def line_of(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def books(library: Path) -> EndpointStudy:
    os.environ.update(LIBRARY=str(library), LIBRARY_SECRET="of the library")
    return study_endpoint(library, "/books/", python=sys.executable, budget_s=8)


def test_a_relation_that_is_followed_book_by_book_is_found_and_joining_it_pays(
    books: EndpointStudy, library: Path
) -> None:
    found = next(one for one in books.findings if one.kind == "n_plus_one_fk")
    assert (found.file, found.line) == (str(library / "books/views.py"), line_of(VIEWS, '.order_by("pk")[:100]'))
    assert (Path(found.template).name, found.template_line) == ("books.html", 3)
    assert (found.queries_before, found.queries_after) == (101, 1)
    assert (found.verdict, found.same_answer, "select_related" in found.fix) == ("pays", True, True)
    assert found.tried_low is not None
    assert 0 < found.tried_low <= (found.tried_ms or 0) < books.wall_ms


def test_the_parts_add_up_to_the_wall_time_and_the_study_goes_to_json_and_back(books: EndpointStudy) -> None:
    assert sum(books.parts.values()) == pytest.approx(books.wall_ms)
    assert (books.status, books.queries, books.statements[0]["times"]) == (200, 101, 100)
    assert EndpointStudy.from_json(json.loads(json.dumps(books.to_json()))) == books
    assert "a query for each row (foreign key)" in books.summary()
    assert "'book" not in json.dumps(books.statements)


def test_a_page_without_the_fault_has_no_such_finding(library: Path) -> None:
    study = study_endpoint(library, "/fine/", python=sys.executable, budget_s=3)
    kinds = {one.kind for one in study.findings}
    assert (study.queries, kinds - {"uncached_view", "no_conditional", "no_compression"}) == (1, set())


def test_a_column_that_is_searched_without_an_index_is_found(library: Path) -> None:
    study = study_endpoint(library, "/shelf/", python=sys.executable, budget_s=5)
    found = next(one for one in study.findings if one.kind == "missing_index_filter")
    assert (found.line, found.same_answer) == (line_of(VIEWS, "shelf=7"), True)
    assert 'fields=["shelf"]' in found.fix


def test_effects_are_counted_and_nothing_of_the_users_changes(library: Path) -> None:
    before = files_of(library)
    study = study_endpoint(library, "/effects/", python=sys.executable, budget_s=2)
    assert {"mail", "media", "on_commit", "connections", "files"} <= set(study.effects)
    assert any("writes to the database" in note for note in study.notes)
    assert "uncached_view" not in {one.kind for one in study.findings}
    assert files_of(library) == before


def test_media_files_change_in_private_copies_alone(library: Path) -> None:
    covers = library / "media" / "covers"
    covers.mkdir(parents=True)
    for name in ("one", "two", "three", "four"):
        (covers / f"{name}.txt").write_text(name)
    before = files_of(library)
    try:
        study = study_endpoint(library, "/changes-media/", python=sys.executable, budget_s=2)
        assert (study.status, files_of(library)) == (200, before)
    finally:
        shutil.rmtree(library / "media")


def test_a_user_is_logged_in_by_a_session_of_the_copy(library: Path) -> None:
    study = study_endpoint(library, "/mine/", user="ann", python=sys.executable, budget_s=2)
    assert study.status == 200
    with sqlite3.connect(library / "db.sqlite3") as database:
        assert database.execute("select count(*) from django_session").fetchone() == (0,)


def test_a_function_that_does_not_know_whose_page_it_is_is_tried_behind_the_cache(library: Path) -> None:
    study = study_endpoint(library, "/weighed/", user="ann", python=sys.executable, budget_s=3)
    found = next(one for one in study.findings if one.kind == "uncached_fragment")
    assert (found.line, found.verdict, found.same_answer) == (line_of(VIEWS, "weights(3)"), "pays", True)
    assert found.fix.endswith('cache.get_or_set(f"weights {arguments}", lambda: weights(arguments), 60)')
    assert "counted with 80% hits" in found.hazard


def test_counts_of_what_is_related_are_made_by_one_query(library: Path) -> None:
    study = study_endpoint(library, "/counted/", python=sys.executable, budget_s=5)
    found = next(one for one in study.findings if one.kind == "n_plus_one_reverse")
    assert (found.queries_after, found.same_answer, 'annotate(Count("books"))' in found.fix) == (2, True, True)


def test_a_form_that_leads_to_another_page_is_studied(library: Path) -> None:
    study = study_endpoint(
        library, "/orders/", method="POST", data="name=Ada", python=sys.executable, budget_s=2, database="copy"
    )
    assert (study.status, study.queries >= 1) == (302, True)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_database_that_is_only_read_gets_nothing_beside_it(
    library: Path, tmp_path: Path, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(library, tmp_path / "own")
    monkeypatch.setenv("LIBRARY", str(tmp_path / "own"))
    with closing(sqlite3.connect(tmp_path / "own" / "db.sqlite3")) as database:
        database.execute(f"pragma journal_mode={journal}")
    before = files_of(tmp_path / "own")
    study = study_endpoint(tmp_path / "own", "/books/", python=sys.executable, database="readonly", budget_s=1)
    assert (study.queries, files_of(tmp_path / "own")) == (101, before)


def test_a_database_is_where_the_project_says_wherever_we_are(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library / "relative_settings.py").write_text(
        "from library_settings import *\nDATABASES['default']['NAME'] = 'db.sqlite3'\n"
    )
    with sqlite3.connect(tmp_path / "db.sqlite3") as database:
        database.execute("create table books_book (id)")
    monkeypatch.chdir(tmp_path)
    study = study_endpoint(library, "/books/", python=sys.executable, settings="relative_settings", budget_s=1)
    assert study.queries == 101


@pytest.mark.parametrize("after_s", [1.5, 4.0])
def test_an_interrupted_study_says_so_in_a_line(library: Path, tmp_path: Path, after_s: float) -> None:
    command = [sys.executable, "-m", "workbench", "endpoint", str(library), "/books/", "--python", sys.executable]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as study:
        time.sleep(after_s)
        os.killpg(study.pid, signal.SIGINT)
        said = study.communicate(timeout=30)
    assert (study.returncode, said) == (130, ("", "workbench: interrupted\n"))
    eventually(lambda: not list(tmp_path.glob("workbench-endpoint-*")))


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("/no/", {}, "/no/ answers 404"),
        ("/mine/", {}, "asks for a login: pass --user NAME"),
        ("/mine/", {"user": "bob"}, "there is no user 'bob'"),
        ("/books", {}, "/books redirects to /books/: pass that path"),
        ("/fails/", {}, "the view raises LookupError: no such shelf at "),
        ("/endless/", {}, "the answer did not end"),
        ("/saves-beside/", {}, "saved.txt, which the study refuses"),
        ("books/", {}, "is no path"),
        ("/books/", {"settings": "no.settings"}, "no.settings can't be imported"),
        ("/books/", {"python": "/no/python"}, "there is no interpreter"),
        ("/books/", {"python": "/etc/passwd"}, "/etc/passwd can't be run"),
        ("/books/", {"python": "/bin/ls"}, "the project's process ended with code 2"),
        ("/books/", {"user": ""}, "pass the name of a user"),
        ("/books/", {"method": "BR EAK"}, "pass GET, POST"),
        ("/books/\udcff", {}, "is no text in UTF-8"),
    ],
)
def test_what_can_not_be_studied_is_one_line(library: Path, path: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(WorkbenchError) as refused:
        study_endpoint(library, path, **{"python": sys.executable, **options})  # type: ignore[arg-type]
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('INSTALLED_APPS = [*INSTALLED_APPS, "no_such_app"]', "no_such_app is not installed for"),
        ("import os; os._exit(3)", "the project's process ended with code 3"),
        ("import sys; print('no license', file=sys.stderr); os._exit(4)", "ended with code 4: no license"),
        ("raise KeyError('API_KEY')", "ask for something: KeyError: 'API_KEY'"),
        ('DATABASES["default"]["NAME"] = ":memory:"', "the database is in memory: nothing in it can be copied"),
        ('DATABASES["default"]["NAME"] = FOLDER / "none.sqlite3"', "run manage.py migrate first"),
        ('DATABASES["default"]["NAME"] = FOLDER / "manage.py"', "can't be copied: file is not a database"),
        ('DATABASES["default"]["ENGINE"] = "django.db.backends.oracle"', "a database of oracle can't be copied"),
        ('ROOT_URLCONF = "no.urls"', "the project fails: ModuleNotFoundError: No module named 'no'"),
    ],
)
def test_settings_that_can_not_be_studied_are_one_line(library: Path, lines: str, said: str) -> None:
    (library / "odd_settings.py").write_text(f"import os\nfrom library_settings import *\n{lines}\n")
    with pytest.raises(WorkbenchError) as refused:
        study_endpoint(library, "/books/", python=sys.executable, settings="odd_settings")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_request_that_does_not_end_is_one_line(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LEAST_PATIENCE_S", 2.0)
    with pytest.raises(WorkbenchError, match=r"^the request did not end in 2 s: pass a larger"):
        study_endpoint(library, "/hangs/", python=sys.executable, budget_s=1)


def test_an_interpreter_without_django_is_named(library: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    with pytest.raises(UsageError, match=f"Django is not installed for {python}: pass --python"):
        study_endpoint(library, "/books/", python=python)


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no manage\.py"):
        study_endpoint(tmp_path, "/")


def test_settings_that_ask_for_a_secret_are_named(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBRARY_SECRET")
    with pytest.raises(UsageError, match=r"ask for something: KeyError: 'LIBRARY_SECRET'"):
        study_endpoint(library, "/books/", python=sys.executable)


def test_the_command_prints_one_screen_or_json(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["endpoint", str(library), "/mine/", "--user", "ann", "--python", sys.executable, "--budget", "1s"]
    assert main([*words, "--rtt", "1ms", "--link", "20Mbit"]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 40
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "endpoint"


@pytest.mark.parametrize("after_s", [0.4, 1.2, 2.5, 4.0])
def test_a_study_that_is_killed_leaves_nothing(library: Path, tmp_path: Path, after_s: float) -> None:
    before = files_of(library)
    command = [sys.executable, "-m", "workbench", "endpoint", str(library), "/books/", "--python", sys.executable]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as study:
        time.sleep(after_s)
        study.send_signal(signal.SIGKILL)
    eventually(lambda: not list(tmp_path.glob("workbench-endpoint-*")))
    processes = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in processes
    assert files_of(library) == before
    assert tempfile.gettempdir() != str(tmp_path)
