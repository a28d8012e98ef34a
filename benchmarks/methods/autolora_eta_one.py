"""Ablation: weight 1 on the second-order term, which betty's engine uses at every learning rate.

The look-ahead is the optimizer's step, and the mixed derivative is evaluated there. It is exact here, without betty's
noise from different dropout masks.
"""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (eta = 1)",
    changes={"search": {"eta": 1.0, "engine": "exact", "look_ahead": "optimizer"}},
)
