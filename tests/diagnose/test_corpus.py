"""Programs of which it is known what bounds them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.diagnose.targets import diagnose_target, parse_target

#: The share of the wall time without a core from which a machine is too busy to see what a task waits for.
CROWDED = 0.6
CORPUS = Path(__file__).parents[1] / "corpus"
sys.path.insert(0, str(CORPUS))

from programs import LABELS, Label  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def site() -> Iterator[None]:
    """The corpus's server."""
    command = [sys.executable, str(CORPUS / "server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.environ["CORPUS_SITE"] = server.stdout.readline().strip()
        yield
        server.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "label"), [pytest.param(name, label, id=name) for name, label in LABELS.items()])
def test_the_verdict_is_right_and_the_wait_is_named(name: str, label: Label) -> None:
    diagnosis = diagnose_target(parse_target(f"{CORPUS / 'programs.py'}:{name}")).diagnosis
    if diagnosis.parts["runqueue"] < CROWDED * diagnosis.wall_s:
        assert diagnosis.verdict in label.verdict
        assert diagnosis.bound_by in label.bound_by
    else:  # it hardly got a core: then a task may be told to wait for one, or not be judged, but not be misjudged
        assert diagnosis.verdict in (*label.verdict, "contended", "unclear", "mixed")
    assert sum(diagnosis.parts.values()) == pytest.approx(diagnosis.wall_s, rel=0.05)
    if label.wait:
        kind, target, function = label.wait
        target = target.replace("SITE", os.environ["CORPUS_SITE"])
        waits = [(wait.kind, target in wait.target, wait.function.rpartition(".")[2]) for wait in diagnosis.waits]
        assert (kind, True, function) in waits
