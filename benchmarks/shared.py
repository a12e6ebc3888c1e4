"""What benchmarks share with the tests: programs of which the truth is known, and what they run beside."""

import sys
from pathlib import Path

HELPERS = Path(__file__).parents[1] / "tests" / "helpers"
sys.path.append(str(HELPERS))

import pairs_labels  # noqa: E402
import planted_labels  # noqa: E402
from corpus import LABELS, Label  # noqa: E402
from planted_labels import Control, Fault  # noqa: E402
from surroundings import busy, site  # noqa: E402

__all__ = ["LABELS", "PROGRAMS", "Control", "Fault", "Label", "busy", "pairs_labels", "planted_labels", "site"]

#: The file of the programs; all that they are made of lies beside it.
PROGRAMS = HELPERS / "corpus.py"
