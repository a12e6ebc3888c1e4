"""Pages that are unlike most: what is found on them, and what is not; all are asked of the same processes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench import Finding, TaskError
from workbench.endpoint.api import USUAL_LINK_BITS, Study
from workbench.endpoint.findings import Trace, find
from workbench.endpoint.project import find_project

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("surroundings")]

Look = Callable[[str], tuple[Trace, dict[str, Finding]]]


@pytest.fixture(scope="module")
def look(library: Path) -> Iterator[Look]:
    """Make a request and return what was recorded, and the findings by their kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIBRARY", str(library))
        patch.setenv("LIBRARY_SECRET", "of the library")
        study = Study(find_project(library, None, sys.executable), {}, None, False, ())
        with study:

            def at(path: str) -> tuple[Trace, dict[str, Finding]]:
                study.request = {"path": path, "method": "GET", "data": None, "headers": {}}
                trace, _, _ = study.look(0.0, USUAL_LINK_BITS, 0.8)
                return trace, {one.finding.kind: one.finding for one in find(trace)}

            yield at


def test_asynchronous_views_and_streams_show_their_queries(look: Look) -> None:
    trace, found = look("/listed/")
    assert (len(trace.queries), "get_in_loop" in found) == (51, True)
    trace, found = look("/streamed/")
    assert (len(trace.queries), "n_plus_one_fk" in found) == (101, True)


def test_a_function_that_computes_is_named(look: Look, library: Path) -> None:
    found = look("/computes/")[1]["slow_python"]
    lines = (library / "books" / "views.py").read_text().splitlines()
    assert lines[found.line - 1].startswith("def slow_sum")


def test_temporary_files_may_be_made(look: Look) -> None:
    assert look("/uses-temporary-files/")[0].answer["status"] == 200


@pytest.mark.parametrize("path", ["/draws/", "/where-from/", "/mails/"])
def test_pages_that_a_cache_would_change_are_not_to_be_cached(look: Look, path: str) -> None:
    assert "uncached_view" not in look(path)[1]


def test_what_is_written_in_between_is_asked_for_with_good_reason(look: Look) -> None:
    assert "identical_queries" not in look("/restocks/")[1]


def test_a_page_that_answers_otherwise_after_some_requests_is_not_timed(look: Look) -> None:
    with pytest.raises(TaskError, match=r"/limited/ answers 200 at first, and 429 at request \d+: it can't be timed"):
        look("/limited/")
