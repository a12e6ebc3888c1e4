"""One local site for all tests of a run; the URLs of a test are its own through ``fresh``."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from workbench import Site

_numbers = count()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with Site(seed=1) as running:
        yield running


@pytest.fixture
def fresh(site: Site) -> Callable[..., str]:
    """Return a function that makes a URL which no other test has."""
    return lambda **behaviour: site.url(f"fresh/{next(_numbers)}", **behaviour)


@pytest.fixture
def requests_made(site: Site) -> Callable[[], int]:
    """Return a function that tells how many requests the site has seen since the test began."""
    before = site.stats().requests
    return lambda: site.stats().requests - before
