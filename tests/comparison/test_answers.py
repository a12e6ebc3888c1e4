import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.comparison.answers import difference, same

NAN = float("nan")


class Point:
    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"Point({self.x})"


class Incomparable:
    def __eq__(self, other):
        raise RuntimeError("ask me not")

    __hash__ = None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (NAN, NAN),
        (1, 1.0),
        (True, np.True_),
        ([1, (2, NAN)], [1, (2, NAN)]),
        ({"a": np.array([1.0, NAN])}, {"a": np.array([1.0, NAN])}),
        (np.array([1, 2], dtype=np.int32), np.array([1, 2])),
        (np.array(["a", None], dtype=object), np.array(["a", None], dtype=object)),
        (pd.DataFrame({"x": [1.0, NAN]}), pd.DataFrame({"x": [1.0, NAN]})),
        (pd.Series([1, 2], index=["a", "b"]), pd.Series([1, 2], index=["a", "b"])),
    ],
)
def test_equal_answers(expected, actual):
    assert same(expected, actual)
    assert same(actual, expected)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (NAN, 1.0),
        ([1, 2], (1, 2)),
        ([1, 2], [1, 2, 3]),
        ({"a": 1}, {"b": 1}),
        (np.array([1, 2]), np.array([[1, 2]])),
        (np.array([1.0, NAN]), np.array([1.0, 2.0])),
        (np.array([1, 2]), [1, 2]),
        (pd.Series([1, 2]), pd.Series([1, 2], index=["a", "b"])),
        (pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [1.0]})),
        (2**53 + 1, float(2**53)),
    ],
)
def test_other_answers(expected, actual):
    assert not same(expected, actual)
    assert not same(actual, expected)


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_every_answer_equals_its_copy(answer):
    import copy
    import pickle

    assert same(answer, copy.deepcopy(answer))
    assert same(answer, pickle.loads(pickle.dumps(answer)))


def test_a_tolerance_is_the_callers_choice():
    assert difference([1.0], [1.0 + 1e-12]).startswith("item 0: 1.0")
    assert difference([1.0], [1.0 + 1e-12], equal=math.isclose) == ""
    assert difference([np.ones(3)], [np.ones(3) + 1e-9], equal=np.allclose) == ""


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        (None, "a NoneType instead of a list of 2 answers"),
        ([1], "1 answers instead of 2"),
        ([1, 3], "item 1: 3 instead of 2"),
    ],
)
def test_the_first_difference_is_named(actual, text):
    assert difference([1, 2], actual) == text


def test_answers_without_equality_ask_for_it():
    assert difference([Point(1)], [Point(1)]) == "item 0: Point(1) instead of Point(1) (Point has no ==; pass equal=)"


def test_answers_that_can_not_be_compared_are_no_crash():
    assert difference([Incomparable()], [1]) == "item 0: can't be compared, RuntimeError: ask me not; pass equal="
