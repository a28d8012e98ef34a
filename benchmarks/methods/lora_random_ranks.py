"""Control for AutoLoRA: random ranks with the same total as the learned ones."""

from benchmarks.core.spec import Variant

METHOD = Variant(of="lora_learned_ranks", title="LoRA, random ranks", changes={"allocation": "random"})
