import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2ForSequenceClassification

from autolora.adapters.layers import SelectiveLoRA, attach, detach, freeze_all_but
from autolora.adapters.projections import find_projections, sublayer_outputs
from autolora.adapters.selection import PARAMETERISATIONS
from tests.support.tiny import MODELS, build, collate, examples, same

SOFTMAX = PARAMETERISATIONS["softmax"]


@pytest.mark.parametrize("kind", MODELS)
def test_query_and_value_of_every_block_are_found(kind: str) -> None:
    found = find_projections(build(kind))
    assert [projection.role for projection in found] == ["query", "value"] * 2
    assert all((projection.out_features, projection.in_features) == (16, 16) for projection in found)


@pytest.mark.parametrize("kind", MODELS)
def test_both_sublayers_of_every_block_end_somewhere(kind: str) -> None:
    assert len(sublayer_outputs(build(kind))) == 4


class Strange(nn.Module):
    """An attention block with unusual projection names."""

    def __init__(self) -> None:
        super().__init__()
        self.wq, self.wk, self.wv = (nn.Linear(4, 4) for _ in range(3))


def test_an_unknown_architecture_is_answered_with_how_to_name_its_projections() -> None:
    with pytest.raises(ValueError, match=r"targets = \[QUERY, VALUE\], choosing from wk, wq, wv"):
        find_projections(Strange())
    assert [p.name for p in find_projections(Strange(), ("wq", "wv"))] == ["wq", "wv"]


def test_targets_that_are_not_there_are_answered_with_what_is() -> None:
    with pytest.raises(ValueError, match="no linear layer named 'q'; the nearest are wq"):
        find_projections(Strange(), ("q", "v"))


def test_fused_projections_are_named_as_such() -> None:
    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=10, n_embd=8, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match="fuses query and value into one matrix"):
        find_projections(model)


def randomised(model: nn.Module, max_rank: int = 3) -> dict[str, SelectiveLoRA]:
    layers = attach(model, find_projections(model), max_rank, 6.0, SOFTMAX)
    for layer in layers.values():
        nn.init.normal_(layer.lora_B)
        nn.init.normal_(layer.selection_logits)
    return layers


def test_a_layer_computes_the_weighted_sum_of_its_rank_one_matrices() -> None:
    torch.manual_seed(0)
    model = build(dtype=torch.float64)
    name, layer = next(iter(randomised(model).items()))
    assert name.endswith("query")
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    alpha = layer.selection_logits.exp() / layer.selection_logits.exp().sum()
    components = [a * torch.outer(layer.lora_B[:, j], layer.lora_A[j]) for j, a in enumerate(alpha)]
    weight = layer.base.weight + (6.0 / 3) * sum(components)
    assert torch.allclose(layer(x), x @ weight.T + layer.base.bias, rtol=1e-12, atol=1e-12)


def test_attaching_changes_no_output_and_detaching_gives_the_model_back() -> None:
    model, batch = build().eval(), collate(examples(4))
    before = model(**batch).logits
    attach(model, find_projections(model), 4, 16, SOFTMAX)
    assert torch.equal(model(**batch).logits, before)
    randomised(detached := build().eval())
    detach(detached)
    assert same(detached, build())


def test_only_the_head_stays_trainable() -> None:
    model = build("roberta")
    head = freeze_all_but(model, ("classifier", "score"))
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {f"classifier.{part}.{kind}" for part in ("dense", "out_proj") for kind in ("weight", "bias")}
    assert len(head) == 4


@pytest.mark.parametrize("max_rank", [0, 17])
def test_a_rank_beyond_the_projection_is_refused(max_rank: int) -> None:
    model = build()
    with pytest.raises(ValueError, match=r"1\.\.16"):
        attach(model, find_projections(model), max_rank, 16, SOFTMAX)
