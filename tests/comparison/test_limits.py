import asyncio
import contextlib
import re
import signal
import threading
import time

import pytest

from workbench import TaskError, compare, remedies
from workbench.comparison.limits import OutOfTime, time_limit

# An alarm that rings while the collector runs a clean-up, here one of the test tools, is lost there, and told.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def nap(item):
    time.sleep(0.001)
    return item


def test_an_earlier_alarm_goes_on_afterwards():
    rang = []
    former = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    before = signal.setitimer(signal.ITIMER_REAL, 0.2)  # pytest's own time limit is such an alarm
    try:
        with time_limit(30):
            pass
        assert not rang
        time.sleep(0.4)
        assert rang
    finally:
        signal.signal(signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, *before)


def test_elsewhere_than_in_the_main_thread_there_is_no_limit():
    done = []

    def unlimited():
        with time_limit(0.01):
            time.sleep(0.05)
            done.append(True)

    thread = threading.Thread(target=unlimited)
    thread.start()
    thread.join()
    assert done


def test_a_task_that_catches_everything_is_stopped_too():
    def stubborn():
        while True:
            with contextlib.suppress(Exception):
                time.sleep(60)

    with pytest.raises(OutOfTime), time_limit(0.05):
        stubborn()


@pytest.mark.slow
def test_an_alarm_that_is_lost_in_a_clean_up_rings_again():
    class SlowToGo:
        def __del__(self):
            time.sleep(0.2)  # the alarm rings here, where nobody hears what is raised

    start_s = time.monotonic()

    def stuck():
        SlowToGo()
        time.sleep(60)

    with pytest.raises(OutOfTime), time_limit(0.05):
        stuck()
    assert time.monotonic() - start_s < 30


HUNG = r"not done after [\d.]+ s; threads that it started may still run"


@pytest.mark.slow
@pytest.mark.parametrize("hanging_run", [0, 4])
def test_a_remedy_that_hangs_is_told_and_the_others_go_on(hanging_run):
    runs = iter(range(1000))

    def hangs(func, items, *, workers):
        if next(runs) == hanging_run:
            threading.Event().wait()
        return list(items)

    ways = {"hangs": hangs, "threads": remedies.threads}
    found = compare(nap, list(range(16)), ways, budget_s=8, workers=4, progress=False)
    assert found.rows[1].verdict == "failed"
    assert re.fullmatch(HUNG, found.rows[1].note)
    assert found.rows[2].speedup > 1.5  # how sure that is depends on how many rounds were left


@pytest.mark.slow
def test_a_task_that_takes_longer_than_the_budget_is_one_line():
    with pytest.raises(TaskError, match=r"^the task takes longer than the budget of 0.2 s; raise budget_s$"):
        compare(time.sleep, [60], ["threads"], budget_s=0.2, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["threads", "processes", "asyncio"])
def test_every_pool_can_be_stopped(name):
    async def endless(item):
        await asyncio.sleep(item)

    run = {"threads": remedies.threads, "processes": remedies.processes, "asyncio": remedies.asynchronous}[name]
    start_s = time.monotonic()
    with pytest.raises(OutOfTime), time_limit(1):
        run(endless if name == "asyncio" else time.sleep, [6, 6], workers=2)
    assert time.monotonic() - start_s < 5
