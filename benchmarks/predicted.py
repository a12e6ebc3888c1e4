"""A row of a comparison as the benchmarks of predictions tell it."""

from __future__ import annotations

from typing import Any

from workbench.results import ComparisonRow

COLUMNS = ("task", "remedy", "speedup", "ci_low", "ci_high", "predicted", "predicted_low", "predicted_high")
COLUMNS += ("error", "note")


def told(task: str, row: ComparisonRow) -> tuple[Any, ...]:
    """Return what was measured, what was predicted, and by what share of the measured that is off; see `COLUMNS`."""
    error = abs(row.predicted / row.speedup - 1) if row.predicted and row.speedup else None
    predicted = (row.predicted, row.predicted_low, row.predicted_high)
    return task, row.remedy, row.speedup, row.ci_low, row.ci_high, *predicted, error, row.note
