"""What benchmarks share with the tests: programs of which the truth is known, and what they run beside."""

import sys
from pathlib import Path

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
sys.path.append(str(HELPERS))

from corpus import LABELS, Label  # noqa: E402
from surroundings import busy, site  # noqa: E402

__all__ = ["LABELS", "PROGRAMS", "Label", "busy", "site"]

#: The file of the programs; all that they are made of lies beside it.
PROGRAMS = HELPERS / "corpus.py"
