"""Imports only go down: between packages, between the rooms of one, and inside each room. Readers need no torch."""

import ast
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter

import pytest

from tests.support.paths import ROOT

PACKAGES = ("autolora", "baselines", "benchmarks")
"""The lowest first."""
ROOMS = {
    "autolora": (
        "files",
        "compute",
        "problem",
        "training",
        "adapters",
        "rank_search",
        "allocation",
        "trainer",
        "finding",
    ),
    "benchmarks": (
        *("core", "data", "tasks", "methods", "store", "analysis", "report", "run", "measure", "cli", "__main__"),
    ),
}
"""Of a package, the lowest first: a room imports from lower ones and from itself."""
BY_NAME = {("benchmarks.core.registry", "benchmarks.tasks"), ("benchmarks.core.registry", "benchmarks.methods")}
"""The registry knows the folders whose files it loads by their names."""
MOST_ENTRIES, MOST_MODULES = 12, 15
"""Of the benchmark's top, and of any folder."""
READERS = ("core", "store", "analysis", "report", "cli.index", "cli.main")
READING = tuple(f"cli.commands.{name}" for name in ("auditing", "judging", "known", "printing", "reporting", "results"))
"""Of the benchmark, what works without torch. What it imports inside a function is for other commands."""
COMPUTING = {"benchmarks.core.locks", "benchmarks.store.damage"}
"""Modules among the readers that only runs use."""
HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "evaluate"}


def modules(package: str) -> dict[str, ast.Module]:
    """Dotted name -> syntax tree; a package has its folder's name."""
    paths = (ROOT / package).rglob("*.py")
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8")) for path in paths
    }
    assert found
    return {name.removesuffix(".__init__"): tree for name, tree in found.items()}


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level, "absolute imports only"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def entry(name: str, folder: str) -> str | None:
    """The module or folder directly below a folder that a dotted name is in; None where it is elsewhere."""
    return name.removeprefix(f"{folder}.").split(".")[0] if name.startswith(f"{folder}.") else None


def test_packages_import_only_lower_packages() -> None:
    for height, package in enumerate(PACKAGES):
        for name, tree in modules(package).items():
            upper = [target for target in imports(ast.walk(tree)) if target.split(".")[0] in PACKAGES[height + 1 :]]
            assert not upper, f"{name} imports {upper}"


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_only_lower_rooms(package: str) -> None:
    rooms = ROOMS[package]
    for name, tree in modules(package).items():
        if (own := entry(name, package)) is None:
            continue
        assert own in rooms, f"{name} is in no room"
        for target in imports(ast.walk(tree)):
            room = entry(target, package)
            allowed = room is None or rooms.index(room) <= rooms.index(own) or (name, target) in BY_NAME
            assert allowed, f"{name} imports {target}, which is in a higher room"


@pytest.mark.parametrize("package", PACKAGES)
def test_inside_a_folder_imports_go_one_way(package: str) -> None:
    """Modules and folders beside each other can be put in an order in which each imports from earlier ones alone."""
    trees = modules(package)
    folders = {name.rpartition(".")[0] for name in trees} - {"", package}
    for folder in folders:
        order: TopologicalSorter[str] = TopologicalSorter()
        for name, tree in trees.items():
            if own := entry(name, folder):
                order.add(own, *{entry(target, folder) for target in imports(ast.walk(tree))} - {None, own})
        order.prepare()  # raises where there is a cycle, and names it


def test_a_folder_is_taken_in_at_a_glance() -> None:
    top = [path for path in (ROOT / "benchmarks").iterdir() if path.name != "__pycache__"]
    assert len(top) <= MOST_ENTRIES
    for package in PACKAGES:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES, folder


def test_what_reads_results_imports_nothing_heavy() -> None:
    trees = modules("autolora") | modules("benchmarks")
    inside = tuple(f"benchmarks.{reader}" for reader in READERS + READING)
    waiting = [name for name in trees if f"{name}.".startswith(tuple(f"{each}." for each in inside))]
    waiting = [name for name in waiting if name not in COMPUTING]
    assert len(waiting) > 50
    seen = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        targets = set(imports(trees[name].body))
        assert not {target.split(".")[0] for target in targets} & HEAVY, f"{name} imports {targets}"
        near = {target for target in targets if target.startswith(("autolora.", "benchmarks."))}
        near |= {target.rpartition(".")[0] for target in near}
        waiting += [target for target in near if target in trees and target not in seen]
