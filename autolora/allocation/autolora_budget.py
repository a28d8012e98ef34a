"""AutoLoRA with one budget shared by all layers: components compete by what they contribute to the validation loss.

The bilevel idea of AutoLoRA (arXiv:2403.09113) is kept: weights are trained on D_tr, and what decides about ranks is the
loss on D_val as a function of one selection variable (gate) per rank-1 component. Three things differ:

- Gates are no parameters of a softmax within a layer; a component's worth is the part of the decrease of the validation
  loss that it accounts for: the integral of -dL_val/dg_j along the path on which all gates go from 0 to 1 together
  (Aumann-Shapley values; integrated gradients, arXiv:1703.01365). The parts sum to the whole decrease, and the part of a
  component that does nothing is 0.
- Parts are compared across all layers, each divided by the component's number of parameters, and the number of
  components falls to the budget in several rounds, between which training goes on, so that the remaining components
  take over what the removed ones did.
- Before each round an update's factors are rotated to its singular vectors, since rank-1 components of LoRA's factors
  are arbitrary mixtures of each other.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from autolora.adapters.adapt import fresh_model
from autolora.adapters.budget import Budget, limit_of, ranks_within
from autolora.adapters.head import present_heads
from autolora.adapters.layers import SelectiveLoRA, attach, freeze_all_but
from autolora.adapters.projections import Projection, find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.adapters.selection import parameterisation
from autolora.allocation.allocator import highest_rank
from autolora.compute.runtime import NonFiniteLossError
from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.model import refuse_adapted, refuse_cut_off, refuse_what_cannot_be_searched
from autolora.rank_search.result import SearchResult
from autolora.rank_search.search import train_and_valid
from autolora.training.batches import batch_loss, gather
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class AutoLoraBudget:
    """Costs one LoRA training at a higher rank, and a few passes over D_val."""

    title: ClassVar[str] = "AutoLoRA (budget)"

    max_rank: int | None = None
    """Maximum rank of a layer; None: `allocator.highest_rank`."""
    lora_alpha: float = 16
    """LoRA's scaling is lora_alpha / maximum rank."""
    rounds: int = 8
    """Number of times that components are removed."""
    first: float = 0.25
    """Share of all steps before the first removal."""
    last: float = 0.8
    """Share of all steps before the last one, after which the budget is met."""
    valid_share: float = 0.25
    """Share of the training set that is split off as D_val."""
    valid_examples: int = 256
    """At most this many examples of D_val are used per round."""
    points: int = 4
    """Gauss-Legendre points on the path of the gates from 0 to 1."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Optimizer and length of the training from which components are removed."""

    def allocate(self, problem: Problem, budget: Budget) -> RankAllocation:
        """The ranks of `search`."""
        return self.search(problem, budget).allocation

    def search(self, problem: Problem, budget: Budget, *, valid: Sequence[Example] | None = None) -> SearchResult:
        """Train with the maximum rank in every layer, and remove components until the budget is met.

        Args:
            problem: its training set is split into D_tr and D_val.
            budget: of all updates together.
            valid: examples of D_val; the training set is then D_tr as a whole. None splits it.

        Returns:
            The ranks; the selection variables are each component's contribution to the validation loss, divided by its
            size in the budget, at the last removal, in descending order of its singular value.

        Raises:
            ValueError: the budget or the maximum rank fits no layer, or the model cannot be adapted (see `RankSearch`).
            Interrupted: the runtime was asked to stop.
            NonFiniteLossError: a loss or a contribution became NaN or infinite.
        """
        start = time.perf_counter()
        train_set, held_out = train_and_valid(problem, self.valid_share, valid)
        plain = replace(
            problem, train=train_set, strata=None, groups=None, runtime=replace(problem.runtime, checkpoints=None)
        )
        model = fresh_model(plain)
        refuse_adapted(model)
        head = present_heads(model, problem.head)
        projections = find_projections(model, problem.targets, head)
        once = SearchConfig(engine="first-order")  # as this, it differentiates once
        refuse_what_cannot_be_searched(model, [each.name for each in projections], head, once)
        highest = self.max_rank or highest_rank(budget, projections)
        ranks_within(budget, {each.name: [1.0] * highest for each in projections}, projections)  # refuses early
        layers = attach(model, projections, highest, self.lora_alpha, parameterisation("unconstrained"))
        _start(model, layers, head)
        valid_set = held_out[: self.valid_examples]
        pruning = _Pruning(self, model, layers, problem=plain, valid=valid_set, budget=budget, projections=projections)
        train(model, plain, self.training, after_step=pruning.after_step, stage="allocation")
        return SearchResult(
            projections=projections,
            selection=pruning.worth,
            ranks=pruning.ranks,
            history=pruning.history,
            steps=pruning.steps,
            seconds=time.perf_counter() - start,
            config=asdict(replace(self, max_rank=highest)),
        )


def contributions(
    model: nn.Module,
    layers: Mapping[str, SelectiveLoRA],
    problem: Problem,
    examples: Sequence[Example],
    *,
    points: int,
    batch_size: int,
) -> dict[str, Tensor]:
    """The part of the decrease of a loss that each component accounts for.

    Args:
        model: with components whose gates are 1 or, where they are removed, 0; gates are unchanged afterwards.
        layers: layer name -> layer.
        problem: its loss and runtime.
        examples: on which the loss is computed.
        points: Gauss-Legendre points of the integral over the path.
        batch_size: examples per pass.

    Returns:
        layer name -> the parts, shape (k,); together they are the loss with all gates at 0 less that with the gates as
        they are, up to the error of the integral.

    Raises:
        ValueError: no gradient reaches a layer; the message names it.
    """
    gates = [layer.selection_logits for layer in layers.values()]
    live = [gate.detach().clone() for gate in gates]
    totals = [torch.zeros_like(gate) for gate in gates]
    nodes, weights = np.polynomial.legendre.leggauss(points)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        for gate, value in zip(gates, live, strict=True):
            gate.data.copy_(value * float(node))
            gate.requires_grad_()
        for start in range(0, len(examples), batch_size):
            part = range(start, min(start + batch_size, len(examples)))
            loss = batch_loss(model, gather(problem, examples, part), loss=problem.loss, runtime=problem.runtime)
            gradients = torch.autograd.grad(loss, gates, allow_unused=True)
            refuse_cut_off(layers, gradients)
            for total, gradient, value in zip(totals, gradients, live, strict=True):
                total.sub_(gradient * value, alpha=float(weight) * len(part) / len(examples))
    for gate, value in zip(gates, live, strict=True):
        gate.data.copy_(value)
        gate.requires_grad_(False)
    return dict(zip(layers, totals, strict=True))


@torch.no_grad()
def rotate(layer: SelectiveLoRA) -> None:
    """Replace a layer's factors by the singular vectors of their product, in place; the product stays the same.

    Component j then has singular value j, the largest first, shared equally by its two factors. Gates must be 0 or 1;
    those of components without a singular value become 0.
    """
    gate = layer.selection_logits
    left, right = torch.linalg.qr(layer.lora_B * gate), torch.linalg.qr(layer.lora_A.T * gate)
    inner = torch.linalg.svd(left.R @ right.R.T)
    roots = inner.S.sqrt()
    live = torch.arange(len(gate), device=gate.device) < int(gate.count_nonzero())
    layer.lora_B.copy_(left.Q @ inner.U * roots * live)
    layer.lora_A.copy_((right.Q @ inner.Vh.T * roots * live).T)
    gate.copy_(live)


def _start(model: nn.Module, layers: Mapping[str, SelectiveLoRA], head: Sequence[str]) -> None:
    freeze_all_but(model, head)
    for layer in layers.values():
        layer.selection_logits.data.fill_(1)
        layer.lora_A.requires_grad_()
        layer.lora_B.requires_grad_()


class _Pruning:
    """Removes components at some of the steps of a training."""

    def __init__(
        self,
        allocator: AutoLoraBudget,
        model: nn.Module,
        layers: Mapping[str, SelectiveLoRA],
        *,
        problem: Problem,
        valid: Sequence[Example],
        budget: Budget,
        projections: Sequence[Projection],
    ) -> None:
        self.ranks = {name: len(layer.selection_logits) for name, layer in layers.items()}
        self.worth: dict[str, list[float]] = {}
        """Layer -> contribution of each component in the last round, per unit of the budget."""
        self.history: list[dict[str, Any]] = []
        """One record per round: `step`, `decrease` of the validation loss by all components, `ranks` after the round."""
        self.steps = allocator.training.total_steps(-(-len(problem.train) // allocator.training.batch_size))
        self._allocator, self._model, self._layers, self._projections = allocator, model, layers, projections
        self._problem, self._valid, self._budget = problem, valid, budget
        shares = np.linspace(allocator.first, allocator.last, allocator.rounds)
        self._at = [max(1, round(float(share) * self.steps)) for share in shares]

    def after_step(self, done: int) -> None:
        for number, step in enumerate(self._at, 1):
            if step == done:
                self._remove(number, done)

    def _remove(self, number: int, step: int) -> None:
        """Round `number` of 1, 2, ...: remove the components that are worth least, down to the round's size."""
        for layer in self._layers.values():
            rotate(layer)
        training = self._model.training
        self._model.eval()
        found = contributions(
            self._model, self._layers, self._problem, self._valid,
            points=self._allocator.points, batch_size=4 * self._allocator.training.batch_size,
        )  # fmt: skip
        self._model.train(training)
        decrease = sum(float(parts.sum()) for parts in found.values())
        if not math.isfinite(decrease):
            raise NonFiniteLossError(f"allocation: a contribution is NaN or infinite at step {step}; try a lower lr")
        self.worth = {each.name: (found[each.name] / self._budget.cost(each)).tolist() for each in self._projections}
        live = {name: parts[: self.ranks[name]] for name, parts in self.worth.items()}
        self.ranks = ranks_within(self._size(number), live, self._projections)
        self.history.append({"step": step, "decrease": decrease, "ranks": self.ranks})
        for name, layer in self._layers.items():
            best = torch.tensor(live[name]).argsort(descending=True)[: self.ranks[name]]
            layer.selection_logits.data.zero_()
            layer.selection_logits.data[best] = 1

    def _size(self, number: int) -> Budget:
        """The budget of a round: from all components to the budget, in equal ratios."""
        limit = limit_of(self._budget, self._projections)
        rank = len(next(iter(self._layers.values())).selection_logits)
        whole = rank * sum(map(self._budget.cost, self._projections))
        size = max(limit, int(whole * (limit / whole) ** (number / len(self._at))))
        if self._budget.parameters is None:
            return Budget(mean_rank=size / len(self._projections))
        return Budget(parameters=size)
