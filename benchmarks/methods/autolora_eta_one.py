"""What betty's engine computes whatever the learning rate: weight 1 on the second-order term.

The look-ahead is the optimizer's own step, and the mixed derivative is taken there; it is exact here, without betty's
noise from unequal dropout masks.
"""

from benchmarks.core.spec import Variant

METHOD = Variant(
    of="autolora",
    title="AutoLoRA (eta = 1)",
    changes={"search": {"eta": 1.0, "engine": "exact", "look_ahead": "optimizer"}},
)
