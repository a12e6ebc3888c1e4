"""Programs of which it is known what bounds them."""

import os
from collections.abc import Iterator

import corpus
import pytest
import surroundings
from corpus_labels import LABELS, Label

from workbench.diagnosis.targets import diagnose_target, parse_target

#: The share of the wall time without a core from which a machine is too busy to see what a task waits for.
CROWDED = 0.4

#: What is said of a task then that is not misjudged.
UNSURE = ("contended", "unclear", "mixed")


@pytest.fixture(autouse=True)
def _no_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring coverage would change what the programs are bound by."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture(scope="module", autouse=True)
def site() -> Iterator[None]:
    """The corpus's server."""
    with surroundings.site():
        yield


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), [pytest.param(name, label, id=name) for name, label in LABELS.items()])
def test_the_verdict_is_right_and_the_wait_is_named(name: str, label: Label) -> None:
    """Right at once, or in both of two more runs: what else a machine does can spoil one (the rate is recorded)."""
    wrong = faults(name, label)
    if wrong:
        assert [faults(name, label), faults(name, label)] == [[], []], wrong


def faults(name: str, label: Label) -> list[str]:
    """Run a program of the corpus; return what its diagnosis has wrong."""
    found = diagnose_target(parse_target(f"{corpus.__file__}:{name}")).diagnosis
    wrong = []
    if found.parts["runqueue"] < CROWDED * found.wall_s:
        if (found.verdict in label.verdict, found.bound_by in label.bound_by) != (True, True):
            wrong.append(f"{found.verdict}, bound by {found.bound_by}: {found.reasons}")
    # It hardly got a core: then a task may be told to wait for one, or not be judged, but not be misjudged.
    elif found.verdict not in (*label.verdict, *UNSURE, *([] if "IO-bound" in label.verdict else ["CPU-bound"])):
        wrong.append(f"{found.verdict}: {found.reasons}")
    if sum(found.parts.values()) != pytest.approx(found.wall_s, rel=0.05):
        wrong.append(f"the parts add up to {sum(found.parts.values())} of {found.wall_s} s")
    if label.wait:
        kind, target, function = label.wait
        target = target.replace("SITE", os.environ["CORPUS_SITE"])
        waits = [(wait.kind, target in wait.target, wait.function.rpartition(".")[2]) for wait in found.waits]
        if (kind, True, function) not in waits:
            wrong.append(f"it does not name {label.wait}: {found.waits}")
    return wrong
