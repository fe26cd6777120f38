"""The folders of the package: each imports only from those below it, and no module from one that imports it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "chart_releaser"
FLOORS = (
    "cli",
    "commands",
    "page",
    "destinations",
    "upstream",
    "index",
    "charts",
    "config",
    "github",
    "oci",
    "git",
    "helm",
)
"""From the roof down. Modules at the top level are used everywhere and use `helm` alone."""
MOST_AT_THE_TOP = 13
"""A dozen, and `__main__`."""


def modules() -> dict[str, Path]:
    """Each module by its name below the package, such as `git.cache`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of each import of ours in a file, those under TYPE_CHECKING and in functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, below = name.partition(".")
            if package != "chart_releaser":
                continue
            while below and below not in MODULES:  # the name of something in a module
                below = below.rpartition(".")[0]
            yield node.lineno, below


def floor(module: str) -> int:
    """The number of a module's folder, counted from the roof; the top level is the ground."""
    folder = module.partition(".")[0]
    return FLOORS.index(folder) if (PACKAGE / folder).is_dir() and folder else len(FLOORS)


def test_every_folder_has_its_floor() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(FLOORS)
    assert len([name for name in MODULES if name and "." not in name and name not in folders]) <= MOST_AT_THE_TOP


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_lead_down(module: str) -> None:
    for line, other in imported(MODULES[module]):
        where = f"{MODULES[module].relative_to(PACKAGE.parent)}:{line} imports {other or 'the package'}"
        if module == "__main__":
            continue
        if floor(module) == len(FLOORS):
            assert floor(other) == len(FLOORS) or other.partition(".")[0] == "helm", where
        else:
            assert floor(other) >= floor(module), where


def test_no_modules_import_each_other() -> None:
    """Also by way of others. An `__init__` counts with the modules that it is imported along with."""
    graph = {name: {other for _, other in imported(path) if other != name} for name, path in MODULES.items() if name}
    TopologicalSorter({name: others - {""} for name, others in graph.items()}).prepare()
