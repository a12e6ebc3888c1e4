"""The book of a queue, with clocks of its own: which tasks are due, and which must have been lost."""

import pytest

from workbench.queues import store as store_module
from workbench.queues.store import Store

PATIENCE_S = 5.0


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 1000.0

        def time(self):
            return self.now_s

    clock = Clock()
    monkeypatch.setattr(store_module, "time", clock)
    return clock


@pytest.fixture
def store(tmp_path, clock):
    store = Store(tmp_path / "tasks.sqlite")
    yield store
    store.close()


def add(store, clock, count=1):
    added = []
    for _ in range(count):
        clock.now_s += 0.001
        added.append(store.add("math:isqrt", b"1", None)[0])
    return added


def due(store):
    return store.due(100)


def test_a_backlog_that_is_worked_off_in_order_is_not_missing(store, clock):
    first, *others = add(store, clock, 5)
    store.claim(first, "a")
    clock.now_s += 60
    assert store.miss(PATIENCE_S, silent=False) == 0
    assert due(store) == []
    assert len(others) == store.progress().queued


def test_what_was_overtaken_a_while_ago_is_missing(store, clock):
    lost, overtaker, later = add(store, clock, 3)
    store.claim(overtaker, "a")
    assert store.miss(PATIENCE_S, silent=False) == 0
    clock.now_s += PATIENCE_S + 1
    assert store.miss(PATIENCE_S, silent=False) == 1
    assert due(store) == [lost]
    assert store.miss(PATIENCE_S, silent=False) == 0, "it was just published again"
    assert store.outcome(later)[0] == "queued"


def test_one_that_was_started_and_published_again_overtakes_nobody(store, clock):
    (killed,) = add(store, clock)
    store.claim(killed, "a")
    clock.now_s += 1
    waiting = add(store, clock, 3)
    clock.now_s += 1
    assert store.release("a", crashes=3, error=b"") == 1
    assert due(store) == [killed]
    clock.now_s += 60
    assert store.miss(PATIENCE_S, silent=False) == 0
    assert store.miss(PATIENCE_S, silent=True) == 4
    assert set(due(store)) == {killed, *waiting}


def test_a_failure_is_due_after_its_pause_and_dead_after_its_retries(store, clock):
    (task,) = add(store, clock)
    for pause_s in (0.5, 1.0):
        assert store.claim(task, "a")
        store.fail(task, "a", b"why", retries=2, backoff_s=0.5)
        clock.now_s += pause_s - 0.01
        assert due(store) == []
        clock.now_s += 0.02
        assert due(store) == [task]
    assert store.claim(task, "a")
    store.fail(task, "a", b"why", retries=2, backoff_s=0.5)
    assert store.outcome(task) == ("dead", None, b"why")
    assert store.progress().runs == 3


def test_who_lost_a_task_can_not_end_it(store, clock):
    (task,) = add(store, clock)
    store.claim(task, "a")
    store.release("a", crashes=3, error=b"")
    store.claim(task, "b")
    store.finish(task, "a", b"late")
    store.fail(task, "a", b"late", retries=0, backoff_s=0.1)
    assert store.outcome(task)[0] == "running"
    store.finish(task, "b", b"2")
    assert store.outcome(task)[:2] == ("done", b"2")
    assert not store.claim(task, "c")


def test_a_task_that_costs_too_many_workers_is_dead(store, clock):
    (task,) = add(store, clock)
    for _ in range(2):
        assert store.claim(task, "a")
        store.release("a", crashes=2, error=b"died")
    assert store.outcome(task) == ("dead", None, b"died")
    assert store.revive(task)
    assert not store.revive(task)
    assert due(store) == [task]


def test_what_can_not_be_published_waits(store, clock):
    (task,) = add(store, clock)
    store.postpone(task, 0.5)
    assert due(store) == []
    clock.now_s += 0.6
    assert due(store) == [task]
