"""Processes that must be there in milliseconds load nothing but what they need."""

import marshal
import os
import re
import subprocess
import sys
import time

import pytest

from workbench import light

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc to observe")

OBSERVER = {f"diagnosis.observer.{name}" for name in ("loop", "protocol", "memory", "waits")}
#: Modules of the standard library that take longer than the rest of what the observer needs.
SLOW = {"asyncio", "json", "pathlib", "re", "subprocess", "typing"}


def loaded(command, log):
    """Return the modules that a light process loads until it calls ``main``, and goes on in another process maybe."""
    with open(log, "w") as file:
        command = [command[0], "-X", "importtime", *command[1:]]
        subprocess.run(command, stdin=subprocess.DEVNULL, stderr=file, timeout=60, check=True)
    return set(re.findall(r"\| +([\w.]+)$", log.read_text(), re.MULTILINE))


def own(modules):
    return {name.removeprefix("workbench.") for name in modules if name.startswith("workbench.")}


def test_the_observer_loads_only_its_own_files(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as watched:
        arguments = str(watched.pid), str(tmp_path), marshal.dumps(None).hex(), ""
        modules = loaded(light.command("workbench.diagnosis.observer.loop", *arguments), tmp_path / "log")
        until_s = time.monotonic() + 30
        while not (tmp_path / "recording.ready").exists():
            assert time.monotonic() < until_s
            time.sleep(0.01)
        watched.kill()
    assert own(modules) == OBSERVER | {"proc", "light"}
    assert not modules & SLOW


def test_the_minder_loads_only_its_own_file_and_ends_without_orders(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    modules = loaded(light.command("workbench.services.minder", str(folder), str(os.getpid())), tmp_path / "log")
    assert own(modules) == {"services.minder", "proc", "light"}
    assert not folder.exists()
