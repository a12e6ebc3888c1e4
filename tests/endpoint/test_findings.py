"""What a study finds on the planted site, before anything is tried: the faults, their lines, and nothing else."""

import sys
from collections import defaultdict
from pathlib import Path

import planted_labels
import pytest
from planted_labels import SITE, Control, Fault

from workbench import Finding
from workbench.endpoint import api, trials
from workbench.endpoint.api import USUAL_LINK_BITS, Study
from workbench.endpoint.findings import find
from workbench.endpoint.project import find_project

FAULTS, CONTROLS = planted_labels.labels()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Finding]], dict[str, list[Finding]]]:
    """The findings of each page by its name, and what came of stand-ins for the faults' fixes, done once.

    Pages of the same settings and user are asked of the same processes.
    """
    env = planted_labels.environment(tmp_path_factory.mktemp("planted"))
    planted_labels.set_up(env)
    pages = defaultdict(list)
    for page in (*FAULTS, *CONTROLS):
        pages[page.settings, page.user].append(page)
    found, stood_in = {}, {}
    with pytest.MonkeyPatch.context() as patch, planted_labels.warehouse(latency_ms=5) as url:
        for name in ("REQUESTS", "WARM_UPS", "RECORDS"):
            patch.setattr(api, name, 1)  # what is found is asked here, not how long it takes
        patch.setenv("PLANTED_SQLITE", env["PLANTED_SQLITE"])
        patch.setenv("PLANTED_UPSTREAM", url)
        for (settings, user), alike in pages.items():
            project = find_project(SITE, settings, sys.executable)
            study = Study(project, {}, user or None, False, (url.removeprefix("http://"),))
            with study:
                for page in alike:
                    study.request = {"path": page.path, "method": "GET", "data": None, "headers": {}}
                    trace, arms, _ = study.look(0.0, USUAL_LINK_BITS, 0.8)
                    candidates = find(trace)
                    found[page.name] = [one.finding for one in candidates]
                    stood_in[page.name] = [
                        trials.tried(arms, one, 0.0)[0]
                        for one in candidates
                        if one.patches and isinstance(page, Fault) and one.finding.kind == page.kind
                    ]
    return found, stood_in


@pytest.fixture(scope="module")
def findings(looked_at: tuple[dict[str, list[Finding]], dict[str, list[Finding]]]) -> dict[str, list[Finding]]:
    return looked_at[0]


def of_kind(fault: Fault, found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.kind == fault.kind]


def names_line(fault: Fault, found: list[Finding]) -> bool:
    lines = {(str(SITE / file), line) for file, line in fault.lines}
    return any((one.file, one.line) in lines for one in of_kind(fault, found))


def names_template(fault: Fault, found: list[Finding]) -> bool:
    return any(one.template_line in fault.template_lines for one in of_kind(fault, found))


def is_alarmed(control: Control, found: list[Finding]) -> bool:
    return any(one.kind not in control.also for one in found)


def at_most(share: float, wrong: list[str], of: int) -> bool:
    return len(wrong) <= share * of


def test_faults_are_found_at_their_lines(findings: dict[str, list[Finding]]) -> None:
    missed = [fault.name for fault in FAULTS if not of_kind(fault, findings[fault.name])]
    assert at_most(0.05, missed, len(FAULTS)), missed
    elsewhere = [fault.name for fault in FAULTS if not names_line(fault, findings[fault.name])]
    assert at_most(0.05, elsewhere, len(FAULTS)), elsewhere
    templates = [fault for fault in FAULTS if fault.template]
    elsewhere = [fault.name for fault in templates if not names_template(fault, findings[fault.name])]
    assert at_most(0.05, elsewhere, len(templates)), elsewhere


def test_stand_ins_for_fixes_give_the_same_answers(
    looked_at: tuple[dict[str, list[Finding]], dict[str, list[Finding]]],
) -> None:
    stood_in = {name: found for name, found in looked_at[1].items() if found}
    changed = [name for name, found in stood_in.items() if any(one.same_answer is False for one in found)]
    assert (changed, len(stood_in) >= 0.75 * len(FAULTS)) == ([], True)


def test_pages_in_order_raise_no_alarm(findings: dict[str, list[Finding]]) -> None:
    alarmed = [control.name for control in CONTROLS if is_alarmed(control, findings[control.name])]
    assert at_most(0.03, alarmed, len(CONTROLS)), [(name, findings[name]) for name in alarmed]


def test_each_finding_says_where_why_and_how(findings: dict[str, list[Finding]]) -> None:
    for found in findings.values():
        for one in found:
            assert Path(one.file or one.template).is_file()
            assert one.why
            assert one.fix
            assert one.predicted_ms is None or (one.predicted_low or 0) <= one.predicted_ms <= (one.predicted_high or 0)
