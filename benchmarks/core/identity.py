"""Which settings decide a cell's numbers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

REMOVED = ("sharded",)
"""Conditions that older results have and that there are no more; they changed no number."""
NOT_IN_IDENTITY = (
    "model",
    "data",
    "partial",
    "precision",
    "device",
    "curve",
    "save_adapter",
    "track",
    "checkpoint_seconds",
    *REMOVED,
)
"""Conditions left out of a cell's identity: fingerprints or the environment's key stand for them, or they change
no number."""
LEGACY_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "bias": "none",
        "convergence": None,
        "drop_last": False,
        "engine": "exact",
        "epoch": "last",
        "gradient_checkpointing": False,
        "graphs": False,
        "initial_logit": None,
        "label_smoothing": 0.0,
        "look_ahead": "gradient",
        "micro_batches": 1,
        "mixed_gradients": False,
        "onednn": False,
        "pooled": False,
        "rank_rule": "selection",
        "schedule": "linear",
        "split_by": "input",
        "selection_betas": [0.9, 0.999],
        "trainable": "updates",
    }
)
"""Settings that came after the first results, each with the value that means what was done before: at this value it
is left out of a cell's identity, so that a new switch makes no old measurement another one."""


def settings_that_count(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a cell's settings, those that decide its numbers."""
    return without_legacy_defaults({key: config[key] for key in config if key not in NOT_IN_IDENTITY})


def without_legacy_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were before LEGACY_DEFAULTS, tables in tables too, wherever one of those stands at its value."""
    return {
        key: without_legacy_defaults(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in LEGACY_DEFAULTS or value != LEGACY_DEFAULTS[key]
    }
