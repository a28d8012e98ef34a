"""Control for AutoLoRA: the same rank everywhere, with the same total as the learned ones."""

from benchmarks.core.spec import Variant

METHOD = Variant(of="lora_learned_ranks", title="LoRA, uniform rank, matched", changes={"allocation": "uniform"})
