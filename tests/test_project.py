"""What must hold for the project as a whole: one list of packages, one direction of imports, documented names."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import workbench

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted((ROOT / "workbench").rglob("*.py"))

#: Who may import whom: each layer only those after it. The rooms below stand beside the column and import none of it.
COLUMN = [
    "cli magics",
    "report notebooks",
    "plots",
    "endpoint",
    "comparison",
    "diagnosis",
    "advice",
    "prediction",
    "records",
    "results",
    "opportunity",
    "views",
    "faults speedscope parts figures",
]
BESIDE = ["tasks", "remedies", "queues", "caches", "services", "web"]
#: A remedy may keep answers in a cache, work through a queue, and start the server for one. Queues start their brokers,
#: and send what a cache keeps: plain data by the same serializer.
USES = {"endpoint": {"services"}, "remedies": {"caches", "queues", "services"}, "queues": {"caches", "services"}}
#: The ground floor: what anyone may use, and what uses nothing above it.
GROUND = "coroutines errors folders light masking names origin plain proc progress remedy source targets ward"
SHARED = set(GROUND.split())


def test_environment_yml_agrees_with_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = {item for item in environment["dependencies"] if isinstance(item, str)}
    servers = {"redis-server", "rabbitmq-server", "postgresql", "nginx"}
    extras = PROJECT["optional-dependencies"]
    wanted = {*PROJECT["dependencies"], *extras["notebooks"], *extras["test"]}
    assert conda - servers - {"pip", f"python{PROJECT['requires-python']}"} == wanted
    assert servers <= conda


#: What packages hold for the language and for IPython.
NOT_FOR_USERS = {"TYPE_CHECKING", "annotations", "load_ipython_extension"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path) -> set[str]:
    """Modules that a file imports anywhere, inside functions too; a package's name stands for its ``__init__``."""
    modules, found = set(map(module_name, MODULES)), set()
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
            continue
        above = module_name(path).rsplit(".", node.level - (path.name == "__init__.py"))[0] + "." if node.level else ""
        names = {f"{above}{node.module}.{name.name}" for name in node.names}
        found |= names & modules
        found |= set() if names <= modules else {f"{above}{node.module}"}
    return found


def imports_of(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a file; those for the type checker don't count."""
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    return [node for node in set(ast.walk(tree)) - typing_only if isinstance(node, ast.Import | ast.ImportFrom)]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "workbench"


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports anywhere, inside functions too; names for the type checker don't count."""
    rooms = set()
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            rooms |= {room(name.name) for name in node.names if name.name.startswith("workbench")}
        elif isinstance(node, ast.ImportFrom) and node.module == "workbench":
            rooms |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workbench."):
            rooms.add(room(node.module or ""))
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    here = path.relative_to(ROOT / "workbench").parts[0].removesuffix(".py")
    if here in ("__init__", "__main__"):
        return
    rooms = imported_rooms(path) - {here}
    column = [set(layer.split()) for layer in COLUMN]
    if here in SHARED:
        allowed = SHARED
    elif here in BESIDE:
        allowed = SHARED | USES.get(here, set())
    else:
        level = next((level for level, layer in enumerate(column) if here in layer), len(column))
        allowed = set().union(*column[level + 1 :], SHARED)
        allowed |= set(BESIDE) if here in ("cli", "magics") else USES.get(here, set())
    assert rooms <= allowed, f"{path.name} may import {sorted(allowed)}, not {sorted(rooms - allowed)}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {module_name(path): imported_modules(path) for path in MODULES}
    graph = {name: {found for found in wanted if found in imports} - {name} for name, wanted in imports.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


#: Packages whose names users may rely on: what they export is what ``__all__`` lists.
PUBLIC = [
    workbench,
    *(importlib.import_module(f"workbench.{name}") for name in
      ("caches", "comparison", "diagnosis", "queues", "remedies", "services", "tasks.fetch")),
]  # fmt: skip


@pytest.mark.parametrize("package", PUBLIC, ids=lambda package: package.__name__)
def test_what_is_exported_is_what_is_public(package: ModuleType) -> None:
    spoken_of = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in NOT_FOR_USERS
    }
    modules = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
    assert spoken_of | modules == set(package.__all__)
    assert package.__all__ == sorted(package.__all__)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_import_public_names_only(path: Path) -> None:
    exported = {package.__name__: set(package.__all__) for package in PUBLIC}
    exported["workbench"] |= {name.removeprefix("workbench.") for name in exported}
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    code = "\n".join(line for cell in cells for line in "".join(cell["source"]).splitlines() if line[:1] not in "%!")
    for node in ast.walk(ast.parse(code, type_comments=False)):
        if isinstance(node, ast.Import):
            assert not [name.name for name in node.names if name.name.startswith("workbench.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "workbench":
            assert {name.name for name in node.names} <= exported.get(node.module or "", set()), node.module


def test_importing_the_workbench_is_light() -> None:
    code = "import sys, workbench; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = [
        "IPython",
        "jupyterlab",
        "django",
        "matplotlib",
        "numpy",
        "pandas",
        "requests",
        "aiohttp",
        "joblib",
        "numba",
    ]
    assert subprocess.check_output([sys.executable, "-c", code, *heavy], text=True).strip() == "[]"


@pytest.mark.parametrize("name", workbench.__all__)
def test_public_names_are_documented_with_an_example(name: str) -> None:
    thing = getattr(workbench, name)
    doc = inspect.getdoc(thing) or ""
    assert ">>> " in doc, f"{name} has no example"
    if inspect.isfunction(thing):
        assert "Returns\n---" in doc or "Yields\n---" in doc, f"{name} does not say what it returns"


@pytest.mark.parametrize("diff", re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL))
def test_what_contributing_adds_takes_two_files_and_applies(diff: str) -> None:
    assert diff.count("diff --git") <= 2
    subprocess.run(["git", "apply", "--check", "-"], input=diff, text=True, cwd=ROOT, check=True)


def test_the_readme_names_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"report", "test"} <= named <= targets


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_thin_and_stripped(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), "strip it: make strip"
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    long = [cell for cell in code if len([line for line in "".join(cell["source"]).splitlines() if line.strip()]) > 12]
    assert not long, "a long cell shows that something is missing in the library"


def test_modules_import_on_their_own() -> None:
    for path in MODULES:
        if path.name != "__main__.py":
            importlib.import_module(module_name(path))
