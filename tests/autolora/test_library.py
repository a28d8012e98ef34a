"""The library as its users use it, from the search to a model that loads without the library."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from peft import get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from autolora import Problem, SearchConfig, SearchResult, TrainingConfig, search
from tests.support import tiny
from tests.support.tiny import VOCABULARY, collate, examples

CONFIG = SearchConfig(max_rank=4, training=TrainingConfig(lr=1e-2, steps=6, batch_size=8))
LOAD = """
import sys, torch, transformers
from peft import PeftModel
for folder, kind in zip(sys.argv[1::2], sys.argv[2::2]):
    base = getattr(transformers, kind).from_pretrained(folder + "/base")
    model = PeftModel.from_pretrained(base, folder + "/adapter").eval()
    saved = torch.load(folder + "/saved.pt")
    assert (model(**saved["inputs"]).logits - saved["logits"]).abs().max() < 1e-6
    merged = model.merge_and_unload()
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert (merged(**saved["inputs"]).logits - saved["logits"]).abs().max() < 1e-5
assert not any(name.startswith("autolora") for name in sys.modules)
"""


def llama() -> nn.Module:
    """A decoder whose keys and values have fewer heads than its queries."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=40,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(config)


def next_tokens(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss


def encoder_problem() -> Problem:
    return tiny.problem()


def decoder_problem() -> Problem:
    return tiny.problem(build_model=llama, loss=next_tokens, head=())


def test_ranks_become_an_adapter_that_plain_peft_loads_elsewhere(tmp_path: Path) -> None:
    arguments = []
    for problem in (encoder_problem, decoder_problem):
        folder = tmp_path / problem.__name__
        folder.mkdir()
        arguments += [str(folder), saved_adapter(problem(), folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", LOAD, *arguments], check=True, cwd=tmp_path, env=environment)  # noqa: S603


def saved_adapter(task: Problem, folder: Path) -> str:
    """Write base model, adapter and their outputs; returns the name of the base model's class."""
    search(task, CONFIG).save(folder / "search.json")
    found = SearchResult.load(folder / "search.json")

    torch.manual_seed(0)
    model = get_peft_model(task.build_model(), found.allocation.to_lora_config())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:  # as if it had been trained
                nn.init.normal_(weight, std=0.1)
    trained = {name: weight.shape[0] for name, weight in model.named_parameters() if "lora_A" in name}
    assert list(trained.values()) == list(found.ranks.values())
    assert sum(w.numel() for name, w in model.named_parameters() if "lora_" in name) == found.allocation.parameters

    inputs = {name: tensor for name, tensor in collate(examples(4)).items() if name != "labels"}
    model.save_pretrained(folder / "adapter")
    task.build_model().save_pretrained(folder / "base")
    torch.save({"inputs": inputs, "logits": model.eval()(**inputs).logits.detach()}, folder / "saved.pt")
    return type(task.build_model()).__name__


def test_a_decoders_values_are_smaller_than_its_queries_and_counted_so() -> None:
    found = search(decoder_problem(), CONFIG)
    sizes = [(projection.out_features, projection.in_features) for projection in found.projections]
    assert sizes == [(16, 16), (8, 16)] * 2
    query, value, *_ = found.allocation.ranks
    assert found.allocation.parameters == sum(
        rank * sum(size) for rank, size in zip(found.allocation.ranks, sizes, strict=True)
    )
    assert query > 0
    assert value > 0
