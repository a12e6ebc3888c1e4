"""Tasks that do more than answer: what is told of them, and which remedies they get."""

import os
import random
import re
import subprocess
import sys
import threading
import time

import pytest

from workbench import TaskError, compare, remedies
from workbench.comparison.conduct import Conduct
from workbench.comparison.leftovers import children_now

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _warm_pool():
    """Start the processes first: on a busy machine that takes longer than the comparisons here."""
    remedies.processes(choosy, [0, 1] * 8, workers=4)
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


WAYS = {"threads": remedies.threads, "memo": remedies.memo, "stored": remedies.stored}
NUMBERS = list(range(20))


def study(func, items=NUMBERS, ways=WAYS, **options):
    """Compare, and return the rows by remedy."""
    options = {"budget_s": 60, "precision": 0.1, "diagnosis": False, "progress": False, "workers": 4, **options}
    found = compare(func, items, ways, **options)
    return found, {row.remedy: row for row in found.rows}


def choosy(n):
    time.sleep(0.001)
    if n % 7 == 3:
        raise ValueError(f"not {n}")
    return n


def test_items_that_raise_are_told_and_the_others_go_on():
    found, rows = study(choosy, ways={**WAYS, "twin": remedies.twin(choosy), "processes": remedies.processes})
    assert found.items == 20
    assert rows["sequential"].note.startswith(
        "3 of 20 items raise, the same each time: item 3 (ValueError: not 3), item 10 (ValueError: not 10), "
        "item 17 (ValueError: not 17)"
    )
    assert all(row.same_answer for row in found.rows), [row.note for row in found.rows]
    assert rows["threads"].verdict == "faster"


def test_a_remedy_that_raises_for_another_item_is_wrong():
    def twin(n):
        return choosy(n + 1)

    _, rows = study(choosy, ways={"twin": remedies.twin(twin)})
    assert rows["twin"].verdict == "wrong"
    assert rows["twin"].note.startswith("item 0: 1 instead of 0")


def test_coroutines_that_raise_are_told_too():
    async def later(n):
        return choosy(n)

    _, rows = study(later, ways={"asyncio": remedies.asynchronous})
    assert rows["asyncio"].same_answer
    assert "3 of 20 items raise" in rows["sequential"].note


def test_a_task_that_always_raises_is_one_line():
    with pytest.raises(TaskError, match=r"^the task itself fails: ValueError: not 3$"):
        study(choosy, [3, 10])


def test_a_task_whose_answers_change_gets_no_memo_and_no_recommendation():
    found, rows = study(lambda n: (time.sleep(0.001), random.random())[1])
    assert rows["memo"].verdict == rows["stored"].verdict == "skipped"
    assert rows["memo"].note.startswith("not a pure function: its answers change")
    assert rows["sequential"].note.startswith("its own answers change: item 0")
    assert (rows["threads"].verdict, rows["threads"].same_answer) == ("faster", None)
    assert found.recommended is None
    assert "threads (4 workers) was" in found.reason


def test_with_an_equal_that_says_so_changing_answers_are_fine():
    found, _ = study(lambda n: (time.sleep(0.001), random.random())[1], equal=lambda a, b: abs(a - b) < 1)
    assert found.recommended is not None


def grow(numbers):
    time.sleep(0.001)
    numbers.append(1)
    return len(numbers)


def test_a_task_that_changes_its_items_gets_intact_ones_each_run():
    items = [[n] for n in NUMBERS]
    ways = {**WAYS, "processes": remedies.processes}
    _, rows = study(grow, items, ways)
    told = "changes its items (item 0: [0, 1] instead of [0]), so every run gets copies"
    assert rows["sequential"].note.startswith(told)
    assert (rows["threads"].verdict, rows["threads"].same_answer) == ("faster", True)
    assert rows["memo"].note.startswith("not a pure function: it changes its items")
    # A child changes copies of its own, which nobody sees here.
    assert rows["processes"].verdict == "wrong"
    assert rows["processes"].note == "leaves its items otherwise than the task does: item 0: [0] instead of [0, 1]"


def test_a_task_that_uses_its_items_up_is_diagnosed_on_copies():
    _, rows = study(lambda numbers: numbers.pop(), [[n] for n in NUMBERS], diagnosis=True)
    assert rows["threads"].same_answer
    assert rows["threads"].predicted is not None


def test_a_remedy_that_changes_the_items_is_wrong_and_harms_no_other():
    def greedy(func, items, *, workers):
        answers = [func(item) for item in items]
        for item in items:
            item.clear()
        return answers

    items = [[n] for n in NUMBERS]
    _, rows = study(sum, items, {"greedy": greedy, "last": remedies.threads})
    assert rows["greedy"].verdict == "wrong"
    assert "leaves its items otherwise" in rows["greedy"].note
    assert rows["last"].same_answer


seen = []
cache = {}


def note_down(n):
    time.sleep(0.001)
    seen.append(n)
    return n


def remember(n):
    if n not in cache:
        time.sleep(0.001)
        cache[n] = n
    return cache[n]


def test_side_effects_are_seen_and_a_lost_one_is_wrong():
    _, rows = study(note_down, ways={**WAYS, "processes": remedies.processes})
    assert rows["memo"].note == "not a pure function: it changes 'seen'"
    assert rows["sequential"].note.startswith("changes 'seen' outside")
    assert rows["processes"].verdict == "wrong"
    assert "a side effect is lost" in rows["processes"].note
    assert rows["threads"].same_answer


def test_side_effects_in_another_order_are_told():
    def backwards(func, items, *, workers):
        return [func(item) for item in reversed(items)][::-1]

    _, rows = study(note_down, ways={"backwards": backwards})
    assert rows["backwards"].same_answer
    assert "what it does to 'seen' comes in another order" in rows["backwards"].note


def test_filling_a_cache_of_its_own_is_no_side_effect():
    _, rows = study(remember)
    assert rows["memo"].verdict != "skipped"
    assert "cache" not in rows["sequential"].note


def test_a_task_that_writes_files_is_not_pure_but_one_that_removes_its_own_is(tmp_path):
    def write(n):
        time.sleep(0.001)
        return (tmp_path / f"{n}.txt").write_text("x")

    def scratch(n):
        time.sleep(0.001)
        (tmp_path / "scratch").write_text("x")
        os.remove(tmp_path / "scratch")

    _, rows = study(write)
    assert rows["memo"].note.startswith(f"not a pure function: it writes {tmp_path}")
    _, rows = study(scratch, ways={"memo": remedies.memo})
    assert rows["memo"].verdict != "skipped"


def test_processes_left_behind_are_ended_and_told():
    command = [sys.executable, "-c", "import time; time.sleep(611)"]

    started = []

    def careless(n):
        started.append(subprocess.Popen(command))
        return n

    _, rows = study(careless, [1, 2], {"threads": remedies.threads}, budget_s=4)
    assert "left processes behind, which were ended: " in rows["sequential"].note
    assert not [pid for pid, line in children_now().items() if "sleep(611)" in line]
    assert all(process.wait(timeout=10) for process in started)


def test_threads_left_behind_are_told():
    ended = threading.Event()

    def careless(n):
        threading.Thread(target=ended.wait, name="lingering", daemon=True).start()
        return n

    try:
        _, rows = study(careless, [1], {"threads": remedies.threads})
        assert "leaves threads running, which can't be ended: lingering" in rows["sequential"].note
    finally:
        ended.set()


def test_items_that_can_not_be_copied_are_taken_as_they_are():
    locks = [threading.Lock()]
    conduct = Conduct(id, locks)
    with conduct.first_run(locks):
        pass
    assert conduct.intact(locks) is locks
    assert conduct.impure == ""


@pytest.mark.slow
def test_the_command_ends_though_a_task_hangs_under_one_remedy(tmp_path):
    (tmp_path / "task.py").write_text(
        "import threading, time\n"
        "def task(n):\n"
        "    if threading.current_thread() is not threading.main_thread(): time.sleep(3600)\n"
        "    time.sleep(0.01)\n    return n\n"
    )
    (tmp_path / "items.txt").write_text("1\n2\n3\n")
    command = [sys.executable, "-m", "workbench", "compare", "task.py:task", "--items", "items.txt"]
    command += ["--remedies", "threads,memo", "--budget", "12s"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert re.search(r"threads: not done after [\d.]+ s: the thread workbench-threads still runs", done.stdout)
    assert "memo: a thread of threads still runs, and nothing is timed beside it" in done.stdout
    assert "Keep it as it is" not in done.stdout


def printing(n):
    time.sleep(0.001)
    sys.stdout.write("sent\n")
    return n


class Sum:
    value = 0


def adding(n):
    before = Sum.value
    time.sleep(0.002)
    Sum.value = before + 1
    return n


def stamping(n):
    global stamp
    time.sleep(0.002)
    stamp = time.time()
    return n


stamp = 0.0


def test_memo_is_not_advised_for_what_prints(capsys):
    _, rows = study(printing, ways={"memo": remedies.memo, "threads": remedies.threads})
    assert rows["memo"].verdict == "skipped"
    assert rows["memo"].note == "not a pure function: it prints"
    assert rows["sequential"].note == "6 of 20 items were done, the rest is scaled; prints"
    assert rows["threads"].verdict == "not tried"


def test_a_race_on_an_attribute_is_wrong():
    found, rows = study(adding, ways={"threads": remedies.threads, "memo": remedies.memo})
    assert rows["threads"].verdict == "wrong"
    assert "changes 'Sum.value' by" in rows["threads"].note
    assert found.recommended is None


def test_a_stamp_is_no_fault():
    _, rows = study(stamping, ways={"threads": remedies.threads})
    assert rows["threads"].verdict == "faster"


def watched_twice(func, items, again):
    """A task's conduct when it did all items, and the first few of them again."""
    conduct, done = Conduct(func, items), []
    with conduct.first_run(at=lambda: len(done)):
        for number, item in enumerate(items):
            func(item)
            done.append(item)
            conduct.done([number], number + 1)
    first = conduct.impure
    with conduct.second_run(again, whole=False):
        remedies.sequential(func, items[:again])
    return first, conduct


def test_what_a_few_items_alone_do_is_told(tmp_path):
    def seldom(n):
        if n == 19:
            (tmp_path / "nineteen").write_text("x")
        return n

    _, conduct = watched_twice(seldom, NUMBERS, 4)
    assert [str(effect) for effect in conduct.outward] == [f"writes {tmp_path / 'nineteen'}"]


def test_answers_kept_in_files_are_written_for_the_first_time_only(tmp_path):
    def kept(n):
        if not (path := tmp_path / str(n)).exists():
            path.write_text(str(n * n))
        return int(path.read_text())

    first, conduct = watched_twice(kept, NUMBERS, 4)
    assert first
    assert conduct.impure == ""
