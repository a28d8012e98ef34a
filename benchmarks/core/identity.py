"""The settings that determine a cell's results, and so its identity."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

REMOVED = ("sharded",)
"""Conditions that older result files contain and that no longer exist; they never affected a result."""
NOT_IN_IDENTITY = (
    "model",
    "data",
    "partial",
    "precision",
    "onednn",
    "device",
    "curve",
    "save_adapter",
    "track",
    "checkpoint_seconds",
    *REMOVED,
)
"""Conditions left out of a cell's identity: they do not affect results, or a fingerprint or the environment's key
(`Environment.decisive`: device, precision and oneDNN) covers them."""
LEGACY_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "answers": None,
        "bias": "none",
        "convergence": None,
        "drop_last": False,
        "engine": "exact",
        "epoch": "last",
        "gradient_checkpointing": False,
        "graphs": False,
        "initial_logit": None,
        "label_smoothing": 0.0,
        "linear_probe": 0,
        "look_ahead": "gradient",
        "micro_batches": 1,
        "mixed_gradients": False,
        "pooled": False,
        "rank_rule": "selection",
        "schedule": "linear",
        "split_by": "input",
        "selection_betas": [0.9, 0.999],
        "trainable": "updates",
    }
)
"""Settings added after the first results were stored, each with the value that reproduces the earlier behaviour.

A setting with this value is left out of a cell's identity, so that a new setting does not invalidate old results."""


def settings_that_count(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a cell that determine its results."""
    return without_legacy_defaults({key: config[key] for key in config if key not in NOT_IN_IDENTITY})


def without_legacy_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the settings, also from nested tables, whose value is their value in LEGACY_DEFAULTS."""
    return {
        key: without_legacy_defaults(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in LEGACY_DEFAULTS or value != LEGACY_DEFAULTS[key]
    }
