"""Ablation of section 5.5: each selection variable by itself lies between 0 and 1."""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (sigmoid)",
    changes={"search": {"parameterisation": "sigmoid", "initial_logit": None, "rank_rule": "selection"}},
)
