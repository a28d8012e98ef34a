"""Differences between the records of two results: settings and data, software stack, code of this project."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.core.identity import settings_that_count
from benchmarks.store.result import Environment, Result

STACK = ("device", "device_name", "threads", "python")
"""Fields of an environment that belong to the software and hardware stack, besides the packages."""


def refusals(candidate: Result, reference: Result) -> list[str]:
    """The reasons why the scores must not be compared, as clauses; empty where they may be compared."""
    return [
        *_changed("preset", reference.preset, candidate.preset),
        *_changed("protocol", reference.protocol, candidate.protocol),
        *_changed("precision", reference.environment.precision, candidate.environment.precision),
        *(clause for part in ("task", "method") for clause in _version(part, candidate, reference)),
        *(clause for part in ("data", "model", "ranks") for clause in _fingerprint(part, candidate, reference)),
        *_settings(candidate.config, reference.config),
    ]


def capability(environment: Environment) -> str | None:
    """Instruction set of the CPU that computed a result; None for a GPU, and where it was not recorded."""
    return environment.processor.capability if environment.processor and environment.device == "cpu" else None


def stack_changes(candidate: Environment, reference: Environment) -> list[str]:
    """Differences in machine and installed packages, as clauses."""
    processors = [str(side.processor or "not recorded") for side in (candidate, reference)]
    other = candidate.processor != reference.processor
    fields = (_changed(name, getattr(reference, name), getattr(candidate, name)) for name in STACK)
    names = sorted(reference.packages.keys() | candidate.packages.keys())
    packages = (_changed(name, reference.packages.get(name), candidate.packages.get(name)) for name in names)
    return [
        *([f"another processor ({processors[0]}, reference {processors[1]})"] if other else []),
        *(clause for clauses in (*fields, *packages) for clause in clauses),
    ]


def code_changes(candidate: Environment, reference: Environment) -> list[str]:
    """Differences in this project's code, as clauses; code with uncommitted changes always counts as different."""
    clauses = _changed("commit", _short(reference.commit), _short(candidate.commit))
    return clauses if candidate.clean and reference.clean else [*clauses, "uncommitted changes"]


def _settings(candidate: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    now, before = (dict(_leaves(settings_that_count(side))) for side in (candidate, reference))
    names = sorted(now.keys() | before.keys())
    return [clause for name in names for clause in _changed(name, before.get(name), now.get(name))]


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _version(part: str, candidate: Result, reference: Result) -> list[str]:
    return _changed(f"version of the {part}", reference.versions.get(part), candidate.versions.get(part))


def _fingerprint(part: str, candidate: Result, reference: Result) -> list[str]:
    sides = [_short(side.fingerprints.get(part)) for side in (reference, candidate)]
    return _changed(f"fingerprint of the {part}", *sides)


def _changed(name: str, before: object, now: object) -> list[str]:
    return [] if before == now else [f"{name} was {before}, is {now}"]


def _short(digest: str | None) -> str | None:
    return digest and digest[:12]
