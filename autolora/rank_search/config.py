"""How ranks are searched."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from autolora.adapters.selection import parameterisation
from autolora.training.train import TrainingConfig

Engine = Literal["exact", "finite-difference", "finite-difference-one-sided", "first-order", "betty"]
Order = Literal["simultaneous", "weights-first", "selection-first"]
LookAhead = Literal["gradient", "optimizer"]
RankRule = Literal["selection", "logits"]


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """When a search has converged ("while not converged", Algorithm 1): nothing has moved for a while."""

    patience: int = 100
    """For so many steps no rank has changed,"""
    tolerance: float = 1e-3
    """and no selection variable by more than this from one record to the next."""

    def __post_init__(self) -> None:
        if self.patience < 1 or not self.tolerance > 0:
            raise ValueError(f"patience and tolerance must be positive; got {self.patience}, {self.tolerance}")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How ranks are searched."""

    max_rank: int = 8
    """k, the number of rank-1 components per projection (section 5.1)."""
    lora_alpha: float = 16
    """LoRA's scaling during the search is lora_alpha / k; the authors' code: 16."""
    parameterisation: str = "softmax"
    """softmax, unconstrained or sigmoid."""
    initial_logit: float | None = None
    """What every selection logit starts from; None is the parameterisation's own value."""
    rank_rule: RankRule = "selection"
    """What the threshold is laid on (section 4.4). "selection": the selection variables, at the parameterisation's
    threshold. "logits": the logits themselves, at their mean, as the authors' search does for GLUE."""
    engine: Engine = "exact"
    """How the hypergradient is computed; "betty" leaves the whole step to betty-ml's Engine."""
    eta: float | None = None
    """Step size of the look-ahead (Eq. 4); None is the scheduled learning rate of the step; 0 is first order."""
    look_ahead: LookAhead = "gradient"
    """"gradient": Eq. 4's plain step of size eta. "optimizer": the weights' own optimizer step, where the mixed
    derivative is taken too and eta is its weight alone, as betty's `darts` computes it (with eta = 1)."""
    order: Order = "simultaneous"
    """Which is updated first in a step. "simultaneous": one train gradient serves the look-ahead and the weights.
    "weights-first": as Algorithm 1 reads; the weights step, then a second train gradient gives the look-ahead.
    "selection-first": the selection steps, then the weights with a second train gradient (betty with roll-back)."""
    mixed_gradients: bool = False
    """Add to each update the gradient that the other split left behind, as the authors' first-order script does by
    not clearing gradients in between; then the search does not keep its splits apart."""
    selection_lr: float = 1e-3
    """AdamW step size of the selection logits, constant (section 5.1); they are not decayed."""
    selection_betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's averages of the selection logits' gradient and of its square."""
    valid_share: float = 0.5
    """Share of the training set that becomes D_val (section 5.2: 1:1)."""
    trainable: Literal["updates", "all"] = "updates"
    """What is trained beside the head: LoRA's updates, or every weight (the authors' search on BioNLP2004)."""
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=1e-4))
    """How the weights are trained meanwhile; an epoch is a pass over D_tr."""
    convergence: Convergence | None = None
    """When to stop before the last step; None never does."""
    record_every: int = 10
    """Steps between two records of the search's history."""

    def __post_init__(self) -> None:
        parameterisation(self.parameterisation)
        for name, known in (
            ("engine", Engine),
            ("order", Order),
            ("look_ahead", LookAhead),
            ("rank_rule", RankRule),
        ):
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} must be one of {', '.join(get_args(known))}; got {getattr(self, name)!r}")
        if self.max_rank < 1:
            raise ValueError(f"max_rank must be at least 1; got {self.max_rank}")
        if self.eta is not None and not self.eta >= 0:
            raise ValueError(f"eta must be 0 or more; got {self.eta}")
        if self.record_every < 1:
            raise ValueError(f"record_every must be at least 1; got {self.record_every}")
        if self.engine == "betty" and (self.eta, self.look_ahead) != (1, "optimizer"):
            raise ValueError(
                "betty looks ahead by the optimizer's step and weighs the second-order term by 1, whatever the "
                f"learning rate: say eta = 1 and look_ahead = 'optimizer'; got {self.eta} and {self.look_ahead!r}"
            )
        if self.engine == "betty" and (self.order == "weights-first" or self.mixed_gradients):
            raise ValueError("betty's order is 'selection-first' (with roll-back) or 'simultaneous' (without)")
        if self.engine == "betty" and self.training.micro_batches > 1:
            raise ValueError(
                f"betty computes whole batches: micro_batches must be 1; got {self.training.micro_batches}"
            )
