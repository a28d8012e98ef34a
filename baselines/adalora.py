"""AdaLoRA (Zhang et al., 2023) through PEFT: starts with a larger rank and prunes it to a budget during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from peft import AdaLoraConfig, PeftModel

from autolora.adapters.adapt import adapt, projections_of, trainable_counts
from autolora.adapters.projections import Projection
from autolora.adapters.ranks import exact_targets
from autolora.problem import Outcome, Problem
from autolora.training.batch_order import batch_order
from autolora.training.config import TrainingConfig
from autolora.training.train import train


@dataclass(frozen=True, kw_only=True)
class AdaLora:
    """Row "AdaLoRA" of Table 1. The orthogonality penalty is added to the training loss only."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "AdaLoRA"

    initial_rank: int = 6
    """Initial rank of every update: 1.5 times the target rank, as in AdaLoRA's paper."""
    target_rank: int = 4
    """Mean rank after pruning; rank 4 gives the number of parameters of LoRA with rank 4."""
    lora_alpha: float = 16
    """Scaling of the updates."""
    dropout: float = 0.0
    """Dropout on the input of the updates."""
    warmup_share: float = 0.1
    """Share of all steps before the first pruning."""
    final_share: float = 0.3
    """Share of all steps after the last pruning."""
    prune_every: int = 1
    """Steps between two prunings."""
    orthogonality: float = 0.5
    """Weight of the orthogonality penalty in the training loss; PEFT's default."""
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not 1 <= self.target_rank < self.initial_rank:
            raise ValueError(
                f"target_rank must lie in 1..initial_rank - 1; got {self.target_rank}, {self.initial_rank}"
            )
        if self.warmup_share + self.final_share >= 1:
            raise ValueError(
                "warmup_share + final_share must be less than 1, since pruning happens in between; "
                f"got {self.warmup_share}, {self.final_share}"
            )

    def train(self, problem: Problem) -> Outcome:
        """Adapt a fresh model to the problem's training set."""
        projections = projections_of(problem)
        model = adapt(problem, self._peft_config(problem, projections))
        seconds = train(
            model.base_model,  # its forward adds the orthogonality penalty to the loss, which PeftModel.forward does not
            problem,
            self.training,
            after_step=model.base_model.update_and_allocate,
            state={"adalora": _Importance(model)},
        )
        ranks = active_ranks(model)
        counts = trainable_counts(model)
        # Pruned components are only masked: count the remaining ones, each with its singular value.
        kept = {projection: ranks.get(projection.name, self.initial_rank) for projection in projections}
        counts["trainable_parameters"] = sum(item.lora_parameters(rank) + rank for item, rank in kept.items())
        return Outcome(model=model, seconds={"train": seconds}, ranks=ranks, **counts)

    def _peft_config(self, problem: Problem, projections: Sequence[Projection]) -> AdaLoraConfig:
        epoch = batch_order(problem.train, self.training.batch_size, seed=problem.seed, stream="train").steps_per_epoch
        steps = self.training.total_steps(epoch)
        if steps < 2:
            raise ValueError(f"AdaLoRA prunes by gradients of earlier steps: it needs at least 2 steps; got {steps}")
        names = [projection.name for projection in projections]
        return AdaLoraConfig(
            init_r=self.initial_rank,
            target_r=self.target_rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.dropout,
            tinit=int(self.warmup_share * steps),
            tfinal=int(self.final_share * steps),
            deltaT=self.prune_every,
            total_step=steps,
            orth_reg_weight=self.orthogonality,
            target_modules=exact_targets(names, names, confused=any(each.is_end for each in projections)),
        )

    def work(self, examples: int) -> float:
        """Estimated training time, in units of LoRA's time per example."""
        return 1.1 * self.training.examples(examples)


def active_ranks(model: PeftModel) -> dict[str, int]:
    """Projection name -> number of components that are not pruned."""
    pattern: Mapping[str, list[bool]] = model.peft_config["default"].rank_pattern or {}  # None before the first pruning
    return {name.removeprefix("base_model.model.").split(".lora_E")[0]: sum(kept) for name, kept in pattern.items()}


class _Importance:
    """AdaLoRA's state for checkpoints: importance averages and rank pattern, which PEFT's `state_dict` lacks."""

    _AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")

    def __init__(self, model: PeftModel) -> None:
        self._model = model
        self._allocator = model.base_model.rankallocator
        self._config = model.peft_config["default"]

    def state_dict(self) -> dict[str, Any]:
        averages = {name: getattr(self._allocator, name) for name in self._AVERAGES}
        return {"averages": averages, "rank_pattern": self._config.rank_pattern}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, averages in state["averages"].items():
            setattr(self._allocator, name, {key: value.to(self._model.device) for key, value in averages.items()})
        self._config.rank_pattern = state["rank_pattern"]


METHOD = AdaLora
