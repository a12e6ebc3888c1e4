import logging
import os
import subprocess
import sys
import time

import joblib
import pytest

from workbench import FetchRow, UsageError, fetch_all
from workbench.tasks.fetch.cache import RowCache
from workbench.tasks.fetch.fetching import ENGINES

ROW = FetchRow(url="http://127.0.0.1/", status=200, body=b"hello" * 1000)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def entry(folder):
    (path,) = folder.rglob("output.pkl")
    return path


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_what_was_fetched_is_served_from_the_store(engine, fresh, requests_made, folder):
    urls = [fresh(), fresh()]
    first = fetch_all(urls, engine=engine, cache=folder)
    second = fetch_all([*urls, fresh()], engine=engine, cache=folder)
    assert requests_made() == 3
    assert [row.from_cache for row in first] == [False, False]
    assert [row.from_cache for row in second] == [True, True, False]
    assert [row.body for row in second[:2]] == [row.body for row in first]
    assert [(row.status, row.attempts) for row in second[:2]] == [(200, 0)] * 2
    assert "2 from the cache" in repr(second)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_failures_are_not_kept(engine, fresh, requests_made, folder):
    urls = [fresh(status=404), fresh(failures=1), fresh(fault="truncated")]
    fetch_all(urls, engine=engine, retries=0, cache=folder)
    again = fetch_all(urls, engine=engine, retries=0, cache=folder)
    assert [row.ok for row in again] == [False, True, False]
    assert not any(row.from_cache for row in again)
    assert requests_made() == 6


def test_another_process_is_served_from_several_stores(fresh, requests_made, tmp_path):
    urls = [fresh(), fresh()]
    for name in ("a", "b"):
        fetch_all(urls, cache=tmp_path / name)
    assert requests_made() == 4
    script = (
        "import sys\n"
        "from workbench import fetch_all\n"
        "for folder in sys.argv[3:]:\n"
        "    assert all(row.from_cache for row in fetch_all(sys.argv[1:3], cache=folder))\n"
    )
    subprocess.run([sys.executable, "-c", script, *urls, str(tmp_path / "a"), str(tmp_path / "b")], check=True)
    assert requests_made() == 4


def test_a_row_is_served_until_it_is_too_old(folder, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    cache = RowCache(folder, ttl_s=60)
    cache.put(ROW)
    now += 59.9
    assert cache.get(ROW.url).body == ROW.body
    now += 0.2
    assert cache.get(ROW.url) is None
    cache.put(ROW)
    assert cache.get(ROW.url).body == ROW.body
    now += 60.1
    assert cache.get(ROW.url) is None
    assert RowCache(folder).get(ROW.url) is None  # what was too old is gone


def test_without_a_ttl_rows_are_served_for_ever(folder, monkeypatch):
    RowCache(folder).put(ROW)
    later = time.time() + 10**9
    monkeypatch.setattr(time, "time", lambda: later)
    assert RowCache(folder).get(ROW.url).body == ROW.body


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def remove_the_time(path):
    path.with_name("metadata.json").write_text("{")


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "a flipped bit in the body": lambda path: flip(path, -3000),
    "a flipped bit in the digest": lambda path: flip(path, -20),
    "another value": lambda path: joblib.dump("surprise", path),
    "no time": remove_the_time,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_fetched_again_and_told_in_one_line(damage, fresh, requests_made, folder, caplog):
    url = fresh(body_bytes=5000)
    fetch_all([url], cache=folder, ttl_s=60)
    DAMAGES[damage](entry(folder))
    with caplog.at_level(logging.INFO):
        (row,) = fetch_all([url], cache=folder, ttl_s=60)
    assert row.ok
    assert not row.from_cache
    assert row.body_bytes == 5000
    assert requests_made() == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"the stored answer for {url} is damaged or unreadable: it is fetched again"
    ]
    assert fetch_all([url], cache=folder, ttl_s=60)[0].from_cache  # and it is whole again


def test_no_flipped_bit_goes_unnoticed(folder):
    cache = RowCache(folder)
    cache.put(ROW)
    path = entry(folder)
    whole = path.read_bytes()
    for place in [*range(200), *range(len(whole) - 200, len(whole))]:
        flip(path, place)
        row = cache.get(ROW.url)
        assert row is None or (row.status, row.body) == (ROW.status, ROW.body)
        path.write_bytes(whole)


def test_own_headers_make_another_entry_and_are_not_written(fresh, requests_made, folder):
    url = fresh()
    for token in ("word", "other", "word"):
        fetch_all([url], cache=folder, headers={"Authorization": token})
    assert requests_made() == 2
    assert not any(b"word" in path.read_bytes() for path in folder.rglob("metadata.json"))


def test_a_stored_body_that_is_larger_than_allowed_is_not_served(fresh, folder):
    url = fresh(body_bytes=2000)
    fetch_all([url], cache=folder)
    (row,) = fetch_all([url], cache=folder, max_body_bytes=1000)
    assert row.error.startswith("too large")


def test_a_memory_of_joblib_can_be_the_cache(fresh, requests_made, folder, capsys):
    memory = joblib.Memory(folder, verbose=1)
    url = fresh()
    fetch_all([url], cache=memory)
    assert fetch_all([url], cache=memory)[0].from_cache
    assert requests_made() == 1
    assert capsys.readouterr().out == ""


def test_a_memory_that_stores_nothing_serves_nothing(fresh):
    url = fresh()
    memory = joblib.Memory(None, verbose=0)
    assert [fetch_all([url], cache=memory)[0].from_cache for _ in range(2)] == [False, False]


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_fetched(fresh, requests_made, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="can't write the cache folder"):
        fetch_all([fresh()], cache=file / "cache")
    assert requests_made() == 0


def test_a_folder_that_others_own_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(UsageError, match="Permission denied"):
        RowCache(tmp_path)


def test_a_store_that_vanishes_loses_no_row(folder, fresh, caplog):
    cache = RowCache(folder)
    cache.get(ROW.url)
    (place,) = folder.rglob("remember")
    (place / "func_code.py").unlink(missing_ok=True)
    place.rmdir()
    place.write_text("a file is in the way")
    cache.put(ROW)
    assert [record.getMessage()[:43] for record in caplog.records] == ["can't store the answer for http://127.0.0.1"]


def test_true_uses_the_usual_folder(monkeypatch, tmp_path, fresh):
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path))
    url = fresh()
    fetch_all([url], cache=True)
    assert fetch_all([url], cache=tmp_path / "fetch")[0].from_cache
    assert (tmp_path / "fetch").stat().st_mode & 0o077 == 0
