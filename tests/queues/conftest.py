import os
import shutil

import pytest

from workbench import services
from workbench.queues import AsyncioQueue, CeleryQueue, ProcessQueue


@pytest.fixture(scope="session")
def embedded():
    """Start the Redis-compatible server that comes as a wheel, whatever else is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "which", lambda *_, **__: None)
        patch.delenv("REDIS_URL", raising=False)
        service = services.start("redis")
    with service:
        yield service


@pytest.fixture(scope="session")
def make(request, shared_service):
    """Return a function that makes a queue by its name in the lists."""

    def make(name, workers=2, **options):
        if name == "asyncio":
            return AsyncioQueue(workers, **options)
        if name == "processes":
            return ProcessQueue(workers, **options)
        if name == "Celery, embedded":
            return CeleryQueue(request.getfixturevalue("embedded").url, workers, **options)
        return CeleryQueue(shared_service(name.removeprefix("Celery, ").lower()).url, workers, **options)

    return make


@pytest.fixture
def tmp_file(tmp_path):
    return os.fspath(tmp_path / "file")
