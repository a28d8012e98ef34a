"""Ablation of section 5.5: each selection variable is a sigmoid, so it lies between 0 and 1 independently of the others."""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (sigmoid)",
    changes={"search": {"parameterisation": "sigmoid", "initial_logit": None, "rank_rule": "selection"}},
)
