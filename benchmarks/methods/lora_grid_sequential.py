"""The grid search as it is usually run, and as Table 5 measures it: one configuration after another."""

from benchmarks.core.spec import Variant

METHOD = Variant(of="lora_grid", title="LoRA (grid, one by one)", changes={"stack": {"members": 1}})
