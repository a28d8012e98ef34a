"""Problems whose best ranks are known: a teacher is the student plus updates of known rank in some of its layers.

The student learns the teacher's last hidden states by regression. Inputs are random tokens. The update of a layer is
scaled so that, alone, it changes the hidden states by an amount proportional to its rank: every planted component is
then worth as much as any other, whatever the layer, and a rank that is larger is needed more. Its components read
directions in which the layer's inputs vary, uncorrelated and without a mean, since pretrained models have inputs with a
large mean, and an update that reads it is nearly a constant, of rank 1.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from autolora.adapters.adapt import fresh_model, projections_of
from autolora.adapters.budget import Budget
from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation
from autolora.problem import Batch, Example, Problem, Targets

Pattern = Literal["few", "rising", "falling", "kind", "alike"]
Spectrum = Literal["flat", "decaying"]
_TEST_EXAMPLES = 128
_READ = 32
"""Number of principal components of a layer's inputs that planted updates read."""
_DECAY = 0.7
"""Ratio of two consecutive singular values of a decaying spectrum."""


@dataclass(frozen=True, kw_only=True)
class Planting:
    """What is planted, and how much is said about it."""

    pattern: Pattern = "few"
    """Which layers need a rank: a quarter of them; more with depth; less with depth; value projections only (of other
    targets: every second layer); all alike, which is the control."""
    spectrum: Spectrum = "flat"
    """Singular values of an update: all alike, or each 0.7 times the one before."""
    noise: float = 0.0
    """Standard deviation of the noise on the training targets, as a share of the standard deviation of what is to be
    learned."""
    mean_rank: int = 2
    """Mean of the planted ranks over all layers."""
    effect: float = 0.02
    """Mean squared change of the hidden states by one planted component, over their variance."""
    examples: int = 512
    """Training examples."""
    tokens: int = 8
    """Per example."""
    shuffled: bool = False
    """Whether the targets are dealt out to the examples at random, so that nothing can be learned."""
    targets: Targets | None = None
    """As in `Problem`."""

    def __post_init__(self) -> None:
        for name, known in (("pattern", Pattern), ("spectrum", Spectrum)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} must be one of {', '.join(get_args(known))}; got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A problem with the ranks that it needs."""

    problem: Problem
    truth: RankAllocation
    test: Sequence[Example]
    """Held-out examples, without noise."""

    @property
    def budget(self) -> Budget:
        """As many parameters as the planted updates have."""
        return Budget(parameters=self.truth.parameters)

    def test_loss(self, model: nn.Module) -> float:
        """Mean squared error on the held-out examples, as a share of the student's own: 1 if nothing was learned."""
        model.eval()
        batch = self.problem.collate(self.test)
        with torch.no_grad():
            return float(self.problem.loss(model, batch))


def planted_ranks(planting: Planting, projections: Sequence[Projection]) -> dict[str, int]:
    """Layer name -> planted rank; the mean is the planting's mean rank, up to rounding."""
    number, mean = len(projections), planting.mean_rank
    places = range(number)
    rising = [round(2 * mean * (place + 0.5) / number) for place in places]
    kinds = [each.role == "value" for each in projections]
    if not any(kinds) or all(kinds):
        kinds = [place % 2 == 1 for place in places]
    few = {4 * index + (index + 1) % 2 for index in range(max(1, number // 4))}
    ranks = {
        "few": [round(mean * number / len(few)) if place in few else 0 for place in places],
        "rising": rising,
        "falling": rising[::-1],
        "kind": [round(mean * number / sum(kinds)) if chosen else 0 for chosen in kinds],
        "alike": [mean] * number,
    }[planting.pattern]
    return {each.name: rank for each, rank in zip(projections, ranks, strict=True)}


def plant(build: Callable[[], nn.Module], planting: Planting, seed: int) -> Planted:
    """Build a problem whose teacher has updates of known rank.

    Args:
        build: returns the student, whose output has a `last_hidden_state`.
        planting: the settings.
        seed: of the teacher's updates, the inputs, the noise, and the training.
    """
    size = planting.examples + _TEST_EXAMPLES
    tokens = _inputs(build, planting, size, seed)
    rows = [{"input_ids": row} for row in tokens.tolist()]
    bare = Problem(build_model=build, train=rows, collate=_collate, head=(), targets=planting.targets, seed=seed)
    projections = projections_of(bare)
    ranks = planted_ranks(planting, projections)
    model = fresh_model(bare).eval()
    before = _hidden(model, tokens)
    _add_updates(model, projections, ranks, planting, tokens=tokens[: planting.examples], seed=seed)
    after = _hidden(model, tokens)
    scale = float((after - before)[planting.examples :].square().mean())
    generator = torch.Generator().manual_seed(seed)
    noisy = after + planting.noise * math.sqrt(scale) * torch.randn(after.shape, generator=generator)
    order = torch.randperm(planting.examples, generator=generator) if planting.shuffled else range(planting.examples)
    train = [{**rows[index], "targets": noisy[int(other)]} for index, other in enumerate(order)]
    test = [{**rows[index], "targets": after[index]} for index in range(planting.examples, size)]
    problem = Problem(
        build_model=build, train=train, collate=_collate, loss=_regression(scale), loss_denominator=_examples,
        head=(), targets=planting.targets, seed=seed,
    )  # fmt: skip
    return Planted(problem=problem, truth=RankAllocation.of(projections, ranks), test=test)


def _inputs(build: Callable[[], nn.Module], planting: Planting, size: int, seed: int) -> Tensor:
    """Random tokens, shape (size, tokens)."""
    config: Any = build().config
    rng = random.Random(f"planted inputs/{seed}")
    drawn = [[rng.randrange(5, config.vocab_size) for _ in range(planting.tokens)] for _ in range(size)]
    return torch.tensor(drawn)


def _collate(examples: Sequence[Example]) -> Batch:
    batch: dict[str, Tensor] = {"input_ids": torch.tensor([example["input_ids"] for example in examples])}
    if "targets" in examples[0]:
        batch["targets"] = torch.stack([example["targets"] for example in examples])
    return batch


def _examples(batch: Batch) -> float:
    return len(batch["input_ids"])


def _regression(scale: float) -> Callable[[nn.Module, Batch], Tensor]:
    """Mean squared error of the last hidden states over a scale."""

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        found: Tensor = model(input_ids=batch["input_ids"]).last_hidden_state
        squared: Tensor = (found - batch["targets"]).square()
        return squared.mean() / scale

    return loss


@torch.no_grad()
def _hidden(model: nn.Module, tokens: Tensor) -> Tensor:
    """Shape (examples, tokens, width)."""
    return torch.cat([model(input_ids=part).last_hidden_state for part in torch.split(tokens, 64)])


@torch.no_grad()
def _add_updates(
    model: nn.Module,
    projections: Sequence[Projection],
    ranks: Mapping[str, int],
    planting: Planting,
    *,
    tokens: Tensor,
    seed: int,
) -> None:
    """Add the planted updates to the model, in place."""
    some = tokens[:64]
    readers = _readers(model, projections, some)
    plain = _hidden(model, some)
    variance = float(plain.var(dim=(0, 1)).mean())
    generator = torch.Generator().manual_seed(seed)
    updates = {}
    for each in projections:
        if not (rank := ranks[each.name]):
            continue
        weight = _weight(model, each.name)
        update = _update(each, rank, planting.spectrum, readers[each.name], generator) * float(weight.norm())
        for _ in range(2):  # the change is quadratic in the scale only near 0
            weight += update
            changed = float((_hidden(model, some) - plain).square().mean()) / variance
            weight -= update
            update *= (rank * planting.effect / changed) ** 0.5
        updates[each.name] = update
    for name, update in updates.items():
        _weight(model, name).add_(update)


def _readers(model: nn.Module, projections: Sequence[Projection], tokens: Tensor) -> dict[str, Tensor]:
    """Layer name -> directions, shape (n, d), whose products with the layer's inputs are uncorrelated, of mean 0.

    They are the leading principal components over their standard deviations, less their parts along the inputs' mean.
    """
    inputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, arguments, _output: inputs.update({name: arguments[0].flatten(0, -2)})

    hooks = [model.get_submodule(each.name).register_forward_hook(keep(each.name)) for each in projections]
    model(input_ids=tokens)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, rows in inputs.items():
        mean = rows.mean(0)
        _, values, directions = torch.linalg.svd(rows - mean, full_matrices=False)
        along = mean / mean.norm()
        kept = directions[:_READ].T
        found[name] = (kept - along[:, None] * (along @ kept)) * len(rows) ** 0.5 / values[:_READ]
    return found


def _update(
    projection: Projection, rank: int, spectrum: Spectrum, readers: Tensor, generator: torch.Generator
) -> Tensor:
    """A random matrix of this rank and of norm 1, shape (m, n)."""
    left = torch.linalg.qr(torch.randn(projection.out_features, rank, generator=generator))[0]
    right = readers @ torch.linalg.qr(torch.randn(readers.shape[1], rank, generator=generator))[0]
    values = torch.ones(rank) if spectrum == "flat" else _DECAY ** torch.arange(rank)
    update: Tensor = left * values @ right.T
    normed: Tensor = update / update.norm()
    return normed


def _weight(model: nn.Module, name: str) -> Tensor:
    """The weight of a layer, shape (m, n), sharing its memory."""
    layer: Any = model.get_submodule(name)
    weight: Tensor = layer.weight.data
    return weight.T if isinstance(layer, Conv1D) else weight
