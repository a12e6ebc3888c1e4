"""The verdict follows from the parts alone, so it is tested on parts alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.diagnosis.verdict import judge
from workbench.parts import NAMES


@pytest.mark.parametrize(
    ("parts", "verdict", "bound_by"),
    [
        ({"python": 1.0}, "CPU-bound", "python"),
        ({"python": 0.2, "native": 0.8}, "CPU-bound", "native"),
        ({"python": 0.6, "runqueue": 0.4}, "CPU-bound", "python"),
        ({"python": 0.2, "runqueue": 0.8}, "CPU-bound", "python"),
        ({"python": 0.1, "runqueue": 0.9}, "contended", "runqueue"),
        ({"python": 0.5, "gil": 0.5}, "contended", "gil"),
        ({"python": 0.25, "gil": 0.75}, "contended", "gil"),
        ({"lock": 0.9, "sleep": 0.1}, "contended", "lock"),
        ({"network": 0.9, "python": 0.1}, "IO-bound", "network"),
        ({"disk": 0.3, "runqueue": 0.65, "python": 0.05}, "IO-bound", "disk"),
        ({"sleep": 1.0}, "idle", "sleep"),
        ({"python": 0.5, "network": 0.5}, "mixed", "mixed"),
        ({"python": 0.5, "other": 0.5}, "unclear", "unclear"),
        ({}, "unclear", "unclear"),
    ],
)
def test_parts_lead_to_the_verdict(parts: dict[str, float], verdict: str, bound_by: str) -> None:
    assert judge(parts)[:2] == (verdict, bound_by)


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)), st.floats(1e-3, 1e3))
def test_the_verdict_does_not_depend_on_the_unit(parts: dict[str, float], factor: float) -> None:
    before = judge(parts)
    after = judge({part: seconds * factor for part, seconds in parts.items()})
    if before.reasons == after.reasons:  # else rounding moved a share across a threshold
        assert after == before


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)), st.floats(0, 0.3))
def test_waiting_for_a_core_never_reads_as_waiting_for_the_outside(parts: dict[str, float], cpu_s: float) -> None:
    busy = {"python": cpu_s, "runqueue": parts.get("runqueue", 0.0)}
    assert judge(busy).verdict in ("CPU-bound", "contended", "unclear")
