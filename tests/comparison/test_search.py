import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import compare, remedies
from workbench.comparison.search import fewest_good, search_workers


@given(limit=st.integers(1, 64), items=st.integers(1, 200), sample=st.integers(1, 200))
def test_the_search_ends_past_the_point_where_more_workers_stop_paying(limit, items, sample):
    curve = search_workers(lambda workers, count: count / min(workers, limit), items, sample=sample)
    assert max(curve) <= items
    assert list(curve) == sorted(curve)
    best = fewest_good(curve)
    assert curve[best] <= 1.05 * min(curve.values())
    assert best <= max(2, 2 * limit)


def test_each_worker_gets_as_many_items_as_one_alone():
    seen = []
    search_workers(lambda workers, count: seen.append((workers, count)) or count / workers, 1000, sample=10)
    assert seen[::2][:5] == [(1, 10), (2, 20), (4, 40), (8, 80), (16, 160)]
    assert seen[-1] == (1000, 1000)


def test_a_long_item_early_on_hides_no_gain():
    items_s = [1.0, 1.0, 1.0, 8.0] + [1.0] * 196

    def seconds(workers, count):
        return max(sum(items_s[:count]) / workers, max(items_s[:count]))

    curve = search_workers(seconds, 200, sample=4, share=lambda count: sum(items_s[:count]) / sum(items_s), uneven=True)
    assert fewest_good(curve) >= 16


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
    assert {f"asyncio@{workers}" for workers in (1, 2, 4)} <= found.raw.keys()
    assert f"asyncio ({row.workers} workers) is" in found.reason
    assert "Its price: asynchronous code" in found.reason


@pytest.mark.slow
def test_a_given_number_is_not_searched():
    found = compare(abs, [1, 2], ["threads"], workers=3, budget_s=10, progress=False)
    assert found.rows[1].workers == 3
    assert set(found.raw) == {"sequential", "threads"}


def test_two_workers_are_tried_however_little_time_there_is():
    assert list(search_workers(lambda workers, count: count / workers, 100, sample=100, limit_s=0.001)) == [1, 2]
