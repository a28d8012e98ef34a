"""Ablation of section 5.5: the same code path with the second-order term switched off."""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (eta = 0)",
    changes={"search": {"eta": 0.0, "engine": "exact", "look_ahead": "gradient"}},
)
