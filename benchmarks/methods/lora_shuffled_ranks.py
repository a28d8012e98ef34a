"""Control for AutoLoRA: the learned ranks, permuted over the projections."""

from benchmarks.core.spec import Variant

METHOD = Variant(of="lora_learned_ranks", title="LoRA, shuffled ranks", changes={"allocation": "shuffled"})
