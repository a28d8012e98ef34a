"""How weights are trained: length, batches, optimizer and schedule."""

import math
from dataclasses import dataclass
from typing import Literal

Schedule = Literal["linear", "constant", "warmup_stable_decay"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the trainable weights of a model are trained."""

    lr: float = 4e-4
    """Peak AdamW step size, reached after warm-up."""
    epochs: float = 3.0
    """Passes over the training set; used only if `steps` is None."""
    steps: int | None = None
    """Total number of optimisation steps, instead of `epochs`."""
    max_steps: int | None = None
    """Upper limit on the number of optimisation steps, for trials; None is no limit."""
    batch_size: int = 16
    """Examples per optimisation step."""
    micro_batches: int = 1
    """Number of micro-batches that each batch is split into to save memory; their gradients are accumulated to the
    gradient of the whole batch."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay, on matrices only: vectors (biases, norms) are not decayed."""
    warmup: float = 0.06
    """Share of all steps spent on linear warm-up, a fraction in [0, 1)."""
    schedule: Schedule = "linear"
    """The step size after warm-up: "linear" decays it to 0 after the last step, "constant" keeps it, and
    "warmup_stable_decay" keeps it until the last three tenths of the steps, over which it decays linearly to 0."""
    clip_norm: float | None = 1.0
    """Maximum global gradient norm; None does not clip."""

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be positive; got {self.lr}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a fraction of all steps, in [0, 1); got {self.warmup}")
        for name in ("epochs", "steps", "max_steps", "batch_size", "micro_batches", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive; got {value}")

    def total_steps(self, steps_per_epoch: int) -> int:
        """Number of optimisation steps of the whole training, where an epoch has steps_per_epoch of them."""
        wanted = self.steps or max(1, round(self.epochs * steps_per_epoch))
        return min(wanted, self.max_steps or wanted)

    def examples(self, size: int) -> int:
        """Number of examples processed when training on a training set of `size` examples, repetitions counted."""
        return self.total_steps(math.ceil(size / self.batch_size)) * self.batch_size
