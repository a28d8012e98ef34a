import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from autolora.adapters.fused import export, join_fused, split_fused
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.pipeline import RetrainConfig, retrain
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from tests.support.tiny import VOCABULARY, collate, examples, problem, same

GPT2 = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "pad_token_id": 0}
MODERN = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "cls_token_id": 1,
    "sep_token_id": 1,
}
TRAINING = TrainingConfig(lr=1e-2, steps=6, batch_size=8)


def gpt2() -> nn.Module:
    return seeded(lambda: GPT2ForSequenceClassification(GPT2Config(**GPT2)))


def modern_bert() -> nn.Module:
    return seeded(lambda: ModernBertForSequenceClassification(ModernBertConfig(**MODERN)))


def seeded(make):  # noqa: ANN001, ANN201
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


@pytest.mark.parametrize("build", [gpt2, modern_bert])
def test_splitting_and_joining_changes_nothing(build) -> None:  # noqa: ANN001
    model, batch = build().eval(), collate(examples(4))
    before = model(**batch).logits
    split_fused(model)
    assert [p.role for p in find_projections(model)] == ["query", "value"] * 2
    assert (model(**batch).logits - before).abs().max() < 1e-6
    join_fused(model)
    assert same(model, build())
    assert torch.equal(model(**batch).logits, before)


@pytest.mark.parametrize("build", [gpt2, modern_bert])
def test_query_and_value_of_a_fused_projection_get_ranks_of_their_own(build) -> None:  # noqa: ANN001
    found = search(problem(build_model=build), SearchConfig(max_rank=4, training=TRAINING))
    assert len(found.ranks) == 4
    assert {projection.role for projection in found.projections} == {"query", "value"}


def trained(build, ranks: tuple[int, ...]):  # noqa: ANN001, ANN201
    task = problem(build_model=build)
    split_fused(model := build())
    allocation = RankAllocation(find_projections(model), ranks)
    return retrain(task, allocation, RetrainConfig(training=TRAINING))[0].eval()


@pytest.mark.parametrize("build", [gpt2, modern_bert])
@pytest.mark.parametrize("ranks", [(1, 3, 2, 4), (0, 2, 0, 0)])
def test_the_export_computes_the_same_on_the_unsplit_model(build, ranks: tuple[int, ...]) -> None:  # noqa: ANN001
    model, batch = trained(build, ranks), collate(examples(4))
    logits = model(**batch).logits
    exported = export(model)
    assert (exported(**batch).logits - logits).abs().max() < 1e-6
    assert torch.equal(model(**batch).logits, logits)  # the original is left alone
    merged = exported.merge_and_unload()
    assert merged.state_dict().keys() == build().state_dict().keys()
    assert (merged(**batch).logits - logits).abs().max() < 1e-5


LOAD = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification
for folder in sys.argv[1:]:
    model = PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained(folder + "/base"), folder)
    batch = torch.load(folder + "/batch.pt")
    difference = (model.eval()(**batch["inputs"]).logits - batch["logits"]).abs().max()
    assert difference < 1e-6, (folder, difference)
assert not any(name.startswith("autolora") for name in sys.modules)
"""


def test_plain_peft_loads_the_export_in_a_process_without_this_library(tmp_path: Path) -> None:
    folders = []
    for build in (gpt2, modern_bert):
        folder = tmp_path / build.__name__
        model, batch = trained(build, (1, 3, 2, 4)), collate(examples(4))
        build().save_pretrained(folder / "base")
        export(model).save_pretrained(folder)
        torch.save({"inputs": batch, "logits": model(**batch).logits.detach()}, folder / "batch.pt")
        folders.append(str(folder))
    subprocess.run([sys.executable, "-c", LOAD, *folders], check=True, cwd=tmp_path)  # noqa: S603


def test_a_language_model_is_searched_with_its_own_head() -> None:
    def lm(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss

    task = problem(build_model=lambda: seeded(lambda: GPT2LMHeadModel(GPT2Config(**GPT2))), head=(), loss=lm)
    found = search(task, SearchConfig(max_rank=4, training=TRAINING))
    assert len(found.ranks) == 4
