"""A task and remedies for it, side by side -> a `Comparison` that can be trusted."""

from workbench.comparison.api import compare

__all__ = ["compare"]
