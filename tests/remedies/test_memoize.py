import asyncio
import gc
import inspect
import logging
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import numpy as np
import pytest
from counted import Counted
from hypothesis import given
from hypothesis import strategies as st

from workbench import UsageError, memoize
from workbench.folders import cache_folder
from workbench.remedies import tiers
from workbench.remedies.memo import MemoInfo
from workbench.remedies.tiers import call_key


@pytest.fixture(params=["plain", "async"])
def counted(request, tmp_path):
    return lambda *args, **options: Counted(request.param, *args, folder=tmp_path, **options)


@pytest.fixture
def clock(monkeypatch):
    """The time of day, to be set by hand; joblib reads it too."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_a_second_call_computes_nothing(counted):
    square = counted()
    assert [square(3), square(3), square(4)] == [9, 9, 16]
    assert square.calls == [3, 4]
    assert square.memoized.info() == MemoInfo(warm_hits=1, stored_hits=0, shared=0, misses=2)


def test_integers_of_thousands_of_digits_are_arguments_as_any_other(counted):
    huge = 3**30_000
    first, second = counted(lambda n: n % 1000, maxsize=0), counted(lambda n: n % 1000, maxsize=0, ttl_s=60)
    for memoized in (first, second):
        assert [memoized(huge), memoized(huge)] == [huge % 1000] * 2
    assert len(first.calls) == 1, "the answer is on disk"
    assert len(second.calls) == 2, "joblib keeps no date for it, so that it can't be known to be fresh"


def test_the_next_process_finds_it_on_disk(counted):
    counted()(3)
    again = counted()  # nothing in common with the first but the folder
    assert again(3) == 9
    assert again.calls == []
    assert again.memoized.info() == MemoInfo(warm_hits=0, stored_hits=1, shared=0, misses=0)


def test_another_interpreter_finds_it_on_disk(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        from workbench import memoize

        @memoize(folder="store")
        def square(n):
            print("computing")
            return n * n

        print(square(3), square.info())
        """)
    )
    runs = [
        subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0].startswith("computing\n9 MemoInfo(warm_hits=0, stored_hits=0, shared=0, misses=1)")
    assert runs[1].startswith("9 MemoInfo(warm_hits=0, stored_hits=1, shared=0, misses=0)")


def test_what_kind_of_function_it_is_stays_visible(tmp_path):
    @memoize(folder=tmp_path)
    async def fetch(url: str, *, retries: int = 3) -> str:
        """Fetch a page."""

    assert inspect.iscoroutinefunction(fetch)
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch a page.")
    assert str(inspect.signature(fetch)) == "(url: str, *, retries: int = 3) -> str"
    assert not inspect.iscoroutinefunction(memoize(lambda n: n, folder=tmp_path))


def test_equal_numbers_of_other_types_are_other_arguments(counted):
    name = counted(lambda n: type(n).__name__)
    inputs = [1, 1.0, True, 0.0, -0.0, "1", (1,), (1.0,), np.int64(1)]
    first, second = [[name(value) for value in inputs] for _ in range(2)]
    assert first == second == [type(value).__name__ for value in inputs]
    assert len(name.calls) == len(inputs)


@given(st.recursive(st.none() | st.integers() | st.text() | st.booleans(), lambda inner: st.lists(inner).map(tuple)))
def test_an_argument_is_known_again(value):
    assert call_key((value,), {}) == call_key((value,), {})
    assert call_key((), {"x": value}) == call_key((), {"x": value})
    assert call_key((value,), {}) != call_key((), {"x": value})


def test_keywords_in_any_order_are_the_same_call(tmp_path):
    calls = []

    @memoize(folder=tmp_path)
    def area(width, height=2):
        calls.append((width, height))
        return width * height

    assert [area(width=3, height=4), area(height=4, width=3), area(3, 4), area(3), area(3, 2)] == [12, 12, 12, 6, 6]
    assert calls == [(3, 4), (3, 2)]


def test_positional_only_parameters_work(tmp_path):
    @memoize(folder=tmp_path)
    def double(n, /):
        return 2 * n

    assert [double(4), double(4), double(5)] == [8, 8, 10]


def test_builtins_work_even_without_a_signature(tmp_path):
    largest = memoize(max, folder=tmp_path)
    assert [largest(1, 2), largest(1, 2), largest(3, 2)] == [2, 2, 3]
    assert largest.info().misses == 2


def test_answers_expire(counted, clock):
    square = counted(ttl_s=60)
    square(3)
    clock[0] += 59
    square(3)
    assert square.calls == [3]
    clock[0] += 2
    square(3)
    assert square.calls == [3, 3]


def test_the_age_counts_from_the_computation_not_from_the_load(counted, clock):
    counted(ttl_s=60)(3)
    clock[0] += 40
    again = counted(ttl_s=60)
    again(3)
    assert again.calls == []
    clock[0] += 40
    again(3)
    assert again.calls == [3]


def test_exceptions_are_not_remembered(counted):
    def fragile(n):
        if len(broken.calls) == 1:
            raise OSError("try again")
        return n

    broken = counted(fragile)
    with pytest.raises(OSError, match="try again"):
        broken(3)
    assert broken(3) == 3
    assert broken.calls == [3, 3]


def test_a_changed_answer_harms_nobody(counted):
    listing = counted(lambda n: [n, {"deep": [n]}, np.arange(3)])
    for _ in range(3):
        answer = listing(1)
        answer[1]["deep"].append("spoiled")
        answer[2][0] = 99
        answer.clear()
    assert listing(1)[1] == {"deep": [1]}
    assert listing(1)[2].tolist() == [0, 1, 2]
    assert listing.calls == [1]


def test_answers_that_can_not_change_are_handed_out_as_they_are(counted):
    text = counted(lambda n: ("a long text " * n, None, 2.5))
    assert text(9) is text(9)


def test_a_large_answer_stays_on_disk_only(counted, monkeypatch):
    monkeypatch.setattr(tiers, "LARGEST_WARM_BYTES", 1000)
    zeros = counted(np.zeros)
    for size in (10, 1000):
        assert [zeros(size).size for _ in range(3)] == [size] * 3
    assert zeros.calls == [10, 1000]
    assert zeros.memoized.info() == MemoInfo(warm_hits=2, stored_hits=2, shared=0, misses=2)


def test_the_warm_tier_keeps_the_latest_used(counted):
    square = counted(maxsize=2)
    for n in (1, 2, 1, 3, 1, 2):
        square(n)
    assert square.calls == [1, 2, 3]
    assert square.memoized.info() == MemoInfo(warm_hits=2, stored_hits=1, shared=0, misses=3)


def test_no_warm_tier_at_all(counted):
    square = counted(maxsize=0)
    assert [square(3), square(3)] == [9, 9]
    assert square.memoized.info() == MemoInfo(warm_hits=0, stored_hits=1, shared=0, misses=1)


def test_clear_forgets_memory_disk_and_counts(counted):
    square = counted()
    square(3)
    square.memoized.clear()
    assert square.memoized.info() == MemoInfo(0, 0, 0, 0)
    square(3)
    assert square.calls == [3, 3]


def spoil(folder, content):
    (entry,) = folder.rglob("output.pkl")
    entry.unlink() if content is None else entry.write_bytes(content(entry.read_bytes()))


@pytest.mark.parametrize("content", [lambda whole: whole[:-1], lambda whole: b"", lambda whole: b"not a pickle", None])
def test_a_spoiled_entry_is_computed_again_and_told_in_one_line(counted, tmp_path, caplog, content):
    counted()(3)
    spoil(tmp_path, content)
    again = counted()
    with caplog.at_level(logging.WARNING):
        assert [again(3), again(3)] == [9, 9]
    assert again.calls == [3]
    assert len(caplog.messages) == (content is not None)
    assert all("can't be read" in message and "\n" not in message for message in caplog.messages)
    healed = counted()
    assert (healed(3), healed.calls) == (9, [])


def test_unreadable_metadata_is_no_reason_to_trust_an_old_answer(counted, tmp_path):
    counted(ttl_s=60)(3)
    (metadata,) = tmp_path.rglob("metadata.json")
    metadata.write_text("{")
    again = counted(ttl_s=60)
    assert (again(3), again.calls) == (9, [3])


def test_an_answer_that_does_not_pickle_is_returned_and_told(counted, caplog, tmp_path):
    lock = counted(lambda n: threading.Lock())
    assert lock(1).acquire(blocking=False)
    assert lock(1).acquire(blocking=False)
    assert lock.calls == [1, 1]
    assert "doesn't pickle, so it is not remembered" in caplog.messages[0]
    assert not list(tmp_path.rglob("output.pkl"))


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with pytest.raises(UsageError, match=r"^can't make the cache folder .*a file: .*; pass another folder=$"):
        memoize(abs, folder=blocked)(-1)


def test_a_folder_that_can_not_be_written_is_one_line():
    script = """
        import os, sys
        import joblib
        from workbench import UsageError, memoize

        if os.geteuid() == 0:
            os.setuid(65534)  # root may write everywhere
        try:
            memoize(abs, folder=sys.argv[1])(-1)
        except UsageError as error:
            print(error)
    """
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        os.chmod(folder, 0o555)
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), folder]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"can't write to the cache folder {folder}; pass another folder=\n"


def test_an_argument_that_does_not_pickle_is_one_line(counted):
    with pytest.raises(UsageError, match=r"^a call can't be remembered: its argument doesn't pickle \(one of lock\)$"):
        counted()(threading.Lock())


@pytest.mark.parametrize(("options", "message"), [({"maxsize": -1}, "maxsize"), ({"ttl_s": 0}, "ttl_s")])
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        memoize(abs, **options)


def test_what_has_no_name_of_its_own_is_refused(tmp_path):
    import functools

    for nameless in (functools.partial(pow, 2), "text".upper, [].append):
        with pytest.raises(UsageError, match="memoize takes a function"):
            memoize(nameless, folder=tmp_path)


def test_threads_that_ask_at_once_compute_once(tmp_path):
    asked, calls = threading.Barrier(20), []

    @memoize(folder=tmp_path)
    def slow(n):
        calls.append(n)
        time.sleep(0.2)
        return [n]

    answers = []

    def ask():
        asked.wait(timeout=30)
        answers.append(slow(7))

    callers = [threading.Thread(target=ask) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == [[7]] * 20
    assert calls == [7]
    assert len({id(answer) for answer in answers}) == 20
    info = slow.info()
    assert info.misses == 1
    assert info.shared + info.warm_hits == 19


def test_coroutines_that_ask_at_once_compute_once(tmp_path):
    calls = []

    @memoize(folder=tmp_path)
    async def slow(n):
        calls.append(n)
        await asyncio.sleep(0.05)
        return [n]

    async def main():
        return await asyncio.gather(*(slow(n % 2) for n in range(50)))

    assert asyncio.run(main()) == [[n % 2] for n in range(50)]
    assert sorted(calls) == [0, 1]
    assert slow.info() == MemoInfo(warm_hits=0, stored_hits=0, shared=48, misses=2)


def test_large_answers_are_computed_once_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tiers, "LARGEST_WARM_BYTES", 1000)
    calls = []

    @memoize(folder=tmp_path)
    async def zeros(n):
        calls.append(n)
        await asyncio.sleep(0.05)
        return np.zeros(n)

    async def main():
        return await asyncio.gather(*(zeros(1000) for _ in range(10)))

    assert [array.size for array in asyncio.run(main())] == [1000] * 10
    assert calls == [1000]


def test_event_loops_in_two_threads_share_a_computation(tmp_path):
    calls, ready = [], threading.Barrier(2)

    @memoize(folder=tmp_path)
    async def slow(n):
        calls.append(n)
        await asyncio.sleep(0.2)
        return n

    async def main():
        ready.wait(timeout=30)
        return await slow(1)

    loops = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert calls == [1]


def test_those_who_wait_get_the_exception(tmp_path):
    @memoize(folder=tmp_path)
    async def broken(n):
        await asyncio.sleep(0.05)
        raise ConnectionError("down")

    async def main():
        return await asyncio.gather(*(broken(1) for _ in range(5)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(main())] == ["down"] * 5
    gc.collect()  # an exception that nobody fetched would warn here


def test_a_cancelled_leader_takes_nobody_with_it(tmp_path):
    calls = []

    async def main():
        go = asyncio.Event()

        @memoize(folder=tmp_path)
        async def slow(n):
            calls.append(n)
            await go.wait()
            return n

        leader = asyncio.create_task(slow(1))
        while not calls:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(slow(1)) for _ in range(3)]
        await asyncio.sleep(0.01)
        leader.cancel()
        go.set()
        return await asyncio.gather(leader, *others, return_exceptions=True)

    cancelled, *answers = asyncio.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert answers == [1, 1, 1]
    assert calls == [1, 1]


def test_a_cancelled_waiter_leaves_the_computation_alone(tmp_path):
    async def main():
        go, started = asyncio.Event(), asyncio.Event()

        @memoize(folder=tmp_path)
        async def slow(n):
            started.set()
            await go.wait()
            return n

        leader = asyncio.create_task(slow(1))
        await started.wait()
        waiter = asyncio.create_task(slow(1))
        await asyncio.sleep(0.01)
        waiter.cancel()
        go.set()
        return await asyncio.gather(leader, waiter, return_exceptions=True)

    answer, cancelled = asyncio.run(main())
    assert answer == 1
    assert isinstance(cancelled, asyncio.CancelledError)


def test_a_recursive_function_works(tmp_path):
    @memoize(folder=tmp_path)
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(40) == 102334155


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_call_of_itself_ends_as_without_memoize(kind, tmp_path):
    @memoize(folder=tmp_path)
    def endless(n):
        return endless(n)

    @memoize(folder=tmp_path)
    async def endless_later(n):
        return await endless_later(n)

    with pytest.raises(RecursionError):
        endless(1) if kind == "plain" else asyncio.run(endless_later(1))


def test_many_threads_lose_no_count(tmp_path):
    @memoize(folder=tmp_path, maxsize=8)
    def square(n):
        return n * n

    def ask():
        assert [square(n % 16) for n in range(400)] == [(n % 16) ** 2 for n in range(400)]

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sum(square.info()) == 1600
    assert square.info().misses == 16


def test_changed_source_drops_the_answers(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for factor in (2, 3):
        (tmp_path / "changing.py").write_text(f"def times(n):\n    return {factor} * n\n")
        os.utime(tmp_path / "changing.py", (factor, factor))
        sys.modules.pop("changing", None)
        from changing import times

        assert memoize(times, folder=tmp_path / "store")(10) == factor * 10
    sys.modules.pop("changing")


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def of(self, n):
        return self.factor * n


def test_methods_tell_their_objects_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(Scale, "of", memoize(Scale.of, folder=tmp_path))
    assert [Scale(2).of(5), Scale(3).of(5), Scale(2).of(5)] == [10, 15, 10]
    assert Scale.of.info().warm_hits == 1


def test_the_default_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert memoize(abs)(-3) == 3
    assert list((tmp_path / "own").rglob("output.pkl"))
    monkeypatch.delenv("WORKBENCH_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "workbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "workbench"
