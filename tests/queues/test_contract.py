"""What holds for every queue; a new one is covered by adding it to the list in conftest.py."""

import math
import threading
from pathlib import Path

import pytest
import queue_tasks
from waiting import eventually

from workbench import QueueError, UsageError
from workbench.queues import Handle, Progress

pytestmark = pytest.mark.service


QUEUES = ["asyncio", "processes", "Celery, Redis", "Celery, RabbitMQ", "Celery, embedded"]


@pytest.fixture(scope="module", params=QUEUES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def queue(name, make):
    with make(name, retries=2, backoff_s=0.01) as queue:
        yield queue


@pytest.fixture
def func(name):
    """Return a function that finds a task's function as this queue takes it: plain, or its async twin."""
    return lambda plain: getattr(queue_tasks, f"{plain}_later" if name == "asyncio" else plain)


def test_answers_come_in_the_order_of_the_items(queue, func):
    items = [5, 3, 3, 9, 1, 0, 7] * 3
    assert queue.map(func("increment"), items) == [item + 1 for item in items]


def test_an_answer_is_there_as_often_as_it_is_asked_for(queue, func):
    handles = [queue.submit(func("increment"), n) for n in range(5)]
    assert [queue.result(handle) for handle in reversed(handles * 2)] == [5, 4, 3, 2, 1] * 2


@pytest.mark.parametrize("item", [None, True, 2**80, -(2**64), 0.5, math.inf, "ü", b"\0", (1, [2, (3,)]), {4: {5}}, 2j])
def test_items_and_answers_stay_what_they_are(queue, func, item):
    answer = queue.result(queue.submit(func("as_it_came"), item))
    assert answer == item
    assert type(answer) is type(item)


def test_a_failure_of_one_task_is_that_tasks_failure(queue, func):
    answers = queue.map(func("refuse_two"), [1, 2, 3], return_exceptions=True)
    assert [answers[0], answers[2]] == [2, 4]
    assert (type(answers[1]), str(answers[1])) == (ValueError, "not two")
    with pytest.raises(ValueError, match=r"^not two$"):
        queue.map(func("refuse_two"), [1, 2, 3])


def test_a_task_that_raises_is_tried_again(queue, func, tmp_file):
    before = queue.progress().runs
    assert queue.result(queue.submit(func("fail_twice"), tmp_file)) == "at last"
    assert queue.progress().runs == before + 3


def test_a_task_that_fails_for_good_is_listed_and_can_be_submitted_again(queue, func, tmp_file):
    handle = queue.submit(func("fail_until_there"), tmp_file)
    with pytest.raises(FileNotFoundError):
        queue.result(handle)
    letter = queue.dead_letters()[-1]
    assert (letter.handle, letter.item, letter.runs) == (handle, tmp_file, 3)
    assert letter.func == f"queue_tasks:{func('fail_until_there').__name__}"
    assert letter.error.startswith("FileNotFoundError: ")
    Path(tmp_file).write_text("here")
    assert queue.result(queue.resubmit(handle)) == "here"
    assert handle not in [letter.handle for letter in queue.dead_letters()]
    with pytest.raises(UsageError, match="is not dead"):
        queue.resubmit(handle)


def test_a_task_with_a_key_takes_effect_once(queue, func, tmp_file):
    handles = [queue.submit(func("note"), tmp_file, key=f"once {tmp_file}") for _ in range(3)]
    assert [queue.result(handle) for handle in handles] == [0, 0, 0]
    assert Path(tmp_file).read_bytes() == b"x"


def test_an_answer_that_is_not_there_in_time_can_be_asked_for_later(queue, func, tmp_file):
    handle = queue.submit(func("wait_for"), tmp_file)
    with pytest.raises(TimeoutError, match=r"after 0\.01 s"):
        queue.result(handle, timeout_s=0.01)
    Path(tmp_file).touch()
    assert queue.result(handle) == tmp_file


def test_progress_tells_where_the_tasks_are(name, make, func, tmp_file):
    with make(name, workers=1) as queue:
        assert queue.progress() == Progress()
        queue.map(func("refuse_two"), [1, 2], return_exceptions=True)
        running, queued = (queue.submit(func("wait_for"), tmp_file) for _ in range(2))
        eventually(lambda: queue.progress().running)
        found = queue.progress()
        assert (found.done, found.dead, found.submitted) == (1, 1, 4)
        Path(tmp_file).touch()
        assert [queue.result(handle) for handle in (running, queued)] == [tmp_file] * 2
        assert queue.progress() == Progress(done=3, dead=1, runs=4)


def test_workers_work_at_the_same_time(name, make, func, tmp_file):
    with make(name, workers=3) as queue:
        handles = [queue.submit(func("wait_for"), tmp_file) for _ in range(3)]
        eventually(lambda: queue.progress().running == 3)
        Path(tmp_file).touch()
        assert [queue.result(handle) for handle in handles] == [tmp_file] * 3


def test_many_threads_may_submit(queue, func):
    answers = {}

    def some(start):
        answers[start] = queue.map(func("increment"), range(start, start + 10))

    threads = [threading.Thread(target=some, args=(start,)) for start in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {start: list(range(start + 1, start + 11)) for start in (0, 10, 20)}


def test_stopping_lets_what_runs_end_and_gives_up_what_waits(name, make, func, tmp_path):
    threads = set(threading.enumerate())
    with make(name, workers=1) as queue:
        for number in range(4):
            queue.submit(func("nap_and_note"), str(tmp_path / str(number)))
        eventually(lambda: queue.progress().running)
    # A pool hands out a task or two in advance: those run too.
    assert (tmp_path / "0").exists()
    assert not (tmp_path / "3").exists()
    left = [thread.name for thread in set(threading.enumerate()) - threads if "workbench" in thread.name]
    assert left == []


def test_a_stranger_is_refused_in_one_line(queue):
    with pytest.raises(UsageError, match="there is no task 999999 in this queue"):
        queue.result(Handle(999_999))


def test_the_wrong_kind_of_function_is_refused_in_one_line(queue, name):
    wrong = queue_tasks.increment if name == "asyncio" else queue_tasks.increment_later
    with pytest.raises(UsageError, match="coroutine function"):
        queue.submit(wrong, 1)


@pytest.mark.parametrize("options", [{"workers": 0}, {"retries": -1}])
def test_numbers_out_of_range_are_refused(name, make, options):
    with pytest.raises(UsageError, match="or more"):
        make(name, **options)


@pytest.mark.parametrize("with_processes", QUEUES[1:])
def test_a_task_that_ends_its_worker_is_that_tasks_failure_or_the_pools(with_processes, make):
    crashes = {} if with_processes == "processes" else {"crashes": 1}
    with make(with_processes, workers=1, **crashes) as queue:
        with pytest.raises(QueueError):
            queue.result(queue.submit(queue_tasks.end_the_worker, 1))
        assert queue.result(queue.submit(queue_tasks.increment, 1)) == 2
        assert [letter.func for letter in queue.dead_letters()] == ["queue_tasks:end_the_worker"]
