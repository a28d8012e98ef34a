"""Training of all members of a stack at once."""

import torch
from torch import Tensor

from autolora.problem import Problem
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather, pad_token_of
from autolora.training.checkpoint import TensorState
from autolora.training.config import TrainingConfig
from autolora.training.cuda_graphs import replayed
from autolora.training.identity import identity_of
from autolora.training.loop import Stage, run_steps
from autolora.training.optimization import Optimization
from baselines.stacking.lora_stack import LoRAStack


def train_stack(stack: LoRAStack, problem: Problem, config: TrainingConfig, *, stage: str) -> tuple[float, list[bool]]:
    """Train all members of a stack on the problem's training set, as `train` does with one model.

    Args:
        stack: changed in place.
        problem: training set, seed and runtime.
        config: the same for all members.
        stage: name of the checkpoint and of the stage in progress reports.

    Returns:
        Wall-clock seconds of optimisation; and for each member, whether all its losses and weights were finite. A
        member that diverged does not affect the others.

    Raises:
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: the training of every member diverged.
    """
    training = _StackTraining(stack, problem, config)
    torch.manual_seed(problem.seed)
    seconds = run_steps(training.stage(stage), problem.runtime)
    return seconds, training.finite()


class _StackTraining:
    """The steps of the training of one stack."""

    def __init__(self, stack: LoRAStack, problem: Problem, config: TrainingConfig) -> None:
        self._stack = stack
        self._problem = problem
        self._order = batch_order(problem.train, config.batch_size, seed=problem.seed, stream="train")
        self._steps = config.total_steps(self._order.steps_per_epoch)
        self._optimization = Optimization(stack.weights, config, self._steps, stacked=True)
        self._identity = identity_of(problem, config, steps=self._steps, weights=stack.weights)
        self._finite = torch.ones(len(stack), dtype=torch.bool, device=problem.runtime.device)
        self._compute = replayed(stack.losses_and_gradients, stack.model, problem.runtime)
        self._pad_token = pad_token_of(stack.model)

    def stage(self, name: str) -> Stage:
        return Stage(
            name=name,
            step=self._step,
            steps=self._steps,
            state={"optimization": self._optimization, "sound": TensorState([self._finite])},
            keep_last=True,
            identity=self._identity,
            typical=self._order.typical,
        )

    def finite(self) -> list[bool]:
        """For each member, whether all its losses and weights were finite."""
        pairs = zip(self._finite.tolist(), self._stack.finite(), strict=True)
        return [finite_losses and finite_weights for finite_losses, finite_weights in pairs]

    def _step(self, index: int) -> Tensor:
        length = self._order.length(index) if self._problem.runtime.graphs else 0
        indices = self._order.batch(index)
        batch = gather(self._problem, self._problem.train, indices, length=length, pad_token=self._pad_token)
        losses, gradients = self._stack.gradients(batch, self._compute)
        self._optimization.take(gradients)
        self._optimization.step()
        self._optimization.zero_grad()
        self._finite.logical_and_(losses.isfinite())
        # The mean over the finite members, without boolean indexing, which would synchronise with the device.
        return torch.where(self._finite, losses, 0).sum() / self._finite.sum()
