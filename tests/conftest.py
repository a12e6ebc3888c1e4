"""What tests of several rooms use: real servers, skipped where one is missing, but never where all must be there."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from workbench import MissingServerError, services
from workbench.services import Service

# A script that starts a run in the background lets it ignore Ctrl-C, and so all that it starts; here it is pressed.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes, or takes to be made up, is the machine's matter.
settings.register_profile("workbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("workbench")


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


@pytest.fixture(autouse=True)
def _sockets_wait_for_ever() -> None:
    """Put back Python's own timeout of sockets: kombu sets one for a moment, and two threads at once leave it set."""
    socket.setdefaulttimeout(None)


@pytest.fixture
def skip(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets the time of day go on by so many seconds at once, for this process alone."""
    now, ahead_s = time.time, 0.0

    def go_on(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    monkeypatch.setattr(time, "time", lambda: now() + ahead_s)
    return go_on
