"""What two results record differently: what makes them incomparable, the stack, the code."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.core.identity import settings_that_count
from benchmarks.store.result import Environment, Result

STACK = ("device", "device_name", "threads", "python")
"""Fields of an environment that are the stack's, beside its packages."""


def refusals(candidate: Result, reference: Result) -> list[str]:
    """Why their scores must not be compared, as clauses; none where they may."""
    return [
        *_changed("preset", reference.preset, candidate.preset),
        *_changed("protocol", reference.protocol, candidate.protocol),
        *_changed("precision", reference.environment.precision, candidate.environment.precision),
        *(clause for part in ("task", "method") for clause in _version(part, candidate, reference)),
        *(clause for part in ("data", "model", "ranks") for clause in _fingerprint(part, candidate, reference)),
        *_settings(candidate.config, reference.config),
    ]


def stack_changes(candidate: Environment, reference: Environment) -> list[str]:
    """What of the machine and the installed packages differs, as clauses."""
    fields = (_changed(name, getattr(reference, name), getattr(candidate, name)) for name in STACK)
    names = sorted(reference.packages.keys() | candidate.packages.keys())
    packages = (_changed(name, reference.packages.get(name), candidate.packages.get(name)) for name in names)
    return [clause for found in (*fields, *packages) for clause in found]


def code_changes(candidate: Environment, reference: Environment) -> list[str]:
    """What of this project's code differs, as clauses; a tree with changes is never known to be the same."""
    clauses = _changed("commit", _short(reference.commit), _short(candidate.commit))
    return clauses if candidate.clean and reference.clean else [*clauses, "uncommitted changes"]


def _settings(candidate: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    mine, theirs = (dict(_leaves(settings_that_count(side))) for side in (candidate, reference))
    names = sorted(mine.keys() | theirs.keys())
    return [clause for name in names for clause in _changed(name, theirs.get(name), mine.get(name))]


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _version(part: str, candidate: Result, reference: Result) -> list[str]:
    return _changed(f"version of the {part}", reference.versions.get(part), candidate.versions.get(part))


def _fingerprint(part: str, candidate: Result, reference: Result) -> list[str]:
    sides = [_short(side.fingerprints.get(part)) for side in (reference, candidate)]
    return _changed(f"fingerprint of the {part}", *sides)


def _changed(name: str, before: object, now: object) -> list[str]:
    return [] if before == now else [f"{name} was {before}, is {now}"]


def _short(digest: str | None) -> str | None:
    return digest and digest[:12]
