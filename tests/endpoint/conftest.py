"""The library: a small Django project that several tests study."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "library"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with a database that holds 3,000 books."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "LIBRARY": str(folder), "LIBRARY_SECRET": "of the library"}
    for words in (["migrate", "--run-syncdb", "-v0"], ["fill"]):
        subprocess.run([sys.executable, "manage.py", *words], cwd=folder, env=env, check=True)
    (folder / "library.log").unlink(missing_ok=True)
    return folder


@pytest.fixture
def surroundings(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the project's settings ask for."""
    monkeypatch.setenv("LIBRARY", str(library))
    monkeypatch.setenv("LIBRARY_SECRET", "of the library")
