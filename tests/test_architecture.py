"""Imports only go down, and what reads results needs no torch."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("autolora", "baselines", "benchmarks")
LAYERS = (
    {"spec", "untrusted"},
    {"architectures", "embedded", "metrics"},
    {"weights"},
    {"models"},
    {"decoder", "sources"},
    {"families"},
    {"methods", "tasks"},
    {"registry"},
    {"nested"},
    {"protocols"},
    {"result", "settings"},
    {"energy", "environment", "locks", "terminal", "memory", "published", "stopping", "store"},
    {
        "comparability",
        "cost_record",
        "shards",
        "shipping",
        "json_schema",
        "identity",
        "difference",
        "resampling",
        "speed_record",
    },
    {"materials", "procedure"},
    {"audit", "engines", "plan", "promote", "rank_stats", "stats", "tune", "worth"},
    {"verdicts"},
    {"checking", "claims"},
    {"lookup", "progress", "report", "schedule"},
    {"forecast", "page"},
    {"bench", "damage", "saving", "tracking"},
    {"together"},
    {"run"},
    {"node"},
    {"cluster", "speed", "turn_progress", "workers"},
    {"cost"},
    {"launch"},
    {"determinism", "repeat"},
    {"arguments"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""Parts of benchmarks/, the lowest first; a part imports from lower ones and from itself."""
READERS = (
    "arguments",
    "audit",
    "checking",
    "claims",
    "cli",
    "comparability",
    "cost_record",
    "difference",
    "identity",
    "lookup",
    "page",
    "promote",
    "protocols",
    "published",
    "registry",
    "report",
    "resampling",
    "result",
    "settings",
    "shards",
    "speed_record",
    "stats",
    "store",
    "tune",
    "verdicts",
)
"""Parts that work without torch. What they import inside a function is for other commands."""
HEAVY = {"torch", "transformers", "peft", "accelerate", "datasets", "evaluate", "autolora"}


def modules(package: str) -> dict[str, ast.Module]:
    paths = (ROOT / package).rglob("*.py")
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8")) for path in paths
    }
    assert found
    return {name.removesuffix(".__init__"): tree for name, tree in found.items()}


def imports(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level, "absolute imports only"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_packages_import_only_lower_packages() -> None:
    for height, package in enumerate(PACKAGES):
        for name, tree in modules(package).items():
            upper = [target for target in imports(ast.walk(tree)) if target.split(".")[0] in PACKAGES[height + 1 :]]
            assert not upper, f"{name} imports {upper}"


def test_every_part_of_the_benchmark_has_a_layer_and_imports_only_lower_ones() -> None:
    height = {name: index for index, layer in enumerate(LAYERS) for name in layer}
    for name, tree in modules("benchmarks").items():
        own = part(name)
        if not own:
            continue
        assert own in height, f"{name} is in no layer"
        for target in imports(ast.walk(tree)):
            other = part(target) if target.startswith("benchmarks.") else own
            allowed = other == own or height[other] < height[own]
            packages_only = own == "registry" and other in ("tasks", "methods")
            assert allowed or packages_only, f"{name} imports {target}, which is no lower layer"


def test_what_reads_results_imports_nothing_heavy() -> None:
    trees = modules("benchmarks")
    waiting = [
        "benchmarks.commands.reading",
        "benchmarks.commands.judging",
        *(name for name in trees if part(name) in READERS),
    ]
    seen = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        targets = set(imports(trees[name].body))
        assert not {target.split(".")[0] for target in targets} & HEAVY, f"{name} imports {targets}"
        near = {target for target in targets if target.startswith("benchmarks.")}
        near |= {target.rpartition(".")[0] for target in near}
        waiting += [target for target in near if target in trees and target not in seen]
    assert "benchmarks.nested" in seen
