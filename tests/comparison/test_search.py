import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import compare, remedies
from workbench.comparison.search import search_workers


def waits(limit, items):
    """Waits of a second each, of which so many fit beside each other."""
    return lambda workers, count: (count / min(workers, limit), items / min(workers, limit))


@given(limit=st.integers(1, 64), items=st.integers(1, 200), item_s=st.floats(1e-6, 10))
def test_the_search_ends_past_the_point_where_more_workers_stop_paying(limit, items, item_s):
    found = search_workers(waits(limit, items), items, item_s=item_s, left_s=lambda: 1e9)
    assert max(found.curve) <= items
    assert list(found.curve) == sorted(found.curve)
    best = found.fewest_good()
    assert found.curve[best] <= 1.1 * min(found.curve.values())
    assert best <= max(2, 2 * limit)


def test_a_wave_keeps_each_worker_as_busy_as_one_alone():
    seen = []

    def whole_s(workers, count):
        seen.append((workers, count))
        return count / workers, 1000 / workers

    search_workers(whole_s, 1000, item_s=0.004, left_s=lambda: 1e9)
    assert {count / workers for workers, count in seen if count < 1000} == {10}


def test_one_long_item_hides_no_gain():
    items_s = [1.0, 1.0, 1.0, 8.0] + [1.0] * 196

    def whole_s(workers, count):
        time_s = max(sum(items_s[:count]) / workers, max(items_s[:count]))
        return time_s, time_s * sum(items_s) / sum(items_s[:count])

    found = search_workers(whole_s, 200, item_s=1.0, left_s=lambda: 1e9, uneven=True)
    assert found.fewest_good() >= 16


def test_what_fails_with_more_workers_is_told_and_the_best_that_worked_is_taken():
    def whole_s(workers, count):
        if workers > 8:
            raise RuntimeError("HTTP 429")
        return waits(99, 40)(workers, count)

    found = search_workers(whole_s, 40, item_s=1.0, left_s=lambda: 1e9)
    assert (found.fewest_good(), found.ended) == (8, "with 16 workers: RuntimeError: HTTP 429")


def test_what_fails_with_one_worker_fails():
    def whole_s(workers, count):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        search_workers(whole_s, 40, item_s=1.0, left_s=lambda: 1e9)


def test_a_search_that_was_cut_says_so():
    found = search_workers(waits(99, 100), 100, item_s=1.0, left_s=lambda: 0.0)
    assert (list(found.curve), found.ended) == ([2], "no time for more than 2 workers")


@pytest.mark.slow
def test_the_curve_is_kept_and_the_number_shown():
    import asyncio

    async def nap(item):
        await asyncio.sleep(0.01)
        return item

    found = compare(
        nap, list(range(16)), {"asyncio": remedies.asynchronous}, budget_s=20, precision=0.3, progress=False
    )
    row = found.rows[1]
    assert row.verdict == "faster"
    assert row.workers >= 4
    assert {f"asyncio@{workers}" for workers in (2, 4)} <= found.raw.keys()
    assert f"asyncio ({row.workers} workers) is" in found.reason
    assert "Its price: asynchronous code" in found.reason


@pytest.mark.slow
def test_a_given_number_is_not_searched():
    found = compare(abs, [1, 2], ["threads"], workers=3, budget_s=10, progress=False)
    assert found.rows[1].workers == 3
    assert set(found.raw) == {"sequential", "threads"}
