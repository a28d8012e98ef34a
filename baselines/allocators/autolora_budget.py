"""AutoLoRA with one budget shared by all layers (`autolora.allocation.autolora_budget`)."""

from autolora.allocation.autolora_budget import AutoLoraBudget

ALLOCATOR = AutoLoraBudget
