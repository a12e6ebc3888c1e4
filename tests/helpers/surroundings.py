"""What the corpus runs in: its site, and processes that keep the machine busy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def site() -> Iterator[None]:
    """Serve the corpus's site while the programs run; they find it in ``CORPUS_SITE``."""
    command = [sys.executable, str(Path(__file__).with_name("corpus_site.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        os.environ["CORPUS_SITE"] = server.stdout.readline().strip()
        try:
            yield
        finally:
            server.kill()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this many processes busy beside; they end with this one, however it ends."""
    burn = f"import os\nwhile os.getppid() == {os.getpid()}: sum(range(100_000))"
    others = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
