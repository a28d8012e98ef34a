"""Training of whichever weights are trainable: AdamW, linear schedule with warm-up, gradient clipping."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from autolora.compute.precision import fast_linear
from autolora.compute.process_group import Team
from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Batch, Example, Problem, TrainingLoss
from autolora.training.batching import BatchOrder
from autolora.training.cuda_graphs import replayed
from autolora.training.loop import Stateful, run_steps

IGNORED = -100
"""A label that counts for no loss, as in torch."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How weights are trained once it is settled which of them are trainable."""

    lr: float = 4e-4
    """Peak AdamW step size, reached after warm-up."""
    epochs: float = 3.0
    """Passes over the training set; read where `steps` is None."""
    steps: int | None = None
    """Optimisation steps in all, instead of `epochs`."""
    max_steps: int | None = None
    """Upper limit of optimisation steps, for trials; None is no limit."""
    batch_size: int = 16
    """Examples per optimisation step."""
    micro_batches: int = 1
    """Parts that the examples of a step are computed in, one after the other, where memory is scarce: the gradient is
    that of the whole batch."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay, on matrices only: vectors (biases, norms) are not decayed."""
    warmup: float = 0.06
    """Share of all steps spent on linear warm-up, a fraction in [0, 1)."""
    schedule: Literal["linear", "constant"] = "linear"
    """What the step size does after warm-up: it falls to 0 after the last step, or stays."""
    clip_norm: float | None = 1.0
    """Largest global gradient norm; None does not clip."""

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
        """Optimisation steps of the whole training."""
        wanted = self.steps or max(1, round(self.epochs * steps_per_epoch))
        return min(wanted, self.max_steps or wanted)

    def examples(self, size: int) -> int:
        """Examples that the whole training sees of a training set of that size, repetitions counted."""
        return self.total_steps(math.ceil(size / self.batch_size)) * self.batch_size


class Optimization:
    """AdamW with its schedule over a list of weights; its state goes into checkpoints."""

    def __init__(self, weights: Iterable[Tensor], config: TrainingConfig, steps: int, *, stacked: bool = False) -> None:
        """Args: stacked: the weights' first dimension numbers trainings that have nothing to do with each other."""
        self.weights = list(weights)
        if not self.weights:
            raise ValueError("no weight is trainable: nothing would be learned")
        matrix = 3 if stacked else 2
        decayed = [weight for weight in self.weights if weight.ndim >= matrix]
        others = [weight for weight in self.weights if weight.ndim < matrix]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = AdamW([group for group in groups if group["params"]], lr=config.lr, fused=True)
        self._schedule = LambdaLR(self._optimizer, schedule(steps, config.warmup, falling=config.schedule == "linear"))
        self._clip_norm = config.clip_norm
        self._clip = clip_each_grad_norm_ if stacked else nn.utils.clip_grad_norm_

    @property
    def lr(self) -> float:
        """The step size of the coming step."""
        return float(self._optimizer.param_groups[0]["lr"])

    @property
    def gradients(self) -> list[Tensor]:
        """Of the weights that have one."""
        return [weight.grad for weight in self.weights if weight.grad is not None]

    def take(self, gradients: Iterable[Tensor | None]) -> None:
        """Put gradients at the weights, one for each; None leaves a weight as it is."""
        for weight, gradient in zip(self.weights, gradients, strict=True):
            # Fused AdamW reads memory in its order, which `backward` sees to, and `torch.autograd.grad` does not.
            weight.grad = None if gradient is None else gradient.contiguous()

    def step(self) -> None:
        """One update from the weights' `grad`, which stays as it is (clipped) until `zero_grad`."""
        if self._clip_norm is not None:
            self._clip(self.weights, self._clip_norm)
        self._optimizer.step()
        self._schedule.step()

    @torch.no_grad()
    def preview(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """The weights after a step from that gradient; they and the optimizer stay as they are."""
        before = copy.deepcopy(self.state_dict())
        self.take(value.detach().clone() for value in gradient)
        self.step()
        ahead = [weight.clone() for weight in self.weights]
        self.zero_grad()
        self.load_state_dict(before)
        return ahead

    def zero_grad(self) -> None:
        """Drop the gradients."""
        self._optimizer.zero_grad()

    def state_dict(self) -> dict[str, object]:
        """Optimizer, schedule and the weights themselves: what is frozen is rebuilt, not saved."""
        return {
            "weights": self.weights,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take over what `state_dict` gave."""
        saved: Sequence[Tensor] = state["weights"]  # type: ignore[assignment]
        with torch.no_grad():
            for weight, value in zip(self.weights, saved, strict=True):
                weight.copy_(value)
        self._optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self._schedule.load_state_dict(state["schedule"])  # type: ignore[arg-type]


def clip_each_grad_norm_(weights: Sequence[Tensor], max_norm: float) -> None:
    """As torch's `clip_grad_norm_`, over each slice along the first dimension by itself."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients]).sum(0)
    factors = (max_norm / (squares.sqrt() + 1e-6)).clamp(max=1)  # the same small number as torch's
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))


def schedule(steps: int, warmup: float, *, falling: bool = True) -> Callable[[int], float]:
    """Factor on the peak step size: up over the first `warmup` share of steps, then down to 0 after the last."""
    rising = math.ceil(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return max(0, steps - step) / max(1, steps - rising) if falling else 1.0

    return factor


def train(
    model: nn.Module,
    problem: Problem,
    config: TrainingConfig,
    *,
    after_step: Callable[[int], None] | None = None,
    state: Mapping[str, Stateful] | None = None,
    stage: str = "train",
    keep_last: bool = False,
) -> float:
    """Train the trainable weights of model on the whole training set, in place.

    Args:
        model: moved to the runtime's device; what `requires_grad` is trained, all else stays.
        problem: training set, loss, seed and runtime.
        config: optimizer, schedule and length.
        after_step: called with the number of steps done (from 1), after the update and before the gradients go.
        state: what else the method has that changes from step to step, for checkpoints.
        stage: names the checkpoint and the progress.
        keep_last: as `run_steps`.

    Returns:
        Wall-clock seconds of optimisation.

    Raises:
        ValueError: no weight is trainable.
        NonFiniteLossError: the last step has made a weight NaN or infinite; a step before it shows in the next loss.
        Interrupted, NonFiniteLossError: as `run_steps`.
    """
    model.to(problem.runtime.device).train()
    order = batch_order(problem.train, config.batch_size, seed=problem.seed, stream="train")
    steps = config.total_steps(order.steps_per_epoch)
    runtime, team = problem.runtime, problem.runtime.team
    optimization = Optimization((weight for weight in model.parameters() if weight.requires_grad), config, steps)

    def forward_and_backward(batch: Batch) -> list[Tensor | None]:
        """The loss of this member's parts, and each weight's gradient."""
        losses = []
        for part, share in local_parts(batch, config.micro_batches, team):
            loss = share * batch_loss(model, part, loss=problem.loss, runtime=runtime)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return [torch.stack(losses).sum(), *(weight.grad for weight in optimization.weights)]

    compute = replayed(forward_and_backward, model, runtime, parts=config.micro_batches)
    pad_token = pad_token_of(model)

    def step(index: int) -> Tensor:
        length = order.length(index) if runtime.graphs else 0
        batch = gather(problem, problem.train, order.batch(index), length=length, pad_token=pad_token)
        total, *gradients = compute(batch)
        assert total is not None
        optimization.take(gradients)
        team.all_reduce([total, *optimization.gradients])
        optimization.step()
        if after_step:
            after_step(index + 1)
        optimization.zero_grad()
        return total

    def observe(done: int) -> None:
        if team.leads and (done % order.steps_per_epoch == 0 or done == steps):
            problem.observe(model, math.ceil(done / order.steps_per_epoch))

    restore = fast_linear(model, problem.runtime)
    team.seed(problem.seed)
    try:
        seconds = run_steps(
            step,
            steps,
            stage=stage,
            state={"optimization": optimization, **(state or {})},
            runtime=problem.runtime,
            after_step=observe,
            keep_last=keep_last,
            typical=order.typical,
        )
    finally:
        restore()
    finite = problem.runtime.timing_run or all(bool(weight.isfinite().all()) for weight in optimization.weights)
    if not finite:  # the weights of a timing run are unusable anyway
        raise NonFiniteLossError(f"{stage}: a weight is NaN or infinite after step {steps}; try a lower lr")
    return seconds


def batch_order(examples: Sequence[Example], batch_size: int, *, seed: int, stream: str) -> BatchOrder:
    """The order of batches over examples, bucketed by the length of their `input_ids`."""
    return BatchOrder([len(example["input_ids"]) for example in examples], batch_size, seed=seed, stream=stream)


def gather(
    problem: Problem, examples: Sequence[Example], indices: Sequence[int], *, length: int = 0, pad_token: int = 0
) -> Batch:
    """Collate examples, pad them to so many tokens at least, and move them to the device."""
    batch = lengthened(problem.collate([examples[index] for index in indices]), length, pad_token)
    return {name: tensor.to(problem.runtime.device, non_blocking=True) for name, tensor in batch.items()}


def lengthened(batch: Batch, length: int, pad_token: int = 0) -> Batch:
    """The batch with its token dimension padded to length, as far as an attention mask can hide that.

    Args:
        batch: the second dimension of `input_ids`, and of what is as long as they are, numbers tokens.
        length: shorter ones than the batch leave it as it is.
        pad_token: what `input_ids` are padded with; labels are with IGNORED, and the mask and all else with 0.
    """
    ids = batch.get("input_ids")
    if ids is None or "attention_mask" not in batch or length <= (own := ids.shape[1]):
        return batch
    fill = {"input_ids": pad_token, "labels": IGNORED}

    def padded(name: str, tensor: Tensor) -> Tensor:
        if tensor.ndim < 2 or tensor.shape[1] != own or (name == "labels" and tensor.is_floating_point()):
            return tensor
        after = [0, 0] * (tensor.ndim - 2) + [0, length - own]
        return nn.functional.pad(tensor, after, value=fill.get(name, 0))

    return {name: padded(name, tensor) for name, tensor in batch.items()}


def pad_token_of(model: nn.Module) -> int:
    """The token that a model is told to be padding by; 0 where it is told none."""
    return getattr(getattr(model, "config", None), "pad_token_id", None) or 0


def micro_batches(batch: Batch, number: int) -> list[tuple[Batch, float]]:
    """Parts of a batch, of about equally many examples, and each one's share of the batch's mean loss.

    Args:
        batch: its `labels` that are not IGNORED are what the loss is the mean over.
        number: of parts; no more than there are examples.
    """
    size = len(batch["labels"])
    number = min(number, size)
    if number == 1:
        return [(batch, 1.0)]
    ends = [size * done // number for done in range(number + 1)]
    parts = [{name: tensor[slice(*pair)] for name, tensor in batch.items()} for pair in pairwise(ends)]
    counts = [int((part["labels"] != IGNORED).sum()) for part in parts]
    return [(part, count / sum(counts)) for part, count in zip(parts, counts, strict=True) if count]


def local_parts(batch: Batch, number: int, team: Team) -> list[tuple[Batch, float]]:
    """Of a batch in so many parts for every member of a team, this member's, as `micro_batches`."""
    return team.local_parts(micro_batches(batch, number * team.size))


def batch_loss(model: nn.Module, batch: Batch, *, loss: TrainingLoss, runtime: Runtime) -> Tensor:
    """The loss of one batch, at the runtime's precision; a float32 scalar (float64 where the model is)."""
    with runtime.autocast():
        value = loss(model, batch)
    return value if value.dtype == torch.float64 else value.float()
