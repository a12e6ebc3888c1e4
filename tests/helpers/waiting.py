"""Waiting for what has to happen, however long a busy machine takes for it."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
#: By then it has happened on any machine, or never will.
PATIENCE_S = 60.0


def eventually(condition: Callable[[], Value]) -> Value:
    """Return what a condition gives, as soon as it is true; fail where it never is."""
    end_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > end_s:
            raise AssertionError(f"it did not happen within {PATIENCE_S:g} s")
        time.sleep(0.005)
    return found
