"""Secrets that a task was given stand in no record, report, log or message: planted, and looked for, in real runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

#: One for each place, so that a test that fails says which.
PLACES = ("argv", "child", "env", "url", "query", "header", "cookie", "body", "sql", "key")
ARGV, CHILD, ENV, URL, QUERY, HEADER, COOKIE, BODY, SQL, KEY = PLANTED = [f"planted-{place}-7hq2" for place in PLACES]
ENVIRONMENT = {"SHOP_DB_PASSWORD": ENV, "REDIS_URL": f"redis://:{URL}@127.0.0.1:1/0"}
#: What exceptions say, the environment's value without any name beside it.
SAYINGS = (
    f"can't reach redis://ann:{URL}@127.0.0.1:6379/0",
    f"404 Not Found for https://api.example.org/items?page=2&token={QUERY}",
    f"refused with headers {{'Authorization': 'Bearer {HEADER}', 'Cookie': 'sessionid={COOKIE}'}}",
    f'not understood: {{"user": "ann", "password": "{BODY}"}}',
    f"[SQL: UPDATE users SET password = '{SQL}'] [parameters: ('{SQL}',)]",
    f"unknown user {ENV}",
    f"connect(api_key='{KEY}')",
)


def run(command: Iterable[str], folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **ENVIRONMENT, "WORKBENCH_CACHE_DIR": str(folder / "cache"), "TMPDIR": str(folder)}
    words = [sys.executable, *command]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, env=env, timeout=100, **options)


def leaks(*texts: str) -> list[str]:
    return [secret for secret in PLANTED for text in texts if secret in text]


def leaks_in(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [f"{path.name}: {found}" for path in files for found in leaks(path.read_text(errors="replace"))]


SCRIPT = f"""
import os, subprocess, sys, time
sys.excepthook = lambda *error: None  # what a task prints itself is its own
child = [sys.executable, "-c", "import time; time.sleep(0.3)", "--api-key", "two {CHILD}", "--token={CHILD}"]
subprocess.run(child)
if not os.fork():
    time.sleep(0.3)
    os._exit(0)
os.wait()
raise RuntimeError({SAYINGS!r}[int(sys.argv[1])])
"""


@pytest.mark.slow
@pytest.mark.parametrize("saying", [0, 5])
def test_a_diagnosed_script(tmp_path: Path, saying: int) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "task.py").write_text(SCRIPT)
    target = ["task.py", "--", str(saying), "--password", ARGV, f"--token={ARGV}", "--passphrase", f"two {ARGV}"]
    said = run(["-m", "workbench", "diagnose", "--out", "out/diagnosis.json", *target], tmp_path)
    assert leaks(said.stdout, said.stderr) == []
    assert leaks_in(tmp_path / "out") == []
    assert "the task failed: RuntimeError: " in said.stderr
    diagnosis = json.loads((tmp_path / "out" / "diagnosis.json").read_text())
    assert diagnosis["failure"].startswith("RuntimeError: ")
    assert diagnosis["target"] == f"task.py {saying} --password *** --token=*** --passphrase ***"
    commands = [child["command"] for child in diagnosis["children"]]
    assert len(commands) == 2, "the child and the fork"
    assert f"{sys.executable} -c 'import time; time.sleep(0.3)' --api-key *** --token=***" in commands


TASK = f"""
import itertools, time

sayings = {SAYINGS!r}
count = itertools.count()

def raises(item):
    time.sleep(0.001)
    raise ValueError(sayings[item % len(sayings)])

def sometimes_raises(item):
    time.sleep(0.001)
    if item % 2:
        raise ValueError(sayings[item % len(sayings)])
    return item

def unsteady(item):
    time.sleep(0.001)
    return {{"number": next(count), "password": "{BODY}"}}

"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raises", "sometimes_raises", "unsteady"])
def test_a_comparison(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "items.json").write_text(json.dumps(list(range(14))))
    options = ["--items", "items.json", "--remedies", "threads", "--budget", "1", "--json", "--out", "out/all.json"]
    said = run(["-m", "workbench", "compare", f"task.py:{name}", *options], tmp_path)
    assert leaks(said.stdout, said.stderr) == []
    if name == "raises":
        assert (
            "workbench: the task itself fails: ValueError: can't reach redis://ann:***@127.0.0.1:6379/0" in said.stderr
        )
    else:
        assert leaks_in(tmp_path / "out") == []
        assert "***" in said.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["services"], 0),
        (["services", "--json"], 0),
        (["compare", f"task?password={BODY}", "--repeat", "3"], 2),
        (["diagnose", f"task?token={QUERY}"], 2),
        (["report", f"--token={ARGV}"], 2),
        (["notebooks", f"redis://:{URL}@127.0.0.1/0"], 2),
    ],
)
def test_what_other_commands_say(tmp_path: Path, words: list[str], code: int) -> None:
    said = run(["-m", "workbench", *words], tmp_path)
    assert said.returncode == code, said.stderr
    assert leaks(said.stdout, said.stderr) == []
    if words[-1] == "--json":
        urls = {each["name"]: each["url"] for each in json.loads(said.stdout)}
        assert urls["redis"] == "redis://:***@127.0.0.1:1/0"


LIBRARY = f"""
import asyncio, logging, sys
import pandas as pd
from workbench import Table, WorkbenchError, compare, diagnose, fetch_all, make_report, records, services
from workbench.caches import Cache, Memcached, Redis
from workbench.caches.with_django import django_options
from workbench.queues import AsyncioQueue, ProcessQueue
from workbench.queues.codec import failure_text, pack_failure, unpack_failure

logging.basicConfig(level=logging.DEBUG, filename="out/log", force=True)
for noisy in ("asyncio", "matplotlib"):
    logging.getLogger(noisy).setLevel(logging.WARNING)
sayings = {SAYINGS!r}

def say(saying):
    raise ValueError(saying)

async def say_later(saying):
    say(saying)

for number, saying in enumerate(sayings):
    try:
        with diagnose() as block:
            sum(range(100_000))
            say(saying)
    except ValueError:
        print(block.result, block.result._repr_html_())
        records.save(block.result, f"01-failures.{{number}}", "out")
comparison = compare(lambda saying: saying + str(id(saying)), list(sayings), ["threads"], budget_s=1, progress=False)
print(comparison, comparison._repr_html_())
records.save(comparison, "02-comparisons.one", "out")
urls = ["https://a.invalid/?token={QUERY}", "http://ann:{URL}@127.0.0.1:1/", ["password={BODY}"] * 9]
fetched = fetch_all(urls, progress=False, cache="rows")
assert fetched[0].url == urls[0], "a row is found by its URL"
print([row.error for row in fetched], fetched._repr_html_())
frame = fetched.table().drop(columns="body")
frame = frame.rename(columns={{"url": "password={BODY}"}})
table = Table.from_frame("fetched from https://a.invalid/?token={QUERY}", frame)
records.save(table, "03-tables.one", "out")
report = make_report("out", "out/report.html", failures=[f"the notebook failed: {{saying}}" for saying in sayings])
assert report.shown == len(sayings) + 2

cache = Cache(Redis("redis://:{URL}@127.0.0.1:1/0?password={QUERY}"))
cache.get("a")
print(cache, cache.backend)
for attempt in (
    lambda: Redis("http://:{URL}@127.0.0.1/"),
    lambda: Redis("redis://:{URL}/more@127.0.0.1/"),
    lambda: Memcached("redis://:{URL}@127.0.0.1/"),
    lambda: django_options("mongodb://ann:{URL}@127.0.0.1/"),
    lambda: services.start("redis"),
    lambda: diagnose({{"password": "{BODY}"}}),
    lambda: compare(lambda item: say(sayings[2]), [1], ["threads"], progress=False),
):
    try:
        attempt()
    except WorkbenchError as error:
        print(repr(error), error)
    else:
        sys.exit("no error")
for saying in sayings:
    failure = pack_failure(ValueError(saying))
    print(failure_text(failure), unpack_failure(failure).__cause__)
with AsyncioQueue() as queue:
    queue.map(say_later, sayings, return_exceptions=True)
    print([letter.error for letter in queue.dead_letters()])
"""


@pytest.mark.slow
def test_the_library(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    said = run(["-c", LIBRARY], tmp_path)
    assert said.returncode == 0, said.stderr
    assert leaks(said.stdout, said.stderr) == []
    assert leaks_in(tmp_path / "out") == []
    log = (tmp_path / "out" / "log").read_text()
    assert "Redis at 127.0.0.1:1/0?password=*** fails" in log
    assert "***" in (tmp_path / "out" / "report.html").read_text()


SAVE = """
from workbench import Table, records
records.save(Table(title="t", columns=("a",), rows=((1,),)), "t", "out")
"""


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_who_may_read_a_record_is_up_to_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    assert run(["-c", SAVE], tmp_path, umask=umask).returncode == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert modes == {"t.json": mode, "t.csv": mode}


def test_logs_that_are_kept_are_their_owners_alone(tmp_path: Path) -> None:
    text = "\n".join(SAYINGS)
    kept = f"from workbench.folders import keep_log; print(keep_log('redis', {text!r}))"
    (tmp_path / "cache" / "logs").mkdir(parents=True)
    (tmp_path / "cache" / "logs" / "redis.log").touch(mode=0o644)
    said = run(["-c", kept], tmp_path, umask=0o022)
    assert leaks(said.stdout, said.stderr) == []
    assert leaks_in(tmp_path / "cache") == []
    assert (tmp_path / "cache" / "logs" / "redis.log").stat().st_mode & 0o777 == 0o600


def test_a_recording_lies_in_a_folder_of_its_owner(tmp_path: Path) -> None:
    """A diagnosis in the making has not been masked yet."""
    code = """
import os, tempfile
from workbench import diagnose
with diagnose():
    folders = [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("workbench-")]
    print([oct(os.stat(os.path.join(tempfile.gettempdir(), name)).st_mode & 0o777) for name in folders])
"""
    said = run(["-c", code], tmp_path, umask=0)
    assert said.stdout.strip() == "['0o700']", said.stderr
