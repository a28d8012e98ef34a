"""The part of a model card that says which ranks were found, and how."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from peft import LoraConfig

_BEGIN, _END = "<!-- ranks found by autolora -->", "<!-- end of ranks -->"
_PACKAGES = ("autolora-bench", "peft", "torch", "transformers")


def write_card(path: Path, config: LoraConfig, *, summary: str, facts: dict[str, str]) -> None:
    """Write the ranks into a model card; the rest of an existing card is kept.

    Args:
        path: README.md of an adapter's folder.
        config: the configuration with the ranks.
        summary: the ranks as a table of fixed width.
        facts: further rows, name -> value.
    """
    card = ModelCard.load(path) if path.exists() else ModelCard("---\nlibrary_name: peft\n---\n")
    data: Any = card.data
    base = config.base_model_name_or_path
    if base:
        data.base_model = base
    data.tags = sorted({*(data.tags or ()), "autolora", "lora"})
    part = _part(base or "the model", summary, facts)
    old = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}\n?", re.DOTALL)
    text = old.sub(lambda _: part, card.text) if old.search(card.text) else f"{card.text.rstrip()}\n\n{part}".lstrip()
    card.text = text
    path.write_text(f"---\n{data.to_yaml()}\n---\n\n{text.lstrip()}", encoding="utf-8")


def _part(base: str, summary: str, facts: dict[str, str]) -> str:
    rows = facts | {"versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES)}
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""{_BEGIN}
## LoRA ranks

A LoRA rank for each adapted layer of {base}, learned by a search with AutoLoRA
([arXiv:2403.09113](https://arxiv.org/abs/2403.09113)); `adapter_config.json` has them for PEFT.

```text
{summary}
```

| | |
|---|---|
{table}
{_END}
"""
