"""The faults of the pairs by name, line and kind of the opportunity; and the names of the well-written programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PAIRS = Path(__file__).with_name("pairs.py")
_TEXT = PAIRS.read_text()
_MARKER = re.compile(r"# fault: (\w+) ([\w-]+)")


class Fault(NamedTuple):
    """A fault of the pairs: its name, the kind of the opportunity, and its line."""

    name: str
    kind: str
    line: int


FAULTS = [
    Fault(match[1], match[2], number)
    for number, line in enumerate(_TEXT.splitlines(), 1)
    if (match := _MARKER.search(line))
]
CONTROLS = re.findall(r"^(?:async )?def (control_\w+)", _TEXT, re.MULTILINE)


def diagnosed(function: str, site: str) -> dict[str, Any]:
    """Return the diagnosis of a function of the pairs as the command gives it; ``site`` is what it asks."""
    command = [sys.executable, "-m", "workbench", "diagnose", f"{PAIRS}:{function}", "--json"]
    ended = subprocess.run(command, env=os.environ | {"PAIRS_URL": site}, capture_output=True, text=True, check=False)
    assert not ended.returncode, f"{function}: {ended.stderr}"
    diagnosis: dict[str, Any] = json.loads(ended.stdout)
    return diagnosis


def rank(diagnosis: dict[str, Any], fault: Fault) -> int:
    """Return which of the opportunities is that of a fault, from 1 on; 0 where none is."""
    found = [(one["kind"], one["line"]) for one in diagnosis["opportunities"]]
    wanted = fault.kind, fault.line
    return found.index(wanted) + 1 if wanted in found else 0
