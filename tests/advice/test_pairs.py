"""Programs with a fault, by the command: the person is led to the fix; well-written ones get no advice."""

import pairs_labels
import pytest
from pairs_labels import CONTROLS, FAULTS

from workbench import Site

pytestmark = [pytest.mark.desk, pytest.mark.timeout(600)]


def test_the_fix_is_the_first_or_second_opportunity() -> None:
    with Site() as site:
        found = {fault: pairs_labels.diagnosed(f"{fault.name}_faulty", site.origin) for fault in FAULTS}
    missed = [fault.name for fault in FAULTS if not 1 <= pairs_labels.rank(found[fault], fault) <= 2]
    assert len(missed) <= 0.15 * len(FAULTS), missed


def test_well_written_programs_get_no_advice() -> None:
    with Site() as site:
        found = {name: pairs_labels.diagnosed(name, site.origin)["opportunities"] for name in CONTROLS}
    advised = {name: [one["kind"] for one in kinds] for name, kinds in found.items() if kinds}
    assert len(advised) <= 0.05 * len(CONTROLS), advised
