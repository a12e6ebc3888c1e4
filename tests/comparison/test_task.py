"""What is known of the items of a task, and how blocks of them are picked and scaled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.comparison.task import Task


def a_task(times_s):
    task = Task(abs, [-number for number in range(len(times_s))], None, seed=0)
    task.learn(task.everything, list(range(len(times_s))), times_s)
    return task


@given(size=st.integers(1, 50), count=st.integers(1, 60), rounds=st.integers(1, 20))
def test_blocks_take_turns_so_that_every_item_comes_about_as_often(size, count, rounds):
    task = Task(abs, list(range(size)), None, seed=1)
    blocks = [task.block(number * min(count, size), count) for number in range(rounds)]
    assert all(len(block) == len(set(block)) == min(count, size) for block in blocks)
    often = [sum(index in block for block in blocks) for index in range(size)]
    assert max(often) - min(often) <= 1
    assert 0 in blocks[0]


def test_a_share_is_of_the_time_where_items_take_unlike_times_and_of_their_number_else():
    assert a_task([0.03, 0.01, 0.01, 0.01]).share([0]) == pytest.approx(0.5)
    assert a_task([3e-6, 1e-6, 1e-6, 1e-6]).share([0]) == 0.25
    assert a_task([0.03, 0.01]).share([0, 1]) == 1


def test_each_item_counts_with_the_least_that_it_took():
    task = a_task([0.3, 0.002, 0.002])  # as if the first call had to connect
    task.learn([0, 1], [0, 1], [0.03, 0.004])
    assert task.times_s == {0: 0.03, 1: 0.002, 2: 0.002}
    assert task.uneven
    assert not a_task([0.002, 0.002, 0.0021]).uneven


def test_items_that_were_not_seen_count_as_the_others_do():
    task = Task(abs, [1, 2, 3, 4], None, seed=0)
    task.learn([0, 1], [1, 2], [0.01, 0.03])
    assert task.whole_s == pytest.approx(0.08)


def test_only_items_that_the_baseline_did_are_checked_and_told_by_their_numbers():
    task = Task(abs, [-1, -2, -3, -4], None, seed=0)
    task.learn([0, 2], [1, 3], [1.0, 1.0])
    assert task.difference([2, 3], [3, "anything"]) == ""
    assert task.difference([1, 2], ["anything", 7]) == "item 2: 7 instead of 3"
    assert task.difference([1, 2], [1]) == "1 answers instead of 2"
