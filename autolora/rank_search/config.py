"""Settings of the rank search."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from autolora.adapters.selection import parameterisation
from autolora.training.config import TrainingConfig

Engine = Literal["exact", "finite-difference", "finite-difference-one-sided", "first-order", "betty"]
ONCE: tuple[Engine, ...] = ("finite-difference", "finite-difference-one-sided", "first-order")
"""Engines that differentiate a loss once."""
UpdateOrder = Literal["simultaneous", "weights-first", "selection-first"]
LookAhead = Literal["gradient", "optimizer"]
RankRule = Literal["selection", "logits"]


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """When a search has converged ("while not converged", Algorithm 1): ranks and selection variables are stable."""

    patience: int = 100
    """Number of steps in which no rank has changed, and no selection variable by more than the tolerance."""
    tolerance: float = 1e-3
    """Largest change of a selection variable between two consecutive records that still counts as stable."""

    def __post_init__(self) -> None:
        if self.patience < 1 or not self.tolerance > 0:
            raise ValueError(f"patience and tolerance must be positive; got {self.patience}, {self.tolerance}")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Settings of the rank search."""

    max_rank: int = 8
    """k, the number of rank-1 components per projection (section 5.1)."""
    lora_alpha: float = 16
    """LoRA's scaling during the search is lora_alpha / k; the authors' code: 16."""
    parameterisation: str = "softmax"
    """Selection logits -> selection variables: "softmax", "unconstrained" or "sigmoid"."""
    initial_logit: float | None = None
    """Initial value of every selection logit; None is the parameterisation's default."""
    rank_rule: RankRule = "selection"
    """What the threshold is applied to (section 4.4). "selection": the selection variables, with the parameterisation's
    threshold. "logits": the logits, with their mean as the threshold, as in the authors' search for GLUE."""
    engine: Engine = "exact"
    """How the hypergradient is computed; with "betty", betty-ml's Engine does the whole step."""
    eta: float | None = None
    """Step size of the look-ahead (Eq. 4); None is the step's scheduled learning rate; 0 is first order."""
    look_ahead: LookAhead = "gradient"
    """"gradient": Eq. 4's gradient step of size eta. "optimizer": a step of the weights' optimizer; then the mixed
    derivative is taken at the look-ahead too, and eta only weights it, as in betty's `darts` (with eta = 1)."""
    order: UpdateOrder = "simultaneous"
    """Which is updated first in a step. "simultaneous": one train gradient is used for the look-ahead and the weights.
    "weights-first": as Algorithm 1 is written; the weights are updated, then a second train gradient gives the
    look-ahead. "selection-first": the selection is updated, then the weights with a second train gradient (betty with
    roll-back)."""
    mixed_gradients: bool = False
    """Add to each update the gradient from the other split, as the authors' first-order script does by not clearing
    gradients between the updates: to the selection's that of the train loss before the weights moved, to the weights'
    that of the last step's validation loss. The script's order is "weights-first"."""
    selection_lr: float = 1e-3
    """AdamW step size of the selection logits, constant and without weight decay (section 5.1)."""
    selection_betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's betas for the selection logits."""
    valid_share: float = 0.5
    """Share of the training set that is split off as D_val (section 5.2: 1:1)."""
    trainable: Literal["updates", "all"] = "updates"
    """What is trained besides the head: LoRA's updates, or every weight (the authors' search on BioNLP2004)."""
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(lr=1e-4))
    """How the weights are trained during the search; an epoch is a pass over D_tr."""
    convergence: Convergence | None = None
    """Convergence rule that stops the search before its last step; None runs all steps."""
    record_every: int = 10
    """Steps between two records of the search's history."""

    def __post_init__(self) -> None:
        parameterisation(self.parameterisation)
        for name, known in (
            ("engine", Engine),
            ("order", UpdateOrder),
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
                "betty looks ahead by the optimizer's step and weights the second-order term by 1, whatever the "
                f"learning rate: set eta = 1 and look_ahead = 'optimizer'; got {self.eta} and {self.look_ahead!r}"
            )
        if self.engine == "betty" and self.order == "weights-first":
            raise ValueError("betty's order is 'selection-first' (with roll-back) or 'simultaneous' (without)")
        if self.mixed_gradients and self.order != "weights-first":
            raise ValueError(
                f"mixed_gradients is what the authors' script does with order 'weights-first'; got {self.order!r}"
            )
        if self.engine == "betty" and self.training.micro_batches > 1:
            raise ValueError(
                f"betty computes whole batches: micro_batches must be 1; got {self.training.micro_batches}"
            )
