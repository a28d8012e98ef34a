"""Control for AutoLoRA: ranks drawn at random, with the learned ones' total."""

from benchmarks.core.spec import Variant

METHOD = Variant(of="lora_learned_ranks", title="LoRA, random ranks", changes={"allocation": "random"})
