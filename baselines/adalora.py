"""AdaLoRA (Zhang et al., 2023) through PEFT: starts with a larger rank and prunes to a budget while it trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from peft import AdaLoraConfig, PeftModel

from autolora.adapters.adapt import adapt, fresh_model, trainable_counts
from autolora.adapters.projections import find_projections
from autolora.problem import Outcome, Problem
from autolora.training.train import TrainingConfig, batch_order, train


@dataclass(frozen=True, kw_only=True)
class AdaLora:
    """Row "AdaLoRA" of Table 1. Its orthogonality penalty is part of the training loss and of no other."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "AdaLoRA"

    initial_rank: int = 6
    """Rank of every update at the start: 1.5 times the target, as AdaLoRA's paper."""
    target_rank: int = 4
    """Mean rank after pruning, which gives the parameters of LoRA with rank 4."""
    lora_alpha: float = 16
    """Scaling of the updates."""
    dropout: float = 0.0
    """Dropout on the input of the updates."""
    warmup_share: float = 0.1
    """Share of all steps before pruning starts."""
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
            raise ValueError("warmup_share + final_share must be less than 1: pruning happens in between")

    def train(self, problem: Problem) -> Outcome:
        """Adapt a fresh model."""
        projections = find_projections(fresh_model(problem), problem.targets)
        epoch = batch_order(problem.train, self.training.batch_size, seed=problem.seed, stream="train").steps_per_epoch
        steps = self.training.total_steps(epoch)
        if steps < 2:
            raise ValueError(f"AdaLoRA prunes by gradients of earlier steps: it needs at least 2; got {steps}")
        config = AdaLoraConfig(
            init_r=self.initial_rank,
            target_r=self.target_rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.dropout,
            tinit=int(self.warmup_share * steps),
            tfinal=int(self.final_share * steps),
            deltaT=self.prune_every,
            total_step=steps,
            orth_reg_weight=self.orthogonality,
            target_modules=[projection.name for projection in projections],
        )
        model = adapt(problem, config)
        seconds = train(
            model.base_model,  # its forward adds the orthogonality penalty to the loss; the outer model's skips it
            problem,
            self.training,
            after_step=model.base_model.update_and_allocate,
            state={"adalora": _Importance(model)},
        )
        ranks = active_ranks(model)
        counts = trainable_counts(model, problem.head)
        # Pruned components are only masked: what is left is counted, each with its singular value.
        kept = {projection: ranks.get(projection.name, self.initial_rank) for projection in projections}
        counts["trainable_parameters"] = sum(item.lora_parameters(rank) + rank for item, rank in kept.items())
        return Outcome(model=model, seconds={"train": seconds}, ranks=ranks, **counts)

    def work(self, examples: int) -> float:
        """In units of LoRA's time per example."""
        return 1.1 * self.training.examples(examples)


def active_ranks(model: PeftModel) -> dict[str, int]:
    """Projection's name -> number of components that are not pruned."""
    pattern: Mapping[str, list[bool]] = model.peft_config["default"].rank_pattern or {}  # none before the first pruning
    return {name.removeprefix("base_model.model.").split(".lora_E")[0]: sum(kept) for name, kept in pattern.items()}


class _Importance:
    """What AdaLoRA carries from step to step and PEFT keeps out of `state_dict`."""

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
