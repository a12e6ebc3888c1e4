"""The planted site is what its labels say: each fault has a twin with the same answer, each page its queries."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planted_labels
import pytest
from planted_labels import SITE, Control, Fault, line_of

from workbench.services import Service

FAULTS, CONTROLS = planted_labels.labels()
AREAS = {"caching", "lazy", "database", "http", "static", "templates", "python", "upstream"}

#: What a page's answer is found by: settings, path and user.
Key = tuple[str, str, str]


def side(fault: Fault) -> Key:
    return fault.settings, fault.path, fault.user


def twin(fault: Fault) -> Key:
    return fault.fixed_settings, fault.fixed, fault.user


def page(control: Control) -> Key:
    return control.settings, control.path, control.user


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a site whose tables are full."""
    env = planted_labels.environment(tmp_path_factory.mktemp("shop"))
    planted_labels.set_up(env)
    return env


@pytest.fixture(scope="module")
def answers(shop: dict[str, str]) -> dict[Key, dict[str, Any]]:
    """What each page answers."""
    return visited(shop)


def visited(shop: dict[str, str], *modules: str) -> dict[Key, dict[str, Any]]:
    """Visit the pages of some settings modules, or of all, each module's in one process."""
    keys = {key for fault in FAULTS for key in (side(fault), twin(fault))} | {page(control) for control in CONTROLS}
    found = {}
    with planted_labels.warehouse(latency_ms=2) as url:
        for settings in modules or sorted({key[0] for key in keys}):
            pages = sorted(key[1:] for key in keys if key[0] == settings)
            answered = planted_labels.ask({**shop, "PLANTED_UPSTREAM": url}, pages, settings=settings)
            found |= {(settings, *key): answer for key, answer in zip(pages, answered, strict=True)}
    return found


def test_there_are_enough_of_them_and_each_is_named_once() -> None:
    assert (len(FAULTS) >= 35, len(CONTROLS) >= 12) == (True, True)
    names = Counter(one.name for one in (*FAULTS, *CONTROLS))
    places = Counter([side(fault) for fault in FAULTS] + [page(control) for control in CONTROLS])
    assert [one for one in (*names.items(), *places.items()) if one[1] > 1] == []
    assert {fault.area for fault in FAULTS} <= AREAS


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_has_its_line(fault: Fault) -> None:
    assert fault.line_marker == f"# fault: {fault.name}"
    assert fault.line > 0
    assert len(fault.lines) == 1 + bool(fault.access_marker)
    assert bool(fault.template_line) == bool(fault.template)


def test_no_marker_is_left_without_a_label() -> None:
    labelled = {(fault.file, fault.line) for fault in FAULTS} | {one for fault in FAULTS for one in fault.lines}
    labelled |= {(fault.template, line) for fault in FAULTS for line in fault.template_lines}
    marked = {
        (str(path.relative_to(SITE)), number)
        for path in SITE.rglob("*")
        if path.suffix in (".py", ".html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"# (fault|access): \w", line)
    }
    assert marked == labelled


def test_a_marker_that_stands_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "views.py").write_text("a  # fault: x\nb  # fault: x_2\nc  # fault: x\n")
    monkeypatch.setattr(planted_labels, "SITE", tmp_path)
    assert line_of("views.py", "# fault: x_2") == 2
    with pytest.raises(ValueError, match=r"in lines \[1, 3\]: it must stand in one"):
        line_of("views.py", "# fault: x")


def wrong(answers: dict[Key, dict[str, Any]], *modules: str) -> list[str]:
    """Return what is not as labelled in the pages of some settings modules."""
    found = []
    for fault in FAULTS:
        if {fault.settings, fault.fixed_settings} <= set(modules):
            ill, well = answers[side(fault)], answers[twin(fault)]
            if (ill["status"], well["status"], ill["empty"]) != (200, 200, False):
                found.append(f"{fault.name}: {ill['status']} and {well['status']}")
            if ill["body"] != well["body"]:
                found.append(f"{fault.name}: its twin gives another answer")
            if (ill["queries"], well["queries"]) != (fault.queries_before, fault.queries_after):
                found.append(f"{fault.name}: {ill['queries']} and {well['queries']} queries")
    for control in CONTROLS:
        if control.settings in modules:
            answer = answers[page(control)]
            if (answer["status"], answer["empty"], answer["queries"]) != (200, False, control.queries):
                found.append(f"{control.name}: {answer}")
    return found


@pytest.mark.slow
def test_twins_give_the_same_answers_and_queries_are_as_labelled(answers: dict[Key, dict[str, Any]]) -> None:
    assert wrong(answers, *{key[0] for key in answers}) == []


@pytest.mark.slow
def test_what_is_not_planted_is_in_order_everywhere(answers: dict[Key, dict[str, Any]]) -> None:
    """Each page has one fault: the others are compressed and know their ETag, and what may be cached says so."""
    plain = [key for key, answer in answers.items() if not (answer["etag"] or key[0].endswith("no_etag"))]
    large = [
        key for key, answer in answers.items() if answer["sent_bytes"] > 100_000 and not key[0].endswith("no_gzip")
    ]
    assert (plain, large) == ([], [])
    for fault in FAULTS:
        # A page that is the same for all, and that nobody forbids to keep, is one that a cache would serve as well.
        assert answers[side(fault)]["private"] != ("uncached_view" in {fault.kind, *fault.also}), fault.name


@pytest.mark.slow
def test_the_models_have_their_migrations_and_full_tables_are_not_filled_again(shop: dict[str, str]) -> None:
    planted_labels.manage(shop, "makemigrations", "--check", "--dry-run")
    with pytest.raises(subprocess.CalledProcessError) as again:
        planted_labels.manage(shop, "seed")
    assert b"run `manage.py flush` first" in again.value.stderr


@pytest.mark.slow
@pytest.mark.service
def test_it_is_the_same_on_postgresql(shared_service: Callable[[str], Service], tmp_path: Path) -> None:
    """With fewer visits, so that one of the pages shows none, and without the variants of the settings."""
    with planted_labels.on_postgresql(shared_service("postgresql").url, tmp_path) as shop:
        answers = visited(shop, planted_labels.SETTINGS)
    assert wrong(answers, planted_labels.SETTINGS) == []
