"""The gradient of the training loss by the weights of the layers, before any training."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from autolora.adapters.adapt import fresh_model
from autolora.adapters.projections import Projection
from autolora.problem import Problem
from autolora.training.batch_order import batch_order
from autolora.training.batches import batch_loss, gather


def weight_gradients(
    problem: Problem, projections: Sequence[Projection], *, batches: int, batch_size: int
) -> Iterator[tuple[Projection, Tensor, Tensor]]:
    """Projection, its weight W and the mean gradient of the loss by it over some batches, each of shape (m, n)."""
    model = fresh_model(problem).to(problem.runtime.device).eval().requires_grad_(False)
    layers: list[Any] = [model.get_submodule(each.name) for each in projections]
    weights: list[Tensor] = [layer.weight.requires_grad_() for layer in layers]
    order = batch_order(problem.train, batch_size, seed=problem.seed, stream="allocation")
    gradients = [torch.zeros_like(weight) for weight in weights]
    number = min(batches, order.steps_per_epoch)
    for index in range(number):
        batch = gather(problem, problem.train, order.batch(index))
        found = torch.autograd.grad(batch_loss(model, batch, loss=problem.loss, runtime=problem.runtime), weights)
        for total, gradient in zip(gradients, found, strict=True):
            total.add_(gradient, alpha=1 / number)
    for each, layer, weight, gradient in zip(projections, layers, weights, gradients, strict=True):
        turned = isinstance(layer, Conv1D)
        yield each, (weight.T if turned else weight).detach(), gradient.T if turned else gradient
