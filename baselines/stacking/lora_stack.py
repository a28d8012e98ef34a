"""Several LoRA configurations trained at once on one frozen model: a grid search at the price of a few trainings.

Each member of a stack has a LoRA and a head of its own; the frozen model, the batches and the dropout masks are those
that each member would see if it were trained by itself with the same seed. So a member ends with the weights of its
own training, but for the order of summation. What is saved: every frozen weight is read once for all members, a mask
is drawn once, and what no adapter has touched yet is computed once.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise

import torch
from peft import LoraConfig, PeftModel
from torch import Tensor, nn
from torch.func import functional_call, vmap

from autolora.adapters.adapt import adapt, fresh_model
from autolora.adapters.projections import find_projections
from autolora.compute.precision import fast_linear
from autolora.compute.random_state import RandomState
from autolora.problem import Batch, Problem
from autolora.training.checkpoint import TensorState
from autolora.training.cuda_graphs import Pass, replayed
from autolora.training.loop import run_steps
from autolora.training.train import Optimization, TrainingConfig, batch_loss, batch_order, gather, pad_token_of

LOG = logging.getLogger(__name__)
_ACCELERATED = 4
"""Times as many tokens as on a CPU."""
_OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """How many members are computed in one pass."""

    members: int = 16
    """At most so many. 1 trains one configuration after another."""
    tokens: int = 8192
    """At most so many tokens, padding included, all members together, and four times as many on an accelerator, which
    has no caches to overflow: their activations are in memory at the same time. A batch that is larger by itself has
    its members one after another."""

    def __post_init__(self) -> None:
        for name in ("members", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} of a stack is at least 1; got {getattr(self, name)}")


class PaddedLoRA(nn.Module):
    """`y = W x + s B A x` with A (R, n), B (m, R) and s padded with zeros to the largest rank R of a stack.

    Zeros stay zeros: the gradient of a row of A is a multiple of B's column, and the other way round.
    """

    def __init__(self, base: nn.Linear, max_rank: int, dropout: float) -> None:
        super().__init__()
        self.base = base
        self.dropout = nn.Dropout(dropout)
        self.lora_A = nn.Parameter(base.weight.new_zeros(max_rank, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, max_rank))
        self.scaling = nn.Parameter(base.weight.new_zeros(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (..., n) -> (..., m)."""
        components = nn.functional.linear(self.dropout(x), self.lora_A) * self.scaling  # few, so scaled in float32
        projected: Tensor = self.base(x)
        return projected + nn.functional.linear(components, self.lora_B)


class LoRAStack(nn.Module):
    """The members of a stack: one frozen model, and for every trained tensor one that holds all members' values."""

    def __init__(self, problem: Problem, configs: Sequence[LoraConfig], stack: StackConfig) -> None:
        """Take the initial values of every member from `adapt`, as if it were trained by itself.

        Args:
            problem: the model, its head and the runtime.
            configs: one per member; target modules and ranks may differ, dropout may not.
            stack: how many members are computed in one pass.

        Raises:
            ValueError: there is no member, or their dropouts differ: they would not see the same masks; or the
                problem's runtime is of several processes.
        """
        super().__init__()
        dropouts = {config.lora_dropout for config in configs}
        if len(dropouts) != 1:
            raise ValueError(
                f"the members of a stack have one dropout, so that they see the same masks; got {dropouts}"
            )
        if problem.runtime.team.size > 1:
            raise ValueError(
                "a stack is trained by one process: stack.members = 1 trains one configuration after another"
            )
        self._problem = problem
        self._configs = configs
        on_cpu = torch.device(problem.runtime.device).type == "cpu"
        self._members_at_once, self._tokens_at_once = stack.members, stack.tokens * (1 if on_cpu else _ACCELERATED)
        members = [_own_values(adapt(problem, config)) for config in configs]
        largest: dict[str, tuple[int, ...]] = {}
        for member in members:
            for name, value in member.items():
                shape = largest.get(name, tuple(value.shape))
                largest[name] = tuple(max(sizes) for sizes in zip(shape, value.shape, strict=True))
        self._trained = {
            name: torch.stack([_padded(member.get(name), shape) for member in members]).to(problem.runtime.device)
            for name, shape in largest.items()
        }
        self.model = self._frozen_model(max(dropouts))
        for name, value in self._trained.items():
            value.requires_grad_(_is_weight(name))

    @property
    def weights(self) -> list[Tensor]:
        """What is trained, each tensor with the members along its first dimension."""
        return [value for value in self._trained.values() if value.requires_grad]

    def forward(self, batch: Batch) -> Tensor:
        """The loss of whichever member's values are in place, a scalar."""
        return batch_loss(self.model, batch, loss=self._problem.loss, runtime=self._problem.runtime)

    def gradients(self, batch: Batch, compute: Pass) -> tuple[Tensor, list[Tensor | None]]:
        """The members' losses, shape (members,), and the gradient of each of them by each of its weights.

        Where memory runs out, fewer members are computed in one pass from then on.

        Args:
            batch: on the runtime's device.
            compute: what `losses_and_gradients` does, or a recording of it.
        """
        beginning = RandomState.now(torch.device(self._problem.runtime.device))
        while True:
            chunks = self._chunks(batch["input_ids"].numel())
            try:
                return self._chunk_by_chunk(batch, chunks, beginning, compute)
            except RuntimeError as error:  # torch's out-of-memory errors are some, on a CPU of no class of their own
                if len(chunks) == len(self) or not _OUT_OF_MEMORY.search(str(error)):
                    raise
            beginning.restore()
            self._members_at_once = max(1, _size(chunks[0]) // 2)
            LOG.warning("out of memory: %d members of the stack in one pass from now on", self._members_at_once)

    def losses_and_gradients(self, batch: Batch, values: Batch) -> list[Tensor | None]:
        """Of some members.

        Args:
            batch: what all of them see.
            values: name -> what they have there, members along the first dimension.
        """
        own = {name: value.detach().requires_grad_(_is_weight(name)) for name, value in values.items()}
        losses = self._losses(batch, own)
        weights = [value for value in own.values() if value.requires_grad]
        gradients = torch.autograd.grad(losses.sum(), weights, allow_unused=True)
        return [losses.detach(), *(None if gradient is None else gradient.contiguous() for gradient in gradients)]

    def finite(self) -> list[bool]:
        """Whether all of a member's weights are finite, member by member."""
        each = [weight.detach().flatten(1).isfinite().all(1) for weight in self.weights]
        return torch.stack(each).all(0).tolist()

    def member(self, index: int) -> PeftModel:
        """A fresh PEFT model with the member's weights."""
        model = adapt(self._problem, self._configs[index])
        with torch.no_grad():
            for name, weight in _trainable(model).items():
                value = self._trained[name][index]
                weight.copy_(value[tuple(slice(size) for size in weight.shape)])
        return model.to(self._problem.runtime.device)

    def __len__(self) -> int:
        return len(self._configs)

    def _chunk_by_chunk(
        self, batch: Batch, chunks: Sequence[slice], beginning: RandomState, compute: Pass
    ) -> tuple[Tensor, list[Tensor | None]]:
        found: list[Sequence[Tensor | None]] = []
        for members in chunks:
            values = {name: value[members].detach() for name, value in self._trained.items()}
            with beginning.again() if found else nullcontext():
                tensors = compute(batch, values)
            found.append(tensors if len(chunks) == 1 else [_copy(tensor) for tensor in tensors])
        losses, *gradients = (_joined(each) for each in zip(*found, strict=True))
        assert losses is not None
        return losses, gradients

    def _chunks(self, tokens: int) -> list[slice]:
        """Which members go into each pass over a batch of so many tokens: about equally many."""
        size = max(1, min(self._members_at_once, self._tokens_at_once // tokens))
        passes = -(-len(self) // size)
        ends = [len(self) * done // passes for done in range(passes + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def _losses(self, batch: Batch, values: Mapping[str, Tensor]) -> Tensor:
        def loss(values: Mapping[str, Tensor]) -> Tensor:
            named = {f"model.{name}": value for name, value in values.items()}
            result: Tensor = functional_call(self, named, (batch,))
            return result

        if all(len(value) == 1 for value in values.values()):  # without vmap, a little faster
            return loss({name: value[0] for name, value in values.items()})[None]
        one_pass: Callable[[Mapping[str, Tensor]], Tensor] = vmap(loss, randomness="same")
        return one_pass(values)

    def _frozen_model(self, dropout: float) -> nn.Module:
        model = fresh_model(self._problem).requires_grad_(False)
        for projection in find_projections(model, self._problem.targets):
            factor = self._trained.get(f"{projection.name}.lora_A")
            if factor is not None:
                base = model.get_submodule(projection.name)
                assert isinstance(base, nn.Linear)
                model.set_submodule(projection.name, PaddedLoRA(base, factor.shape[1], dropout))
        model.to(self._problem.runtime.device).train()
        fast_linear(model, self._problem.runtime)
        return model


def train_stack(stack: LoRAStack, problem: Problem, config: TrainingConfig, *, stage: str) -> tuple[float, list[bool]]:
    """Train all members of a stack on the problem's training set, as `train` does with one model.

    Args:
        stack: changed in place.
        problem: training set, seed and runtime.
        config: the same for all members.
        stage: names the checkpoint and the progress.

    Returns:
        Wall-clock seconds of optimisation; per member, whether it is sound: its losses and weights were finite. One
        that is not changes nothing for the others.

    Raises:
        Interrupted: the runtime was asked to stop.
        NonFiniteLossError: no member is sound any more.
    """
    order = batch_order(problem.train, config.batch_size, seed=problem.seed, stream="train")
    steps = config.total_steps(order.steps_per_epoch)
    optimization = Optimization(stack.weights, config, steps, stacked=True)
    sound = torch.ones(len(stack), dtype=torch.bool, device=problem.runtime.device)
    compute = replayed(stack.losses_and_gradients, stack.model, problem.runtime)
    pad_token = pad_token_of(stack.model)

    def step(index: int) -> Tensor:
        length = order.length(index) if problem.runtime.graphs else 0
        batch = gather(problem, problem.train, order.batch(index), length=length, pad_token=pad_token)
        losses, gradients = stack.gradients(batch, compute)
        optimization.take(gradients)
        optimization.step()
        optimization.zero_grad()
        sound.logical_and_(losses.isfinite())
        return torch.where(sound, losses, 0).sum() / sound.sum()  # an index would ask the device how many there are

    torch.manual_seed(problem.seed)
    seconds = run_steps(
        step,
        steps,
        stage=stage,
        state={"optimization": optimization, "sound": TensorState([sound])},
        runtime=problem.runtime,
        keep_last=True,
        typical=order.typical,
    )
    return seconds, [ok and finite for ok, finite in zip(sound.tolist(), stack.finite(), strict=True)]


def _size(members: slice) -> int:
    return members.stop - members.start  # type: ignore[no-any-return]


def _is_weight(name: str) -> bool:
    """Whether what is named so is trained, and not a scaling."""
    return not name.endswith(".scaling")


def _copy(tensor: Tensor | None) -> Tensor | None:
    """A replayed pass overwrites what it gave."""
    return None if tensor is None else tensor.clone()


def _joined(chunks: Sequence[Tensor | None]) -> Tensor | None:
    """What all members have, from what some of them have each time."""
    present = [chunk for chunk in chunks if chunk is not None]
    return (present[0] if len(present) == 1 else torch.cat(present)) if present else None


def _own_values(model: PeftModel) -> dict[str, Tensor]:
    """What a member has of its own: its trainable weights by their names in the bare model, and its scalings."""
    scalings = {
        f"{_bare(name)}.scaling": torch.tensor([module.scaling["default"]], dtype=module.weight.dtype)
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }
    return {name: weight.detach() for name, weight in _trainable(model).items()} | scalings


def _trainable(model: PeftModel) -> dict[str, Tensor]:
    return {_bare(name): weight for name, weight in model.named_parameters() if weight.requires_grad}


def _bare(name: str) -> str:
    """A name in a PEFT model -> the name in the model that it wraps."""
    name = name.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
    return re.sub(r"\.(lora_[AB])\.default\.weight$", r".\1", name)


def _padded(value: Tensor | None, shape: Sequence[int]) -> Tensor:
    """A copy of that shape, with zeros where value has nothing."""
    padded = torch.zeros(tuple(shape)) if value is None else value.new_zeros(tuple(shape))
    if value is not None:
        padded[tuple(slice(size) for size in value.shape)] = value
    return padded
