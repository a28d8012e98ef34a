"""Algorithm 1: learn the selection variables on D_val, one look-ahead step of the weights away from D_tr."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import AdamW
from transformers import PreTrainedModel

from autolora.hypergradient import Bilevel, Hypergradient, exact, global_norm
from autolora.layers import SelectiveLoRA, attach, freeze_all_but
from autolora.loop import run_steps
from autolora.problem import Batch, Problem
from autolora.projections import Projection, find_projections
from autolora.ranks import RankAllocation, derive_ranks
from autolora.runtime import NonFiniteLossError
from autolora.selection import parameterisation
from autolora.splits import stratified_split
from autolora.training import Optimization, TrainingConfig, batch_loss, batch_order, gather

Order = Literal["simultaneous", "weights-first", "selection-first"]


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How ranks are searched."""

    max_rank: int = 8
    """k, the number of rank-1 components per projection (section 5.1)."""
    lora_alpha: float = 16
    """LoRA's scaling during the search is lora_alpha / k; the authors' code: 16."""
    parameterisation: str = "softmax"
    """softmax, unconstrained or sigmoid."""
    eta: float | None = None
    """Step size of the look-ahead (Eq. 4); None is the scheduled learning rate of the step; 0 is first order."""
    order: Order = "simultaneous"
    """Which is updated first in a step. "simultaneous": one train gradient serves the look-ahead and the weights.
    "weights-first": as Algorithm 1 reads; the weights step, then a second train gradient gives the look-ahead.
    "selection-first": the selection steps, then the weights with a second train gradient (betty with roll-back)."""
    selection_lr: float = 1e-3
    """AdamW step size of the selection logits, constant (section 5.1); they are not decayed."""
    valid_share: float = 0.5
    """Share of the training set that becomes D_val (section 5.2: 1:1)."""
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=1e-4))
    """How the weights are trained meanwhile; an epoch is a pass over D_tr."""
    record_every: int = 10
    """Steps between two records of the search's history."""

    def __post_init__(self) -> None:
        parameterisation(self.parameterisation)
        if self.max_rank < 1:
            raise ValueError(f"max_rank must be at least 1; got {self.max_rank}")
        if self.eta is not None and not self.eta >= 0:
            raise ValueError(f"eta must be 0 or more; got {self.eta}")
        if self.order not in ("simultaneous", "weights-first", "selection-first"):
            raise ValueError(f"order must be simultaneous, weights-first or selection-first; got {self.order!r}")
        if self.record_every < 1:
            raise ValueError(f"record_every must be at least 1; got {self.record_every}")


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search found, and how it went."""

    projections: tuple[Projection, ...]
    selection: Mapping[str, Sequence[float]]
    """Projection -> its k selection variables."""
    ranks: Mapping[str, int]
    """Projection -> rank (section 4.4)."""
    history: Sequence[Mapping[str, Any]]
    """Every `record_every` steps: step, train_loss, valid_loss, direct_norm, second_order_share, spread, ranks."""
    steps: int
    seconds: float
    """Wall-clock seconds of the search's steps."""
    config: Mapping[str, Any]
    """The SearchConfig as a dict."""

    @property
    def allocation(self) -> RankAllocation:
        """The ranks, ready to become a `peft.LoraConfig`."""
        return RankAllocation.of(self.projections, self.ranks)

    def save(self, path: Path | str) -> None:
        """Write as JSON."""
        Path(path).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote."""
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
        saved["projections"] = tuple(Projection(**item) for item in saved["projections"])
        return cls(**saved)


def search(problem: Problem, config: SearchConfig | None = None) -> SearchResult:
    """Learn the selection variables of every query and value projection, and the ranks that follow (Algorithm 1).

    Args:
        problem: its training set is split into D_tr and D_val by the problem's strata and seed.
        config: the paper's settings by default.

    Raises:
        ValueError: no projection is found, max_rank exceeds one, or the training set is too small to split.
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: a loss or a selection logit became NaN or infinite.
    """
    config = config or SearchConfig()
    bilevel_search = _Search(problem, config)
    seconds = run_steps(
        bilevel_search.step,
        bilevel_search.steps,
        stage="search",
        state=bilevel_search.state,
        runtime=problem.runtime,
        keep_last=True,
    )
    return bilevel_search.result(seconds)


class _Search:
    """Model, data order and optimizers of one search."""

    def __init__(self, problem: Problem, config: SearchConfig) -> None:
        self.problem = problem
        self.config = config
        strata = problem.strata if problem.strata is not None else [0] * len(problem.train)
        indices, valid_indices = stratified_split(strata, config.valid_share, seed=problem.seed)
        self.train = [problem.train[index] for index in indices]
        self.valid = [problem.train[index] for index in valid_indices]
        batch_size = config.training.batch_size
        self.train_order = batch_order(self.train, batch_size, seed=problem.seed, stream="search-train")
        self.valid_order = batch_order(self.valid, batch_size, seed=problem.seed, stream="search-valid")
        self.steps = config.training.total_steps(self.train_order.steps_per_epoch)

        torch.manual_seed(problem.seed)
        self.model = problem.build_model()
        self.projections = find_projections(self.model, problem.targets)
        freeze_all_but(self.model, problem.head)
        self.parameterisation = parameterisation(config.parameterisation)
        self.layers = attach(self.model, self.projections, config.max_rank, config.lora_alpha, self.parameterisation)
        self.model.to(problem.runtime.device).train()
        _use_eager_attention(self.model)
        self.loss = _WeightedLoss(self.model, problem)
        self.logits = [layer.selection_logits for layer in self.layers.values()]
        self.optimization = Optimization(self.loss.weights, config.training, self.steps)
        self.selection_optimizer = AdamW(self.logits, lr=config.selection_lr, weight_decay=0.0)
        self.history = _History()
        torch.manual_seed(problem.seed)

    @property
    def state(self) -> dict[str, Any]:
        return {
            "optimization": self.optimization,
            "logits": _Tensors(self.logits),
            "selection_optimizer": self.selection_optimizer,
            "history": self.history,
        }

    def step(self, index: int) -> Tensor:
        """One iteration of Algorithm 1; returns the train loss."""
        batch = gather(self.problem, self.train, self.train_order.batch(index))
        valid_batch = gather(self.problem, self.valid, self.valid_order.batch(index))
        if self.config.order == "weights-first":
            self._update_weights(self._train_gradient(batch))
        hypergradient = exact(
            Bilevel(
                train_loss=self.loss.on(batch),
                valid_loss=self.loss.on(valid_batch),
                weights=self.loss.weights,
                logits=self.logits,
            ),
            eta=self.optimization.lr if self.config.eta is None else self.config.eta,
        )
        if self.config.order == "simultaneous":
            self._update_weights(hypergradient.train_gradient)
        self._update_selection(hypergradient)
        if self.config.order == "selection-first":
            self._update_weights(self._train_gradient(batch))
        if (index + 1) % self.config.record_every == 0 or index + 1 == self.steps:
            self._record(index + 1, hypergradient)
        return hypergradient.train_loss

    def result(self, seconds: float) -> SearchResult:
        selection = self._selection()
        return SearchResult(
            projections=self.projections,
            selection={name: values.tolist() for name, values in selection.items()},
            ranks=derive_ranks(selection, self.parameterisation),
            history=self.history.records,
            steps=self.steps,
            seconds=seconds,
            config=dataclasses.asdict(self.config),
        )

    def _train_gradient(self, batch: Batch) -> Sequence[Tensor]:
        loss = self.loss.on(batch)(self.loss.weights)
        return torch.autograd.grad(loss, self.loss.weights, materialize_grads=True)

    def _update_weights(self, gradient: Sequence[Tensor]) -> None:
        for weight, value in zip(self.loss.weights, gradient, strict=True):
            weight.grad = value
        self.optimization.step()
        self.optimization.zero_grad()

    def _update_selection(self, hypergradient: Hypergradient) -> None:
        for logits, gradient in zip(self.logits, hypergradient.total, strict=True):
            logits.grad = gradient
        self.selection_optimizer.step()
        self.selection_optimizer.zero_grad()

    def _selection(self) -> dict[str, Tensor]:
        return {name: layer.selection.detach().float().cpu() for name, layer in self.layers.items()}

    def _record(self, step: int, hypergradient: Hypergradient) -> None:
        selection = self._selection()
        for name, values in selection.items():
            if not values.isfinite().all():
                raise NonFiniteLossError(f"search: the selection variables of {name} are not finite at step {step}")
        self.history.records.append(
            {
                "step": step,
                "train_loss": float(hypergradient.train_loss),
                "valid_loss": float(hypergradient.valid_loss),
                "direct_norm": global_norm(hypergradient.direct),
                "second_order_share": hypergradient.second_order_share,
                "spread": {name: float(values.std(correction=0)) for name, values in selection.items()},
                "ranks": derive_ranks(selection, self.parameterisation),
            }
        )


class _WeightedLoss(nn.Module):
    """The problem's loss as a function of the inner weights: all that is trainable but the selection logits."""

    def __init__(self, model: nn.Module, problem: Problem) -> None:
        super().__init__()
        self.model = model
        self.problem = problem
        outer = {layer.selection_logits for layer in model.modules() if isinstance(layer, SelectiveLoRA)}
        inner = {name: p for name, p in self.named_parameters() if p.requires_grad and p not in outer}
        self.names = list(inner)
        self.weights = list(inner.values())

    def forward(self, batch: Batch) -> Tensor:
        return batch_loss(self.model, self.problem, batch)

    def on(self, batch: Batch) -> Callable[[Sequence[Tensor]], Tensor]:
        """Weights -> loss on batch. At the model's own weights nothing is swapped in."""

        def loss(weights: Sequence[Tensor]) -> Tensor:
            if weights is self.weights:
                return self.forward(batch)
            swapped: Tensor = functional_call(self, dict(zip(self.names, weights, strict=True)), (batch,))
            return swapped

        return loss


class _Tensors:
    """Tensors that go into a checkpoint by themselves."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors

    def state_dict(self) -> list[Tensor]:
        return list(self._tensors)

    @torch.no_grad()
    def load_state_dict(self, state: Sequence[Tensor]) -> None:
        for tensor, value in zip(self._tensors, state, strict=True):
            tensor.copy_(value)


class _History:
    """Records of the search so far."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def state_dict(self) -> list[dict[str, Any]]:
        return self.records

    def load_state_dict(self, state: Sequence[dict[str, Any]]) -> None:
        self.records[:] = state


def _use_eager_attention(model: nn.Module) -> None:
    """Fused attention kernels have no second derivative."""
    if isinstance(model, PreTrainedModel):
        model.set_attn_implementation("eager")
