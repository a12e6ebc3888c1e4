"""The report shows all records, tells what is missing, and needs nothing but its own file."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from workbench import (
    Comparison,
    Diagnosis,
    EndpointStudy,
    Finding,
    RecordError,
    Table,
    UsageError,
    make_report,
    records,
)
from workbench.cli import main
from workbench.notebooks import find_notebooks, run_notebooks
from workbench.results import ComparisonRow, Wait


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    records.save(
        Diagnosis(
            target="send_requests", verdict="IO-bound", bound_by="network", reasons=("98 % of it waits",), wall_s=1.0,
            cpu_s=0.02, overhead=None, parts={"network": 1.0}, counters={},
            waits=(Wait(kind="network", target="127.0.0.1:80", file="a.py", line=3, function="get", seconds=1.0),),
        ), "01-what-binds-a-task.requests", folder)  # fmt: skip
    records.save(
        Comparison(
            target="is_fib", items=1, baseline="float", rows=(ComparisonRow(remedy="exact", speedup=31.4159),),
            recommended="exact", reason="exact is right and faster", rounds=3, raw={},
        ), "02-the-cpu-bound-task.remedies", folder)  # fmt: skip
    records.save(
        Table(title="<b>Growth</b> & cost", columns=("bits", "wall_s"), rows=((64, 1e-6), (128, None))),
        "02-the-cpu-bound-task.growth",
        folder,
    )
    return folder


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_every_record_is_shown_with_its_words_table_and_provenance(folder: Path, tmp_path: Path) -> None:
    report = make_report(folder, tmp_path / "report.html")
    page = report.path.read_text()
    text = text_of(page)
    assert (report.shown, report.left_out) == (3, ())
    for words in ("01 What binds a task", "send_requests: IO-bound", "98 % of it waits", "127.0.0.1:80",
                  "02 The CPU bound task", "Remedies for is_fib", "exact is right and faster", "31.4",
                  "cores_allowed"):  # fmt: skip
        assert words in text
    assert page.count("<svg") == 2
    assert "&lt;b&gt;Growth&lt;/b&gt; &amp; cost" in page, "titles are text, not HTML"


class Links(HTMLParser):
    """Collects everything a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href")]
        self.loads += ["script"] * (tag in ("script", "link", "iframe"))


def test_the_page_opens_offline(folder: Path, tmp_path: Path) -> None:
    page = make_report(folder, tmp_path / "report.html").path.read_text()
    links = Links()
    links.feed(page)
    assert [link for link in links.loads if not link.startswith("#")] == []
    assert "url(http" not in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page


def test_a_broken_record_is_told_and_the_others_shown(folder: Path, tmp_path: Path) -> None:
    (folder / "03-broken.json").write_text('{"schema": 1,')
    report = make_report(folder, tmp_path / "report.html")
    assert report.shown == 3
    assert [line for line in report.left_out if "is not a whole record" in line]
    assert "03-broken.json is not a whole record" in text_of(report.path.read_text())


def test_no_records_and_no_place_to_write_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no records: run the notebooks first"):
        make_report(tmp_path / "nowhere")
    with pytest.raises(RecordError, match="can't write the report"):
        make_report(folder, tmp_path)


def notebook(path: Path, *cells: str) -> Path:
    first = nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]})
    book = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(exist_ok=True)
    nbformat.write(book, path)
    return path


RECORDS = """from workbench import Table, records
records.save(Table(title="n", columns=("n",), rows=((n,),)), "{name}.n", "../results", replace=True)"""

FAILS = "raise ConnectionError('redis://:hunter2@127.0.0.1/0 is gone')"


def test_notebook_paths(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb")
    assert find_notebooks([tmp_path, book]) == [book, book]
    for wrong in (tmp_path / "none.ipynb", tmp_path / "none", Path(__file__)):
        with pytest.raises(UsageError, match="is no notebook and no folder of notebooks"):
            find_notebooks([wrong])


@pytest.mark.slow
def test_a_failing_notebook_is_told_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    books = tmp_path / "books"
    notebook(books / "01-fails.ipynb", RECORDS.format(name="01-fails"), FAILS)
    notebook(books / "02-works.ipynb", RECORDS.format(name="02-works"))
    (books / "03-garbled.ipynb").write_text("{")
    assert main(["report", "--run", "books", "--results", "results"]) == 1
    said = capsys.readouterr()
    assert said.out == "report.html: 2 records\n"
    assert "01-fails.ipynb: cell 3: ConnectionError: redis://:***@127.0.0.1/0 is gone" in said.err
    text = text_of((tmp_path / "report.html").read_text())
    assert "01-fails.ipynb failed in cell 3: ConnectionError: redis://:***@127.0.0.1/0 is gone" in text
    assert "03-garbled.ipynb failed in NotJSONError" in text
    assert "01 Fails" in text, "what it recorded before it failed is kept"
    assert "02 Works" in text
    assert "hunter2" not in said.err + text


@pytest.mark.slow
def test_parameters_reach_the_notebooks_that_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook(tmp_path / "books" / "a.ipynb", RECORDS.format(name="a"))
    runs = list(run_notebooks([tmp_path / "books"], parameters={"n": 7, "other": 8}, executed=tmp_path / "executed"))
    assert [run.error for run in runs] == [None]
    assert records.load(tmp_path / "results" / "a.n.json").rows == ((7,),)
    assert main(["notebooks", str(tmp_path / "books"), "--set", "n=8", "--set", "name=plain text"]) == 0
    assert records.load(tmp_path / "results" / "a.n.json").rows == ((8,),)


def test_the_command_line_says_what_was_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--results", str(tmp_path)]) == 1
    assert "holds no records" in capsys.readouterr().err
    assert main(["notebooks", str(tmp_path / "none.ipynb")]) == 2
    assert "is no notebook" in capsys.readouterr().err
    for wrong in (
        ["no-such-command"],
        ["notebooks", "a.ipynb", "--set", "n"],
        ["notebooks", "a.ipynb", "--set", "1=2"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(wrong)
        assert caught.value.code == 2


def test_an_endpoint_study_is_shown_with_its_findings(tmp_path: Path) -> None:
    found = Finding(area="database", kind="n_plus_one_fk", verdict="pays", same_answer=True, tried_ms=70.0)
    study = EndpointStudy(
        path="/books/", status=200, wall_ms=92.0, cpu_ms=88.0, queries=255, parts={"sql": 92.0}, findings=(found,)
    )
    records.save(study, "books", tmp_path)
    assert make_report(tmp_path, tmp_path / "report.html").shown == 1
    assert "a query for each row (foreign key)" in (tmp_path / "report.html").read_text()
