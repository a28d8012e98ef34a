"""Tasks and methods, found by the names of their files and imported only when they are used."""

import ast
import pkgutil
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import baselines
from baselines import allocators
from benchmarks import methods, tasks
from benchmarks.core.spec import InputError, Method, Task, Variant


@cache
def entry_points(group: str) -> EntryPoints:
    """Entry points of all installed packages; cached, since finding them reads one file per package (13 ms)."""
    return metadata.entry_points(group=group)


def task_names() -> list[str]:
    """Names of all tasks: files in `benchmarks/tasks/` and its `questions/`, and entry points of other packages.

    Their group is "autolora_bench.tasks".
    """
    return sorted(_tasks())


def method_names() -> list[str]:
    """Names of all methods: files in `baselines/` and `benchmarks/methods/`, entry points "autolora_bench.methods"."""
    return sorted(_methods())


def task(name: str) -> Task:
    """Load a task. Raises InputError: the name is unknown."""
    return cast("Task", _find("task", name, _tasks()).load())


def method(name: str) -> type[Method]:
    """Load a method: a frozen dataclass whose fields are its settings. Raises InputError: the name is unknown."""
    found = _find("method", name, _methods()).load()
    if isinstance(found, Variant):
        return cast("type[Method]", type(canonical(name), (method(found.of),), {"title": found.title}))
    return cast("type[Method]", found)


def variant(name: str) -> Variant | None:
    """The definition of a method that is a variant of another; None for other methods. Raises InputError: as `method`."""
    found = _find("method", name, _methods()).load()
    return found if isinstance(found, Variant) else None


def allocator_names() -> list[str]:
    """Names of all rank allocators: files in `baselines/allocators/`, entry points "autolora_bench.allocators"."""
    return sorted(_allocators())


def allocator(name: str) -> Any:
    """Load a rank allocator: a frozen dataclass with `title` and `allocate(problem, budget)`, whose fields are settings.

    Raises:
        InputError: the name is unknown.
    """
    return _find("allocator", name, _allocators()).load()


def needed(name: str) -> str | None:
    """The method whose ranks a method uses; None for a method that uses none. Raises InputError: as `method`."""
    return getattr(method(name), "needs", None)


def description(kind: str, name: str) -> str:
    """First sentence of the docstring of a task's or a method's module, read without importing it.

    Args:
        kind: "task" or "method".
        name: the task's or the method's name.
    """
    entry = _find(kind, name, _tasks() if kind == "task" else _methods())
    spec = find_spec(entry.module)
    if spec is None or not spec.origin:
        return ""
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8"))) or ""
    return text.partition("\n")[0].partition(". ")[0].rstrip(".")


def canonical(name: str) -> str:
    """The spelling of a name in file names: "lora-grid" becomes lora_grid."""
    return name.strip().replace("-", "_")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for an unknown name; it suggests the most similar known names, or lists all if none is similar."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return InputError(f"unknown {kind} {name!r}; {hint}")


def _tasks() -> dict[str, EntryPoint]:
    return _entries((*_places(tasks), *_places(tasks, "questions")), "TASK", "autolora_bench.tasks")


def _methods() -> dict[str, EntryPoint]:
    return _entries((*_places(baselines), *_places(methods)), "METHOD", "autolora_bench.methods")


def _allocators() -> dict[str, EntryPoint]:
    return _entries(_places(allocators), "ALLOCATOR", "autolora_bench.allocators")


def _places(package: ModuleType, *folder: str) -> list[tuple[str, str]]:
    """Name and path of a package, or of a folder in it."""
    return [(".".join((package.__name__, *folder)), str(Path(path, *folder))) for path in package.__path__]


def _entries(places: Iterable[tuple[str, str]], attribute: str, group: str) -> dict[str, EntryPoint]:
    own = {
        module.name: EntryPoint(module.name, f"{package}.{module.name}:{attribute}", group)
        for package, path in places
        for module in pkgutil.iter_modules([path])
        if not module.ispkg
    }
    return {canonical(entry.name): entry for entry in entry_points(group=group)} | own


def _find(kind: str, name: str, known: dict[str, EntryPoint]) -> EntryPoint:
    if canonical(name) not in known:
        raise unknown_name(kind, name, known)
    return known[canonical(name)]
