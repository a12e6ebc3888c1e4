"""What every doctest may use."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _doctest_tmp(doctest_namespace: dict[str, Any], tmp_path: Path) -> None:
    """Give doctests ``tmp``, an empty folder of their own."""
    doctest_namespace["tmp"] = tmp_path
