"""AdamW with gradient clipping and a schedule with warm-up."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from autolora.training.config import Schedule, TrainingConfig

DECAY = 0.3
"""Share of the steps over which the schedule "warmup_stable_decay" decays."""


class Optimization:
    """AdamW with its schedule over a list of weights; its state includes the weights and goes into checkpoints."""

    def __init__(self, weights: Iterable[Tensor], config: TrainingConfig, steps: int, *, stacked: bool = False) -> None:
        """Set up the optimizer and its schedule.

        Args:
            weights: the tensors to train.
            config: optimizer and schedule.
            steps: total number of steps, the length of the schedule.
            stacked: the first dimension of every weight indexes independent trainings; gradients are clipped for each
                of these trainings separately.

        Raises:
            ValueError: there are no weights.
        """
        self.weights = list(weights)
        if not self.weights:
            raise ValueError("no weight is trainable: nothing would be learned")
        matrix_ndim = 3 if stacked else 2
        decayed = [weight for weight in self.weights if weight.ndim >= matrix_ndim]
        others = [weight for weight in self.weights if weight.ndim < matrix_ndim]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = AdamW([group for group in groups if group["params"]], lr=config.lr, fused=True)
        self._schedule = LambdaLR(self._optimizer, schedule(steps, config.warmup, config.schedule))
        self._clip_norm = config.clip_norm
        self._clip = clip_each_grad_norm_ if stacked else nn.utils.clip_grad_norm_

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients of all weights that have one."""
        return [weight.grad for weight in self.weights if weight.grad is not None]

    def take(self, gradients: Iterable[Tensor | None]) -> None:
        """Set each weight's `grad`; a weight whose gradient is None is not updated by the next step."""
        for weight, gradient in zip(self.weights, gradients, strict=True):
            # Fused AdamW needs gradients with the weights' memory layout: `backward` ensures it, `autograd.grad` not.
            weight.grad = None if gradient is None else gradient.contiguous()

    def step(self) -> None:
        """Update the weights once from their `grad`, which is clipped in place and kept until `zero_grad`."""
        if self._clip_norm is not None:
            self._clip(self.weights, self._clip_norm)
        self._optimizer.step()
        self._schedule.step()

    @torch.no_grad()
    def preview(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """The weights after a step with this gradient; the weights themselves and the optimizer are left unchanged."""
        before = copy.deepcopy(self.state_dict())
        self.take(value.detach().clone() for value in gradient)
        self.step()
        ahead = [weight.clone() for weight in self.weights]
        self.zero_grad()
        self.load_state_dict(before)
        return ahead

    def zero_grad(self) -> None:
        """Clear the gradients."""
        self._optimizer.zero_grad()

    def state_dict(self) -> dict[str, object]:
        """State of the optimizer and the schedule, and the trained weights; frozen weights are not saved."""
        return {
            "weights": self.weights,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Restore what `state_dict` returned."""
        saved: Sequence[Tensor] = state["weights"]  # type: ignore[assignment]
        with torch.no_grad():
            for weight, value in zip(self.weights, saved, strict=True):
                weight.copy_(value)
        self._optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self._schedule.load_state_dict(state["schedule"])  # type: ignore[arg-type]


def clip_each_grad_norm_(weights: Sequence[Tensor], max_norm: float) -> None:
    """Like torch's `clip_grad_norm_`, but with a separate norm for each index of the weights' first dimension."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0)
    factors = (max_norm / (squares.sqrt() + 1e-6)).clamp(max=1)  # the epsilon of torch's clip_grad_norm_
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))


def schedule(steps: int, warmup: float, kind: Schedule = "linear") -> Callable[[int], float]:
    """Step -> factor on the peak learning rate.

    Args:
        steps: total number of steps.
        warmup: share of the steps over which the factor rises linearly to 1.
        kind: as in `TrainingConfig`.
    """
    rising = math.ceil(warmup * steps)
    falling = {
        "linear": steps - rising,
        "constant": 0,
        "warmup_stable_decay": min(steps - rising, math.ceil(DECAY * steps)),
    }[kind]

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return min(1.0, max(0, steps - step) / max(1, falling)) if falling else 1.0

    return factor
