"""Ctrl-C while a real process fetches: the rows are kept, and nothing goes out any more."""

import json
import signal
import subprocess
import sys
import time

import pytest

from workbench import fetch_all
from workbench.tasks.fetch.fetching import ENGINES

FETCHING = """
import json, sys
from workbench import FetchInterrupted, fetch_all
engine, concurrency, urls, folder = sys.argv[1:]
try:
    fetch_all(urls, engine=engine, concurrency=int(concurrency), cache=folder)
except FetchInterrupted as stop:
    rows = stop.result
    print(json.dumps({
        "ok": sum(row.ok for row in rows),
        "interrupted": sum(row.error == "interrupted" for row in rows),
        "urls": [row.url for row in rows],
        "text": str(stop),
    }), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_an_interrupt_keeps_the_rows_and_stops_the_requests(engine, site, tmp_path):
    urls = [site.url(f"interrupt/{engine}/{number}", latency_ms=60) for number in range(5000)]
    file = tmp_path / "urls.txt"
    file.write_text("\n".join(urls))
    before = site.stats().requests
    concurrency = 1 if engine == "sequential" else 8
    command = [sys.executable, "-c", FETCHING, engine, str(concurrency), str(file), str(tmp_path / "cache")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        while site.stats().requests < before + 20:
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        told = json.loads(child.stdout.readline())
        time.sleep(0.5)
        made = site.stats().requests - before
        time.sleep(0.5)
        assert site.stats().requests - before == made  # nothing more while the process lives on
        child.communicate()
    assert child.returncode == 0
    assert told["urls"] == urls
    assert told["ok"] + told["interrupted"] == len(urls)
    assert 0 < made - concurrency <= told["ok"] <= made
    assert told["text"].startswith(f"interrupted: {told['ok']:,} of 5,000 URLs were fetched")
    stored = sum(row.from_cache for row in fetch_all(urls[:made], engine=engine, cache=tmp_path / "cache"))
    assert stored >= told["ok"] - concurrency  # the next call goes on where this one stopped
