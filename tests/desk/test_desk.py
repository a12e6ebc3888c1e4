"""The commands as people type them, in a shell and at their defaults, told by what a user needs of them.

The words of a case in `cases.toml`:

==========  ============================================================================================
``run``     what is typed into bash, in an empty folder with ``tasks.py``
``site``    a Django project that lies there too: ``library``
``ends_s``  when it must have ended, and 1 s later all that it started; its last line comes at its end
``rc``      its exit code, 0 if not said
``says``    regular expressions that some line that it printed matches; ``never``: none may
``holds``   expressions over ``d``, the JSON in ``out.json``, and ``row(remedy)``
==========  ============================================================================================

`make desk` runs it. Nothing else may run meanwhile but what a case says.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from workbench.proc import command_of

HERE = Path(__file__).parent
CASES = tomllib.loads((HERE / "cases.toml").read_text())["case"]
#: What the Django project asks its environment for.
SECRET = {"LIBRARY_SECRET": "of the library"}
#: A command that has said its last ends.
LAST_LINE_S = 1.5

pytestmark = [pytest.mark.desk, pytest.mark.timeout(120)]


def end_all(mark: str) -> list[str]:
    """End the processes with a mark in their environment, as all have that a case started; return what they ran."""
    ended = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in environ.read_bytes().split(b"\0"):
                ended.append(command_of(int(environ.parent.name)))
                os.kill(int(environ.parent.name), signal.SIGKILL)
    return ended


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Django project with its database, as cases get a copy of it."""
    folder = tmp_path_factory.mktemp("site") / "library"
    shutil.copytree(HERE.parent / "endpoint" / "library", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for words in ("migrate --run-syncdb -v0", "fill"):
        command = [sys.executable, "manage.py", *words.split()]
        subprocess.run(command, cwd=folder, env=os.environ | SECRET, check=True)
    return folder


def type_it(case: dict[str, Any], tmp_path: Path, project: Path | None) -> None:
    """Run a case in an empty folder and judge what came of it."""
    tmp_path.mkdir()
    shutil.copy(HERE / "tasks.py", tmp_path)
    if project is not None:
        shutil.copytree(project, tmp_path / project.name)
    mark = f"WORKBENCH_DESK={tmp_path}"
    env = (
        os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | SECRET | dict([mark.split("=")])
    )
    with open(tmp_path / ".printed", "wb") as printed:
        typed = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", case["run"]],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, start_new_session=True,
        )  # fmt: skip
        try:
            code = typed.wait(case["ends_s"])
        finally:
            silent_s = time.time() - os.stat(tmp_path / ".printed").st_mtime
            time.sleep(1)
            left = end_all(mark)
            typed.wait()
    text = (tmp_path / ".printed").read_text(errors="replace")
    assert code == case.get("rc", 0), text[-2000:]
    assert not left
    assert silent_s < LAST_LINE_S or not text
    for pattern in case.get("says", []):
        assert re.search(pattern, text, re.MULTILINE), f"does not say {pattern}: {text[-2000:]}"
    for pattern in case.get("never", []):
        assert not re.search(pattern, text, re.MULTILINE), f"says {pattern}: {text[-2000:]}"
    for expression in case.get("holds", []):
        d = json.loads((tmp_path / "out.json").read_text())
        known = {"d": d, "row": lambda name, d=d: next(row for row in d["rows"] if row["remedy"] == name)}
        assert eval(expression, known), f"not so: {expression}: {text[-3000:]}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_at_the_desk(case: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest) -> None:
    project = request.getfixturevalue(case["site"]) if "site" in case else None
    # A shared machine stands still for seconds now and then: who falls short twice is the command.
    try:
        type_it(case, tmp_path / "first", project)
    except (AssertionError, subprocess.TimeoutExpired):
        type_it(case, tmp_path / "again", project)
