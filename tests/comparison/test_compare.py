"""`compare` on real remedies, and remedies that other packages bring."""

import collections
import queue
import sys
import time

import pytest

from workbench import UsageError, compare, records
from workbench.comparison.plugins import find_remedies
from workbench.remedies import recalled, twin


def power_sum(n):
    return sum([i**3 for i in range(n)])


def power_sum_formula(n):
    return (n * (n - 1) // 2) ** 2


@pytest.mark.slow
def test_every_installed_remedy_gets_a_row_and_a_reason():
    found = compare(power_sum, [1_000] * 50, budget_s=40, precision=0.3, progress=False)
    verdicts = {row.remedy: row.verdict for row in found.rows}
    notes = {row.remedy: row.note for row in found.rows}
    assert verdicts.keys() >= {"sequential", "threads", "processes", "asyncio", "memo", "stored", "compiled"}
    assert verdicts["asyncio"] == "skipped"
    assert verdicts["memo"] == "faster" or "raise budget_s" in notes["memo"]  # where others leave it no time
    assert next(row for row in found.rows if row.remedy == "stored").predicted
    assert found.reason.startswith(found.recommended)


def test_what_assumes_something_says_so_and_is_not_recommended():
    found = compare(power_sum, [1_000] * 50, {"recalled": recalled}, budget_s=5, progress=False)
    row = found.rows[1]
    assert (row.verdict, row.predicted, found.recommended) == ("faster", None, None)
    assert row.note.startswith("assumes that every answer was computed before")


def test_a_comparison_is_recorded_and_loaded_again(tmp_path):
    found = compare(power_sum, [300], {"formula": twin(power_sum_formula)}, budget_s=2, seed=5, progress=False)
    assert found.target == f"{__name__}:power_sum"
    assert found.provenance["seed"] == 5
    assert records.load(records.save(found, "powers", tmp_path)) == found


@pytest.mark.slow
def test_a_coroutine_function_is_awaited_in_the_baseline_too():
    async def double(n):
        return 2 * n

    found = compare(double, [1, 2], ["asyncio", "threads"], budget_s=10, precision=0.3, progress=False)
    assert [row.remedy for row in found.rows] == ["sequential", "asyncio", "threads"]
    assert found.rows[1].same_answer
    assert found.rows[2].verdict == "skipped"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package that offers the remedies ``reversed`` and ``broken``."""
    info = tmp_path / "fancy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fancy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[workbench.remedies]\nreversed = fancy:run\nbroken = fancy:missing\n")
    (tmp_path / "fancy.py").write_text(
        "def run(func, items, *, workers=None):\n    return [func(item) for item in reversed(items)][::-1]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("fancy", None)


def test_other_packages_bring_remedies(plugin):
    found = compare(power_sum, [300, 200], ["reversed"], budget_s=10, progress=False)
    assert found.rows[1].same_answer


def test_a_remedy_that_can_not_be_loaded_is_one_line(plugin):
    with pytest.raises(UsageError, match=r"the remedy 'broken' \(fancy:missing\) can't be loaded: AttributeError"):
        find_remedies(["broken"])


def counted(calls):
    found = collections.Counter(calls.get() for _ in range(calls.qsize()))
    del found[None]  # what stands for a call
    return found


def test_once_nothing_is_done_twice_in_one_way():
    plain, other = queue.SimpleQueue(), queue.SimpleQueue()

    def task(n):
        plain.put(n)
        time.sleep(0.002)
        return n

    def rival(func, items, *, workers):
        for item in items:
            other.put(item)
            plain.put(None)
        time.sleep(0.001 * len(items))
        return list(items)

    found = compare(task, range(400), {"rival": rival}, budget_s=20, once=True, progress=False)
    assert max(counted(plain).values()) == max(counted(other).values()) == 1
    assert found.rounds >= 6
    assert found.recommended == "rival"


def test_once_the_number_of_workers_is_predicted_not_searched():
    names = queue.SimpleQueue()

    def task(n):
        names.put(n)
        time.sleep(0.02)
        return n

    found = compare(task, range(120), ["threads"], budget_s=20, once=True, progress=False)
    assert max(counted(names).values()) == 2  # the plain loop, and threads
    assert found.recommended == "threads"
    assert found.rows[1].workers > 1
