"""Items, answers and failures that would crash or stall who reads them: one task fails, the queue goes on."""

import sqlite3

import pytest
import queue_tasks

from workbench import QueueError, UsageError
from workbench.queues import CeleryQueue

pytestmark = [pytest.mark.service, pytest.mark.slow]

TOO_DEEP = r"^a list can't be sent: it is nested deeper than 1024 levels, or contains itself; send plain data$"
#: 100,000 lists, as many tuples, nothing, and a tuple as it once was.
PLANTED = (b"\x91" * 100_000, b"\xc1\4" + b"\x92\xc7\0\1" * 100_000, b"\xc1", b"\xd5\1\x91\1")


@pytest.fixture(scope="module", params=["processes", "Celery, Redis"])
def queue(request, make):
    with make(request.param, workers=1) as queue:
        yield queue


def test_an_item_that_is_nested_too_deep_is_refused(queue):
    item = queue_tasks.nest(100_000)
    if isinstance(queue, CeleryQueue):
        with pytest.raises(UsageError, match=TOO_DEEP):
            queue.submit(queue_tasks.as_it_came, item)
    else:
        with pytest.raises(QueueError, match=r"^the pool could not do it: .+$"):
            queue.result(queue.submit(queue_tasks.as_it_came, item), 60)
    assert queue.map(queue_tasks.increment, [1, 2]) == [2, 3]


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_an_answer_that_is_nested_too_deep_fails_its_task_alone(queue, depth):
    before = queue.worker_pids() if isinstance(queue, CeleryQueue) else []
    handle = queue.submit(queue_tasks.nest, depth)
    with pytest.raises(
        UsageError if before else QueueError, match=TOO_DEEP if before else r"^the pool could not do it"
    ):
        queue.result(handle, 60)
    assert queue.map(queue_tasks.increment, [1, 2]) == [2, 3]
    assert handle in [letter.handle for letter in queue.dead_letters()]
    assert not before or queue.worker_pids() == before


def test_a_failure_that_is_nested_too_deep_fails_its_task_alone(queue):
    handle = queue.submit(queue_tasks.raise_nested, 100_000)
    shown = r"^ValueError, whose text can't be had$" if isinstance(queue, CeleryQueue) else r"^the pool could not do it"
    with pytest.raises(QueueError, match=shown):
        queue.result(handle, 60)
    assert queue.map(queue_tasks.increment, [1, 2]) == [2, 3]


def test_nested_tuples_come_and_go(queue):
    item = None
    for _ in range(300):
        item = (item, {1})
    assert queue.result(queue.submit(queue_tasks.as_it_came, item), 60) == item


def test_what_was_planted_in_the_store_is_an_error_of_its_task(shared_service, tmp_path):
    with CeleryQueue(shared_service("redis").url, workers=1, folder=tmp_path) as queue:
        done = [queue.submit(queue_tasks.increment, number) for number, _ in enumerate(PLANTED)]
        failed = [queue.submit(queue_tasks.increment, "no number") for _ in PLANTED]
        for handle in failed:
            with pytest.raises(TypeError):
                queue.result(handle, 60)
        with sqlite3.connect(tmp_path / "tasks.sqlite", timeout=30) as db:
            for planted, well, ill in zip(PLANTED, done, failed, strict=True):
                db.execute("UPDATE tasks SET answer = ? WHERE id = ?", (planted, well.id))
                db.execute("UPDATE tasks SET item = ?, error = ? WHERE id = ?", (planted, planted, ill.id))
        db.close()
        for handle in done + failed:
            with pytest.raises(QueueError, match=r"^what the queue kept can't be read: it .+$"):
                queue.result(handle, 60)
        letters = queue.dead_letters()
        assert [letter.handle for letter in letters] == failed
        assert all(letter.error.startswith("what the queue kept can't be read: it ") for letter in letters)
        assert all(isinstance(letter.item, QueueError) for letter in letters)
        for handle in failed:
            with pytest.raises(QueueError, match="can't be read"):
                queue.result(queue.resubmit(handle), 60)
        assert queue.map(queue_tasks.increment, [1, 2]) == [2, 3]
