"""ElaLoRA (arXiv:2504.00254): components are pruned and grown during training by a gradient score.

Training starts with the uniform rank. At regular steps the components with the lowest scores of all layers are removed,
and as many new ones are added to the layers of the highest scores. The score of a component is the running mean of
|weight * gradient|, averaged over the weights of its two factors. As we understand the paper; its text was not at hand.
Deviations: factors as in LoRA instead of a parameterised singular value decomposition, the sensitivity without the
uncertainty factor, a constant number of exchanges until `last`, and only the ranks are taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from autolora.adapters.adapt import fresh_model, projections_of
from autolora.adapters.budget import Budget
from autolora.adapters.head import present_heads
from autolora.adapters.layers import SelectiveLoRA, attach, freeze_all_but
from autolora.adapters.ranks import RankAllocation
from autolora.adapters.selection import parameterisation
from autolora.allocation.allocator import highest_rank, in_proportion
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from baselines.allocators.uniform import Uniform


@dataclass(frozen=True, kw_only=True)
class ElaLora:
    """Costs one LoRA training."""

    title: ClassVar[str] = "ElaLoRA"

    lora_alpha: float = 16
    """LoRA's scaling is lora_alpha / highest rank."""
    rounds: int = 12
    """Number of exchanges."""
    exchanged: float = 0.1
    """Share of the components that are exchanged each time."""
    first: float = 0.1
    """Share of all steps before the first exchange."""
    last: float = 0.7
    """Share of all steps before the last exchange."""
    smoothing: float = 0.85
    """Weight of the past in the running mean."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """Train with a fixed number of components, some of which move."""
        projections = projections_of(problem)
        highest = highest_rank(budget, projections)
        start = Uniform().allocate(problem, budget).by_name()
        plain = replace(problem, runtime=replace(problem.runtime, checkpoints=None))
        model = fresh_model(plain)
        layers = attach(model, projections, highest, self.lora_alpha, parameterisation("unconstrained"))
        freeze_all_but(model, present_heads(model, problem.head))
        for name, layer in layers.items():
            layer.lora_A.requires_grad_()
            layer.lora_B.requires_grad_()
            layer.selection_logits.data.copy_(torch.arange(highest) < start[name])
        exchange = _Exchange(self, layers, len(problem.train))
        train(model, plain, self.training, after_step=exchange.after_step, stage="allocation")
        found = {name: int(layer.selection_logits.count_nonzero()) for name, layer in layers.items()}
        return in_proportion(found, budget, projections, highest=highest)


class _Exchange:
    """Scores of all components, and the exchanges made by them."""

    def __init__(self, allocator: ElaLora, layers: Mapping[str, SelectiveLoRA], examples: int) -> None:
        training = allocator.training
        steps = training.total_steps(-(-examples // training.batch_size))
        shares = torch.linspace(allocator.first, allocator.last, allocator.rounds).tolist()
        self._at = {max(1, round(share * steps)) for share in shares}
        self._layers, self._smoothing = layers, allocator.smoothing
        live = sum(int(layer.selection_logits.count_nonzero()) for layer in layers.values())
        self._number = max(1, round(allocator.exchanged * live))
        self._scores = {name: torch.zeros_like(layer.selection_logits) for name, layer in layers.items()}

    def after_step(self, done: int) -> None:
        for name, layer in self._layers.items():
            self._scores[name].mul_(self._smoothing).add_((1 - self._smoothing) * _sensitivity(layer))
        if done in self._at:
            self._exchange()

    def _exchange(self) -> None:
        """Remove the least of all components, and add as many in the layers of the best that have room."""
        live = [
            (float(self._scores[name][index]), name, index)
            for name, layer in self._layers.items()
            for index in layer.selection_logits.nonzero().flatten().tolist()
        ]
        live.sort()
        for _, name, index in live[: self._number]:
            self._layers[name].selection_logits.data[index] = 0
            self._layers[name].lora_B.data[:, index] = 0
        added = 0
        for _, name, _ in reversed(live):
            room = (self._layers[name].selection_logits == 0).nonzero().flatten().tolist()
            if room and added < self._number:
                self._layers[name].selection_logits.data[room[0]] = 1
                added += 1


@torch.no_grad()
def _sensitivity(layer: SelectiveLoRA) -> Tensor:
    """Mean |weight * gradient| of each component, shape (k,)."""
    assert layer.lora_A.grad is not None
    assert layer.lora_B.grad is not None
    down = (layer.lora_A * layer.lora_A.grad).abs().mean(1)
    return down + (layer.lora_B * layer.lora_B.grad).abs().mean(0)


ALLOCATOR = ElaLora
