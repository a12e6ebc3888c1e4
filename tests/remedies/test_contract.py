"""What holds for every remedy; a new one is covered by adding it to the list."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import entry_points

import pytest
from queue_tasks import increment, increment_later
from waiting import eventually

from workbench import NotApplicableError, UsageError, remedies
from workbench.caches import Cache, Memory

pytestmark = pytest.mark.slow


def increment_all(array):
    return array + 1


def refuse_two(n):
    if n == 2:
        raise ValueError("not two")
    return n + 1


def no_plain_answer(n):
    return object()


async def refuse_two_later(n):
    return refuse_two(n)


def applies(run):
    try:
        return run(increment, [1]) == [2]
    except NotApplicableError:
        return False


PLAIN = {
    "sequential": remedies.sequential,
    "threads": remedies.threads,
    "processes": remedies.processes,
    "cluster": remedies.cluster,
    "memo": remedies.memo,
    "stored": remedies.stored,
    "recalled": remedies.recalled,
    "cached": remedies.cached(Cache(Memory())),
    "compiled": remedies.compiled,
    "celery": remedies.celery,
    "vectorised": remedies.vectorised(increment_all),
    "twin": remedies.twin(increment),
    "twin by threads": remedies.twin(increment, by=remedies.threads),
    "async twin": remedies.twin(increment_later, by=remedies.asynchronous),
}
#: Remedies that some Pythons have.
NEWER = {"subinterpreters": remedies.subinterpreters, "free-threading": remedies.free_threads}
PLAIN |= {name: run for name, run in NEWER.items() if applies(run)}
COROUTINES = {
    "sequential": remedies.sequential,
    "asyncio": remedies.asynchronous,
    "memo": remedies.memo,
    "stored": remedies.stored,
    "recalled": remedies.recalled,
    "cached": remedies.cached(Cache(Memory())),
    "plain twin": remedies.twin(increment),
}
ALL = [(run, increment) for run in PLAIN.values()] + [(run, increment_later) for run in COROUTINES.values()]
every_remedy = pytest.mark.parametrize(
    ("run", "func"), ALL, ids=[*PLAIN, *(f"{name} of coroutines" for name in COROUTINES)]
)


@pytest.fixture(scope="module", autouse=True)
def _no_pool_left():
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


@every_remedy
@pytest.mark.parametrize("workers", [None, 1, 3])
def test_answers_come_in_the_order_of_the_items(run, func, workers):
    items = [5, 3, 3, 9, 1, 0, 7] * 3
    answers = run(func, items, workers=workers)
    assert isinstance(answers, list)
    assert answers == [item + 1 for item in items]


@every_remedy
def test_no_items_have_no_answers(run, func):
    assert run(func, [], workers=2) == []


@every_remedy
def test_items_are_left_as_they_are(run, func):
    items = [3, 1, 2]
    run(func, items)
    assert items == [3, 1, 2]


@every_remedy
def test_it_works_where_an_event_loop_runs_as_in_a_notebook(run, func):
    async def cell():
        return run(func, [1, 2, 3], workers=2)

    assert asyncio.run(cell()) == [2, 3, 4]


@every_remedy
def test_no_thread_is_left_behind(run, func):
    before = threading.enumerate()
    run(func, [1, 2, 3], workers=2)
    left = [each.name for each in threading.enumerate() if each.name.startswith("workbench") and each not in before]
    assert left == []


@pytest.mark.parametrize(
    "name", ["sequential", "threads", "processes", "cluster", "memo", "stored", "recalled", "compiled", "celery"]
)
def test_the_tasks_own_exception_comes_through(name):
    with pytest.raises(ValueError, match=r"^not two$"):
        PLAIN[name](refuse_two, [1, 2, 3], workers=2)


@pytest.mark.parametrize("name", ["sequential", "asyncio", "memo", "stored", "recalled"])
def test_a_coroutines_own_exception_comes_through(name):
    with pytest.raises(ValueError, match=r"^not two$"):
        COROUTINES[name](refuse_two_later, [1, 2, 3], workers=2)


def test_every_installed_remedy_is_in_the_list():
    listed = {run for run in (*PLAIN.values(), *COROUTINES.values(), *NEWER.values()) if inspect.isfunction(run)}
    assert {point.load() for point in entry_points(group="workbench.remedies")} <= listed


@pytest.mark.parametrize(
    ("run", "func", "items", "message"),
    [
        (remedies.asynchronous, increment, [1], "not a coroutine function: asyncio needs an async twin"),
        (remedies.threads, increment_later, [1], "threads need a plain one"),
        (remedies.processes, increment_later, [1], "processes need a plain one"),
        (remedies.cluster, increment_later, [1], "a cluster needs a plain one"),
        (remedies.cluster, increment, [1, threading.Lock()], r"item 1 \(lock\) doesn't pickle"),
        (remedies.cluster, lambda n: threading.Lock(), [1], "an answer doesn't pickle, so"),
        (remedies.compiled, increment_later, [1], "plain Python functions only, not coroutines"),
        (remedies.compiled, abs, [1], "plain Python functions only, not a builtin_function_or_method"),
        (remedies.compiled, lambda n: {}.get(os.getenv("HOME")), [1], "numba can't compile it: "),
        (remedies.processes, increment, [1, threading.Lock()], r"item 1 \(lock\) doesn't pickle"),
        (remedies.processes, lambda n: threading.Lock(), [1], "an answer doesn't pickle, so"),
        (remedies.celery, increment_later, [1], "is a coroutine function: an event loop does those"),
        (remedies.celery, lambda n: n, [1], "workers can't import .*: put a named function into a module"),
        (
            remedies.celery,
            increment,
            [1, threading.Lock()],
            "a lock can't be sent: msgpack can't keep a lock; send plain data",
        ),
        (remedies.celery, no_plain_answer, [1], "a object can't be sent: msgpack can't keep a object"),
        (remedies.memo, increment, [threading.Lock()], "equal items can't be found: "),
        (remedies.stored, increment, [threading.Lock()], "its argument doesn't pickle"),
        (remedies.recalled, [1].append, [1], "memoize takes a function"),
    ],
)
def test_a_task_that_can_not_be_done_this_way_is_refused_in_one_line(run, func, items, message):
    with pytest.raises(NotApplicableError, match=message) as caught:
        run(func, items, workers=2)
    assert "\n" not in str(caught.value)


def test_processes_name_the_function_that_can_not_be_sent():
    lock = threading.Lock()

    def guarded(n):
        with lock:
            return n

    with pytest.raises(NotApplicableError, match=r"the function \S+guarded doesn't pickle"):
        remedies.processes(guarded, [1], workers=2)


@pytest.mark.parametrize("run", [remedies.processes, remedies.cluster])
def test_a_function_that_no_child_can_import_is_refused(run, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def double(n):\n    return 2 * n\n")
    monkeypatch.syspath_prepend(tmp_path)
    from only_here import double

    (tmp_path / "only_here.py").unlink()
    with pytest.raises(NotApplicableError, match="a worker process can't load the function or an item"):
        run(double, [1], workers=2)


@pytest.mark.parametrize(
    ("name", "needed"), [("subinterpreters", "need Python 3.14"), ("free-threading", "a free-threaded Python")]
)
def test_what_this_python_does_not_have_is_told(name, needed):
    if name in PLAIN:
        assert PLAIN[name](increment, [1, 2], workers=2) == [2, 3]
    else:
        with pytest.raises(NotApplicableError, match=needed):
            NEWER[name](increment, [1])


def test_a_cluster_is_started_once_and_ends_with_the_process():
    code = (
        "import os; from workbench.remedies import cluster\n"
        "print(*{pid for _ in range(3) for pid in cluster(lambda n: __import__('os').getpid(), range(40))})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    workers = {int(pid) for pid in done.stdout.split()}
    # A cluster for each of the three runs would have three times as many; a worker may have been replaced.
    assert 1 <= len(workers) < 3 * os.cpu_count()
    assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]
    assert "Traceback" not in done.stderr


def test_what_hangs_on_the_cluster_ends_with_an_interrupt(tmp_path):
    remedies.cluster(increment, [1])

    def hang(path):
        path.write_text(str(os.getpid()))
        time.sleep(3600)

    interrupt = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        remedies.cluster(hang, [tmp_path / "pid"])
    interrupt.join()
    pid = (tmp_path / "pid").read_text()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))
    assert remedies.cluster(increment, [1, 2]) == [2, 3]


def test_any_scheduler_can_be_named(monkeypatch):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as running:
        assert remedies.cluster_at(running.scheduler_address)(increment, [1, 2]) == [2, 3]
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", running.scheduler_address)
        here = remedies.cluster(lambda n: os.getpid(), [1])
        assert here == [os.getpid()]


def test_no_scheduler_at_that_address_is_one_line(monkeypatch):
    monkeypatch.setattr(sys.modules["workbench.remedies.cluster"], "START_S", 1)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1: "):
        remedies.cluster_at("tcp://127.0.0.1:1")(increment, [1])


def test_processes_say_that_a_worker_died():
    with pytest.raises(RuntimeError, match=r"^a worker process ended abruptly"):
        remedies.processes(lambda n: os._exit(3), [1], workers=2)


def test_an_interrupt_in_a_notebook_cancels_the_coroutines():
    ended = []

    async def endless(n):
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(n)

    async def cell():
        interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        try:
            remedies.asynchronous(endless, [1, 2], workers=2)
        except KeyboardInterrupt:
            return "interrupted"

    # A kernel's loop leaves SIGINT to Python; asyncio.run would take it for itself.
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(cell()) == "interrupted"
    finally:
        loop.close()
    assert sorted(ended) == [1, 2]


def test_threads_and_coroutines_overlap_up_to_workers():
    inside, most = 0, []

    async def busy(n):
        nonlocal inside
        inside += 1
        most.append(inside)
        await asyncio.sleep(0.001)
        inside -= 1

    remedies.asynchronous(busy, list(range(20)), workers=7)
    assert max(most) == 7
    meeting = threading.Barrier(3, timeout=30)
    assert remedies.threads(lambda n: meeting.wait() >= 0, [1, 2, 3], workers=3) == [True] * 3


def test_memo_computes_each_distinct_item_once():
    seen = []
    assert remedies.memo(lambda n: seen.append(n) or n, [1, 1.0, 1, True, 1.0]) == [1, 1.0, 1, True, 1.0]
    assert seen == [1, 1.0, True]
    assert [type(n) for n in seen] == [int, float, bool]


@pytest.mark.parametrize(("run", "computed"), [(remedies.recalled, [2, 3]), (remedies.stored, [2, 3, 2, 3])])
def test_what_the_second_run_computes(run, computed):
    seen = []

    def square(n):
        seen.append(n)
        return n * n

    assert run(square, [2, 3, 2]) == run(square, [2, 3, 2]) == [4, 9, 4]
    assert seen == computed
