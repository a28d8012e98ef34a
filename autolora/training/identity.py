"""What a checkpoint belongs to: settings and data that decide a stage's result, as a plain mapping."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from autolora.problem import Example, Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SAMPLED = 64
"""Number of training examples that stand for all of them in the digest of the data."""
_WITHOUT_EFFECT = ("micro_batches", "epochs", "steps", "max_steps")
"""Settings of a training that change no result, or that are replaced by the total number of steps."""


def identity_of(
    problem: Problem,
    config: "DataclassInstance",
    *,
    steps: int,
    weights: Iterable[Tensor],
    valid: Sequence[Example] | None = None,
) -> dict[str, Any]:
    """Name -> value of everything that a checkpoint must agree in with the stage that resumes from it.

    Device, precision, micro-batches and checkpoint intervals are left out: a stage can go on with others. Empty if the
    runtime keeps no checkpoints.

    Args:
        problem: its seed, data, head and targets.
        config: settings of the stage; nested settings get names with dots.
        steps: total number of steps.
        weights: the trained weights, which are only counted.
        valid: examples that the stage takes besides the training set.
    """
    if problem.runtime.checkpoints is None:
        return {}
    return {
        "seed": problem.seed,
        "steps": steps,
        "train": _named(problem.train),
        **({} if valid is None else {"valid": _named(valid)}),
        "strata": None if problem.strata is None else digest(list(problem.strata)),
        "groups": None if problem.groups is None else digest(list(problem.groups)),
        "head": None if problem.head is None else list(problem.head),
        "targets": problem.targets if isinstance(problem.targets, str | None) else list(problem.targets),
        "trained weights": sum(weight.numel() for weight in weights),
        **_flat(asdict(config)),
    }


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What differs between two identities, as "NAME was VALUE and is VALUE"."""
    names = [*current, *(name for name in saved if name not in current)]
    pairs = [(name, saved.get(name), current.get(name)) for name in names]
    return [f"{name} was {before} and is {now}" for name, before, now in pairs if before != now]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif name not in _WITHOUT_EFFECT:
            found[prefix + name] = list(value) if isinstance(value, tuple) else value
    return found


def _named(examples: Sequence[Example]) -> str:
    return f"{len(examples)} examples {digest(_spaced(examples))}"


def _spaced(examples: Sequence[Example]) -> list[Example]:
    """Up to _SAMPLED evenly spaced examples."""
    number = min(_SAMPLED, len(examples))
    return [examples[index * len(examples) // number] for index in range(number)]


def digest(value: Any) -> str:
    """The first 16 hex digits of a sha256 over nested values; a value of an unknown type counts by its type alone."""
    return hashlib.sha256(
        json.dumps(_plain(value), sort_keys=True, default=lambda item: type(item).__name__).encode()
    ).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Tensor):
        bits = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return [str(value.dtype), list(value.shape), hashlib.sha256(bits).hexdigest()]
    if isinstance(value, np.ndarray | np.generic):
        return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    return value
