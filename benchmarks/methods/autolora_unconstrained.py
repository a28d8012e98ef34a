"""Ablation of section 5.5: the selection variables of a layer are not constrained to sum to 1."""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (w/o cst.)",
    changes={"search": {"parameterisation": "unconstrained", "initial_logit": None}},
)
