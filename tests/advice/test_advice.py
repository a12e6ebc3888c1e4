"""Advice from made-up diagnoses: what rules say of stacks and lines, and what they never do."""

import dataclasses
import json
import linecache
import math
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import diagnosis, stack

from workbench import Diagnosis
from workbench.advice import RULES, advised
from workbench.advice.advise import find_all
from workbench.advice.evidence import WORTH, Evidence, frame
from workbench.parts import NAMES
from workbench.results import Await, Stack, Wait
from workbench.source import Source

BOOTSTRAP = "Thread._bootstrap (/usr/lib/python3.11/threading.py:1002)"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A task that asks for each item in turn, and whose lines are named here by their numbers."""
    path = tmp_path / "task.py"
    path.write_text(
        "def ask(item):\n"
        "    return get(item)\n"
        "\n"
        "def ask_all(items):\n"
        "    for item in items:\n"
        "        ask(item)\n"
        "    log.debug(f'asked for {items}')\n"
        "    known = []\n"
        "    for item in items:\n"
        "        if item not in known: known.append(item)\n"
        "ask_all(range(20))\n"
        "ask(1)\n"
    )
    linecache.checkcache()
    return path


def asked(task: Path, *, outer: int, count: int) -> Diagnosis:
    """A diagnosis of a task that waited at line 2, called from ask_all at line 6, or from the module's line 12."""
    inner = [f"ask_all ({task}:6)"] if outer == 11 else []
    frames = [f"<module> ({task}:{outer})", *inner, f"ask ({task}:2)"]
    waits = Wait(
        kind="network", target="10.0.0.1:80", file=str(task), line=2, function="ask", seconds=0.9, count=count,
        median_s=0.9 / count, longest_s=0.9 / count,
    )  # fmt: skip
    return diagnosis(stack("network", 0.9, *frames), waits=(waits,))


def test_waits_in_a_loop_could_overlap(task: Path) -> None:
    (found,) = advised(asked(task, outer=11, count=20))
    assert (found.kind, found.line, found.try_) == ("overlap-waits", 2, "threads")
    assert 0.6 < (found.saves_low or 0) <= (found.saves_s or 0) <= (found.saves_high or 0) < 1.0


def test_a_single_wait_can_not_overlap(task: Path) -> None:
    assert advised(asked(task, outer=12, count=1)) == ()


def test_waits_in_workers_overlap_already(task: Path) -> None:
    seen = asked(task, outer=11, count=20)
    frames = BOOTSTRAP, *seen.stacks[0].frames
    assert advised(diagnosis(stack("network", 0.9, *frames), waits=seen.waits)) == ()


@pytest.mark.parametrize(("line", "kind"), [(7, "lazy-log-message"), (10, "set-for-membership"), (5, None)])
def test_the_text_of_a_line_on_the_cpu_shows_its_fault(task: Path, line: int, kind: str | None) -> None:
    found = advised(diagnosis(stack("python", 0.5, f"<module> ({task}:11)", f"ask_all ({task}:{line})")))
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_what_a_library_does_for_a_line_is_told_at_that_line(task: Path) -> None:
    frames = f"ask ({task}:2)", "deepcopy (/usr/lib/python3.11/copy.py:128)", "_copy (/usr/lib/python3.11/copy.py:200)"
    (found,) = advised(diagnosis(stack("python", 0.5, *frames, own=0)))
    assert (found.kind, found.file, found.line, found.function) == ("copy-less", str(task), 2, "ask")
    assert "deepcopy" in found.why


def test_small_savings_and_unclear_diagnoses_get_no_advice(task: Path) -> None:
    frames = f"ask ({task}:2)", "deepcopy (/usr/lib/python3.11/copy.py:128)"
    assert advised(diagnosis(stack("python", 0.04, *frames, own=0))) == ()
    assert advised(diagnosis(stack("python", 0.9, *frames, own=0), verdict="unclear")) == ()


def test_the_largest_saving_comes_first(task: Path) -> None:
    copies = stack("python", 0.3, f"ask ({task}:2)", "deepcopy (/usr/lib/python3.11/copy.py:128)", own=0)
    logs = stack("python", 0.5, f"<module> ({task}:11)", f"ask_all ({task}:7)")
    assert [one.kind for one in advised(diagnosis(copies, logs))] == ["lazy-log-message", "copy-less"]


@pytest.mark.parametrize(("use", "told"), [("", True), ("def f(): return pandas.NA", True), ("pandas.NA", False)])
def test_an_import_is_lazy_where_nothing_that_ran_uses_it(tmp_path: Path, use: str, told: bool) -> None:
    path = tmp_path / "task.py"
    path.write_text(f"import pandas\n{use}\n")
    linecache.checkcache()
    package = f"<module> ({pandas.__file__}:1)"
    frames = f"<module> ({path}:1)", "_find_and_load (<frozen importlib._bootstrap>:1176)", package
    found = advised(diagnosis(stack("python", 0.5, *frames, own=0)))
    assert [one.kind for one in found] == ["lazy-import"] * told


def test_a_cell_of_a_notebook_runs_in_no_event_loop(task: Path) -> None:
    seen = asked(task, outer=11, count=20)
    kernel = "Handle._run (/usr/lib/python3.11/asyncio/events.py:80)", "run (/lib/ipykernel/kernelapp.py:7)"
    (found,) = advised(diagnosis(stack("network", 0.9, *kernel, *seen.stacks[0].frames), waits=seen.waits))
    assert found.kind == "overlap-waits"


def test_a_diagnosis_with_advice_survives_json(task: Path) -> None:
    seen = dataclasses.replace(asked(task, outer=11, count=20), opportunities=advised(asked(task, outer=11, count=20)))
    assert Diagnosis.from_json(json.loads(json.dumps(seen.to_json()))) == seen
    assert "1. overlap 20 waits" in seen.summary()
    assert "overlap 20 waits" in seen._repr_html_()


def test_a_frame_is_read_from_its_text() -> None:
    assert frame("f.<locals>.<lambda> (/a (b)/c:d.py:12)") == ("f.<locals>.<lambda>", "/a (b)/c:d.py", 12)


places = st.sampled_from(
    [
        "<module> (<string>:1)", "f (missing.py:3)", "Handle._run (/usr/lib/python3.11/asyncio/events.py:80)",
        BOOTSTRAP, "map (/usr/lib/python3.11/multiprocessing/pool.py:10)", "run (/usr/lib/python3.11/subprocess.py:5)",
        "connect (/usr/lib/python3.11/http/client.py:9)", "_find_and_load (<frozen importlib._bootstrap>:1)",
        "iterrows (/lib/site-packages/pandas/core/frame.py:1)",
    ]
)  # fmt: skip
stacks = st.lists(
    st.builds(
        stack, st.sampled_from(NAMES), st.floats(0, 5), st.just("<module> (task.py:1)"), places, places,
        own=st.integers(-1, 2),
    ),
    max_size=12,
)  # fmt: skip


@given(stacks)
def test_advice_holds_for_any_stacks(made: list[Stack]) -> None:
    seen = diagnosis(*made, wall_s=math.fsum(one.seconds for one in made) or 1.0)
    found = advised(seen)
    savings = [one.saves_s or 0.0 for one in found]
    assert savings == sorted(savings, reverse=True)
    for one in found:
        assert one.what
        assert one.why
        assert one.how
        assert one.saves_s is None or one.saves_s >= WORTH * seen.wall_s
    assert advised(seen) == found


def test_rules_measure_nothing(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Evidence(asked(task, outer=11, count=20), Source(), 2)
    monkeypatch.setattr("subprocess.Popen", None)
    monkeypatch.setattr("time.sleep", None)
    assert [one.kind for rule in RULES for one in rule(seen)] == ["overlap-waits"]
    assert find_all(seen) == list(advised(seen.diagnosis))


def test_an_event_loop_for_each_item_could_be_one(tmp_path: Path) -> None:
    path = tmp_path / "task.py"
    path.write_text("for item in items:\n    asyncio.run(get(item))\n")
    linecache.checkcache()
    frames = f"<module> ({path}:2)", "run (/usr/lib/python3.11/asyncio/runners.py:190)"
    awaited = Await(file=str(path), line=9, function="get", seconds=0.8, mean=1.0, peak=1, alone_s=0.8)
    seen = dataclasses.replace(diagnosis(stack("native", 0.1, *frames, own=0)), awaits=(awaited,))
    assert [(one.kind, one.line) for one in advised(seen)] == [("gather-awaits", 2)]


def test_a_small_pool_of_a_library_is_told_with_its_option(tmp_path: Path) -> None:
    path = tmp_path / "task.py"
    path.write_text("session = ClientSession(connector=TCPConnector(limit=2))\nawait session.get(url)\n")
    linecache.checkcache()
    wait = Wait(
        kind="lock", target="aiohttp.TCPConnector.limit", file=str(path), line=2, function="get", seconds=0.8, count=9,
        median_s=0.1, longest_s=0.1,
    )  # fmt: skip
    (found,) = advised(diagnosis(stack("lock", 0.8, f"get ({path}:2)"), waits=(wait,)))
    assert (found.kind, "line 1" in found.what, "limit=100" in found.how) == ("widen-limit", True, True)
