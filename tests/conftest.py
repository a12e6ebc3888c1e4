"""Real servers for the tests that need them: skipped where one is missing, but never where all must be there."""

import os
from collections.abc import Callable, Iterator

import pytest

from workbench import MissingServerError, services
from workbench.services import Service


def _or_skip(get: Callable[..., Service], name: str) -> Service:
    try:
        return get(name)
    except MissingServerError as error:
        if os.environ.get("WORKBENCH_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_service() -> Callable[[str], Service]:
    """Return a function that gives the run's one server of a kind; for tests that do it no harm."""
    return lambda name: _or_skip(services.running, name)


@pytest.fixture
def own_service() -> Iterator[Callable[[str], Service]]:
    """Return a function that starts a server for this test alone, to be paused and killed."""
    started = []

    def start(name: str) -> Service:
        started.append(_or_skip(services.start, name))
        return started[-1]

    yield start
    for service in started:
        service.stop()
