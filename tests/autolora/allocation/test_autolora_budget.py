"""What a component contributes, checked in closed form; the rotation; planted ranks are found."""

import pytest
import torch
from torch import nn

from autolora.adapters.budget import Budget
from autolora.adapters.layers import SelectiveLoRA, attach
from autolora.adapters.projections import Projection
from autolora.adapters.selection import parameterisation
from autolora.allocation.autolora_budget import AutoLoraBudget, contributions, rotate
from autolora.problem import Batch, Problem
from autolora.training.config import TrainingConfig

SIZE = 12
LAYERS = ("first", "second", "third")


class Sum(nn.Module):
    """y = the sum of three linear layers, each of its own third of the input."""

    def __init__(self) -> None:
        super().__init__()
        for name in LAYERS:
            self.add_module(name, nn.Linear(SIZE, SIZE, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(getattr(self, name)(part) for name, part in zip(LAYERS, x.split(SIZE, -1), strict=True))


def build() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Sum()


def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    return (model(batch["x"]) - batch["y"]).square().mean()


def collate(examples: object) -> Batch:
    return {name: torch.stack([example[name] for example in examples]) for name in ("x", "y")}  # type: ignore[attr-defined]


def planted(ranks: tuple[int, ...], seed: int = 0) -> Problem:
    """Updates of these ranks are missing from the layers; all components are equally strong."""
    torch.manual_seed(seed)
    teacher, x = build(), torch.randn(256, len(LAYERS) * SIZE)
    for name, rank in zip(LAYERS, ranks, strict=True):
        left, right = (torch.linalg.qr(torch.randn(SIZE, SIZE)).Q[:, :rank] for _ in range(2))
        getattr(teacher, name).weight.data += left @ right.T
    with torch.no_grad():
        y = teacher(x)
    rows = [{"x": one, "y": other} for one, other in zip(x, y, strict=True)]
    return Problem(
        build_model=build, train=rows, collate=collate, loss=loss, loss_denominator=lambda batch: len(batch["x"]),
        head=(), targets=LAYERS, seed=seed,
    )  # fmt: skip


def gated(rank: int) -> tuple[nn.Module, dict[str, SelectiveLoRA]]:
    model = build()
    projections = [Projection.of(name, model) for name in LAYERS]
    layers = attach(model, projections, rank, float(rank), parameterisation("unconstrained"))
    torch.manual_seed(1)
    for layer in layers.values():
        layer.selection_logits.data.fill_(1)
        layer.lora_B.data.normal_()
    return model, layers


def test_contributions_sum_to_the_decrease_of_the_loss_and_a_removed_component_has_none() -> None:
    model, layers = gated(3)
    problem = planted((1, 2, 0))
    layers["second"].selection_logits.data[1] = 0
    before = {name: layer.selection_logits.detach().clone() for name, layer in layers.items()}
    found = contributions(model, layers, problem, problem.train[:40], points=3, batch_size=16)
    batch = collate(problem.train[:40])
    full = float(loss(model, batch))
    for name, layer in layers.items():
        assert torch.equal(layer.selection_logits, before[name])
        layer.selection_logits.data.zero_()
    assert sum(float(part.sum()) for part in found.values()) == pytest.approx(
        float(loss(model, batch)) - full, rel=1e-4
    )
    assert found["second"][1] == 0


def test_a_rotation_keeps_the_update_and_orders_orthogonal_components_by_strength() -> None:
    _, layers = gated(4)
    layer = layers["first"]
    layer.selection_logits.data[2] = 0
    x = torch.randn(5, SIZE)
    before = layer(x)
    update = layer.lora_B @ (layer.selection_logits[:, None] * layer.lora_A)
    rotate(layer)
    torch.testing.assert_close(layer(x), before, atol=1e-4, rtol=1e-4)
    assert layer.selection_logits.tolist() == [1, 1, 1, 0]
    strengths = layer.lora_B.norm(dim=0) * layer.lora_A.norm(dim=1)
    torch.testing.assert_close(strengths[:3], torch.linalg.svdvals(update)[:3], atol=1e-4, rtol=1e-4)
    products = layer.lora_A @ layer.lora_A.T
    torch.testing.assert_close(products, products.diag().diag(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("ranks", [(4, 0, 2), (0, 1, 5), (2, 2, 2)])
def test_the_planted_ranks_are_found(ranks: tuple[int, ...]) -> None:
    allocator = AutoLoraBudget(training=TrainingConfig(lr=2e-2, steps=100))
    assert allocator.allocate(planted(ranks), Budget(parameters=6 * 2 * SIZE)).ranks == ranks
    assert allocator.allocate(planted(ranks), Budget(mean_rank=2)).ranks == ranks
