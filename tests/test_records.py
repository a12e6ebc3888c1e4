"""Records are whole, say where they come from, and are never lost or misread."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench import RecordError, RecordExistsError, Table, UsageError, records
from workbench.proc import cores_allowed

SQUARES = Table(title="squares", columns=("n", "square"), rows=((1, 1), (2, 4)))


def test_a_record_is_json_with_a_csv_of_its_table_beside_it(tmp_path: Path) -> None:
    path = records.save(SQUARES, "squares", tmp_path / "new" / "folder")
    assert path.name == "squares.json"
    assert path.with_suffix(".csv").read_text() == "n,square\n1,1\n2,4\n"
    assert sorted(file.name for file in path.parent.iterdir()) == ["squares.csv", "squares.json"]
    loaded = records.load(path)
    assert loaded.rows == SQUARES.rows


def test_provenance_says_what_a_reader_needs(tmp_path: Path) -> None:
    provenance = records.load(records.save(SQUARES, "squares", tmp_path)).provenance
    assert datetime.now(UTC) - datetime.fromisoformat(provenance["created_at"]) < timedelta(minutes=1)
    assert provenance["cores_allowed"] == cores_allowed()
    assert provenance["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert provenance["packages"]["numpy"]
    assert provenance["machine"]["cpu"]
    assert records.provenance(seed=7)["seed"] == 7


def test_provenance_of_a_result_that_has_one_is_kept(tmp_path: Path) -> None:
    measured = Table(title="t", columns=("a",), rows=(), provenance={"seed": 3})
    assert records.load(records.save(measured, "t", tmp_path)).provenance == {"seed": 3}


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"]
    return subprocess.check_output(["git", *identity, *words], cwd=folder, text=True).strip()


def test_commit_and_dirty_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (records.provenance()["commit"], records.provenance()["dirty"]) == (None, None)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "code")
    assert records.provenance()["commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert records.provenance()["dirty"] is False
    records.save(SQUARES, "squares")
    assert records.provenance()["dirty"] is False, "recorded results are no change of the code"
    (tmp_path / "code.py").write_text("x = 2\n")
    assert records.provenance()["dirty"] is True


def test_a_record_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = (f"{tmp_path}/code.py", f"{Path.home()}/lib/a.py", "/usr/lib/b.py", f"run {tmp_path}/x {Path.home()}/y")
    table = Table(title="t", columns=files, rows=(files,))
    loaded = records.load(records.save(table, "t"))
    assert loaded.rows == (("code.py", "~/lib/a.py", "/usr/lib/b.py", "run x ~/y"),)
    assert loaded.columns == loaded.rows[0]
    assert str(tmp_path) not in Path("data/results/t.csv").read_text()


def test_a_record_is_never_overwritten_silently(tmp_path: Path) -> None:
    path = records.save(SQUARES, "squares", tmp_path)
    other = Table(title="other", columns=("a",), rows=())
    with pytest.raises(RecordExistsError, match=r"squares\.json exists: .* replace=True"):
        records.save(other, "squares", tmp_path)
    assert records.load(path).title == "squares"
    records.save(other, "squares", tmp_path, replace=True)
    assert records.load(path).title == "other"


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a record"):
        records.save(SQUARES, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecordError, match=r"^can't write the record .*file/squares\.json: File exists$"):
        records.save(SQUARES, "squares", tmp_path / "file")


def test_a_full_disk_leaves_the_old_record_whole(tmp_path: Path) -> None:
    """A limit on the size of files is as good as a full disk."""
    code = """
import resource, signal, sys
from workbench import RecordError, Table, records
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
records.save(Table(title="old", columns=("a",), rows=()), "t", sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    records.save(Table(title="new", columns=("a",), rows=(("x" * 10_000,),)), "t", sys.argv[1], replace=True)
except RecordError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", code, str(tmp_path)], text=True)
    assert "can't write the record" in said
    assert records.load(tmp_path / "t.json").title == "old"
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.json"]


def saved(tmp_path: Path) -> Path:
    return records.save(SQUARES, "squares", tmp_path)


def test_a_truncated_record_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_text()
    for length in (0, 1, len(whole) // 2, len(whole) - 3):
        path.write_text(whole[:length])
        with pytest.raises(RecordError, match=r"is not a whole record: .*record it again"):
            records.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000 + "]" * 100_000, "is no record: it is nested too deep"),
        ("9" * 10_000, "is no record: Exceeds the limit"),
        ("[]", "is not a record: it has no 'kind' and 'schema'"),
        ('{"a": 1}', "is not a record: it has no 'kind' and 'schema'"),
        ('{"schema": 2, "kind": "table"}', "has schema 2; this workbench understands 1: upgrade it"),
        ('{"schema": 1, "kind": "poem"}', "is of the unknown kind 'poem'; known are diagnosis, comparison, endpoint"),
        ('{"schema": 1, "kind": "table"}', "the field 'title' is missing"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(RecordError) as caught:
        records.load(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_record_and_one_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"can't read the record .*: No such file or directory"):
        records.load(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordError, match="is not a record: it is not text in UTF-8"):
        records.load(tmp_path / "bytes.json")


def test_a_record_holds_no_infinity(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"can't write the record .*: Out of range float"):
        records.save(Table(title="t", columns=("a",), rows=((float("inf"),),)), "t", tmp_path)
    assert json.loads(saved(tmp_path).read_text())["rows"] == [[1, 1], [2, 4]]
