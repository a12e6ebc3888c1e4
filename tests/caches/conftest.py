"""One list of caches for all tests of the contract; a new one is covered by adding it in ``cache_makers``."""

import pytest
from cache_makers import KINDS, SERVERS, SHARED, make_backend

from workbench.caches import Cache


def pytest_generate_tests(metafunc):
    """``kind``: every cache; ``shared_kind``: those that other processes see; ``served_kind``: those with a server."""
    lists = {"kind": KINDS, "shared_kind": SHARED, "served_kind": list(SERVERS)}
    for name in set(lists) & set(metafunc.fixturenames):
        marks = {kind: [pytest.mark.service] if kind in SERVERS else [] for kind in lists[name]}
        metafunc.parametrize(name, [pytest.param(kind, marks=marks[kind]) for kind in lists[name]])


@pytest.fixture
def place(tmp_path, shared_service):
    """Return a function that says where a kind of cache is: a folder, and the URL of the run's one server."""

    def where(kind):
        server = SERVERS.get(kind)
        return str(tmp_path), server and shared_service(server).url

    return where


@pytest.fixture
def make(place):
    """Return a function that makes a cache of a kind, empty; options are those of `Cache`."""
    made = []

    def make_cache(kind, **options):
        cache = Cache(make_backend(kind, *place(kind)), **options)
        cache.clear()
        made.append(cache)
        return cache

    yield make_cache
    for cache in made:
        cache.clear()
        cache.close()
