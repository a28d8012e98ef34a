"""Training of all trainable weights of a model on a problem's training set."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from autolora.compute.half_precision import train_in_float32
from autolora.compute.precision import fast_linear
from autolora.compute.runtime import NonFiniteLossError
from autolora.problem import Batch, Problem
from autolora.training.batch_order import batch_order
from autolora.training.batches import batch_loss, gather, pad_token_of, refuse_without_labels
from autolora.training.config import TrainingConfig
from autolora.training.cuda_graphs import replayed
from autolora.training.identity import identity_of
from autolora.training.loop import Stage, Stateful, nothing, run_steps
from autolora.training.micro_batches import denominator_of, local_parts
from autolora.training.optimization import Optimization


def train(
    model: nn.Module,
    problem: Problem,
    config: TrainingConfig,
    *,
    after_step: Callable[[int], None] = nothing,
    state: Mapping[str, Stateful] | None = None,
    stage: str = "train",
    keep_last: bool = False,
) -> float:
    """Train the trainable weights of model on the whole training set, in place.

    Args:
        model: moved to the runtime's device; weights with `requires_grad` are trained, as float32 if they are in half
            precision; all others stay.
        problem: training set, loss, seed and runtime.
        config: optimizer, schedule and length.
        after_step: called with the number of steps done (from 1), after the update and before gradients are cleared.
        state: further state that the method changes from step to step, for checkpoints.
        stage: name of the checkpoint and of the stage in progress reports.
        keep_last: as in `Stage`.

    Returns:
        Wall-clock seconds of optimisation.

    Raises:
        ValueError: no weight is trainable; no label counts; the checkpoint is of another problem; or batches are
            computed in parts, and the loss needs a `loss_denominator`.
        NonFiniteLossError: a loss, or a weight after the last step, is NaN or infinite.
        Interrupted: as in `run_steps`.
    """
    training = _Training(model, problem, config, after_step)
    restore = fast_linear(model, problem.runtime)
    problem.runtime.team.seed(problem.seed)
    try:
        seconds = run_steps(training.stage(stage, state or {}, keep_last=keep_last), problem.runtime)
    finally:
        restore()
    training.check_finite(stage)
    return seconds


class _Training:
    """The steps of one training."""

    def __init__(
        self, model: nn.Module, problem: Problem, config: TrainingConfig, after_step: Callable[[int], None]
    ) -> None:
        refuse_without_labels(problem.train)
        self._model = model.to(problem.runtime.device).train()
        train_in_float32(model)
        self._problem = problem
        self._micro_batches = config.micro_batches
        self._denominator = denominator_of(
            model, problem.loss, problem.loss_denominator, runtime=problem.runtime, number=config.micro_batches
        )
        self._after_step = after_step
        self._order = batch_order(problem.train, config.batch_size, seed=problem.seed, stream="train")
        self._steps = config.total_steps(self._order.steps_per_epoch)
        weights = (weight for weight in model.parameters() if weight.requires_grad)
        self._optimization = Optimization(weights, config, self._steps)
        self._identity = identity_of(problem, config, steps=self._steps, weights=self._optimization.weights)
        self._compute = replayed(self._loss_and_gradients, model, problem.runtime, parts=config.micro_batches)
        self._pad_token = pad_token_of(model)

    def stage(self, name: str, state: Mapping[str, Stateful], *, keep_last: bool) -> Stage:
        return Stage(
            name=name,
            step=self._step,
            steps=self._steps,
            state={"optimization": self._optimization, **state},
            after_step=self._observe,
            keep_last=keep_last,
            identity=self._identity,
            typical=self._order.typical,
        )

    def check_finite(self, stage: str) -> None:
        """Check the weights after the last step; a non-finite weight at an earlier step shows in the next loss.

        Raises:
            NonFiniteLossError: a weight is NaN or infinite.
        """
        if self._problem.runtime.timing_run:  # its weights are unusable anyway
            return
        if not all(bool(weight.isfinite().all()) for weight in self._optimization.weights):
            raise NonFiniteLossError(f"{stage}: a weight is NaN or infinite after step {self._steps}; try a lower lr")

    def _loss_and_gradients(self, batch: Batch) -> list[Tensor | None]:
        """The loss of this process's parts of the batch, and its gradient with respect to each weight."""
        losses = []
        for part, share in local_parts(batch, self._micro_batches, self._problem.runtime.team, self._denominator):
            loss = share * batch_loss(self._model, part, loss=self._problem.loss, runtime=self._problem.runtime)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return [torch.stack(losses).sum(), *(weight.grad for weight in self._optimization.weights)]

    def _step(self, index: int) -> Tensor:
        length = self._order.length(index) if self._problem.runtime.graphs else 0
        indices = self._order.batch(index)
        batch = gather(self._problem, self._problem.train, indices, length=length, pad_token=self._pad_token)
        total, *gradients = self._compute(batch)
        assert total is not None
        self._optimization.take(gradients)
        self._problem.runtime.team.all_reduce([total, *self._optimization.gradients])
        self._optimization.step()
        self._after_step(index + 1)
        self._optimization.zero_grad()
        return total

    def _observe(self, done: int) -> None:
        """Call the problem's observer at the end of every epoch, and after the last step."""
        epoch_ends = done % self._order.steps_per_epoch == 0 or done == self._steps
        if self._problem.runtime.team.leads and epoch_ends:
            self._problem.observe(self._model, math.ceil(done / self._order.steps_per_epoch))
