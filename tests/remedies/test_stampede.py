"""Who asks for one missing answer at the same time, and how often it is computed."""

import pytest

from workbench import UsageError
from workbench.caches import SQLite
from workbench.remedies import stampede


@pytest.mark.slow
def test_only_protection_lets_one_compute(tmp_path):
    make = lambda: SQLite(tmp_path / "answers.sqlite", timeout_s=5)  # noqa: E731 - as in a notebook
    alone = stampede(make, protected=False, processes=2, callers=4)
    assert alone.computed > 1
    together = stampede(make, processes=2, callers=4)
    assert together.computed == 1
    assert alone.right == together.right == 8
    assert together.slowest_s > 0


def test_wrong_numbers_are_told():
    with pytest.raises(UsageError, match="1 process or more"):
        stampede(lambda: None, processes=0)
