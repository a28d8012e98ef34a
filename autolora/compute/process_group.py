"""The processes that train one model together: each computes its parts of every batch, all take the same step.

What `torch.distributed` calls data parallelism, for methods that need more than the mean of gradients: the
hypergradient's mixed product is bilinear in the train loss and in v, so each of the gradients is summed over the
processes before anything is made of it (`autolora.rank_search.hypergradient`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")
_BETWEEN_STREAMS = 1_000_003
"""Seeds of two members lie this far apart: further than seeds that people choose."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """All members hold the same weights. What a member of a team does, all do, in the same order."""

    rank: int = 0
    """This process's number, 0..size - 1; member 0 leads: it alone writes and evaluates."""
    size: int = 1
    """Processes in all; 1 is a process by itself, for which nothing below costs or changes anything."""

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(f"ranks of {self.size} processes lie in 0..{self.size - 1}; got {self.rank}")

    @classmethod
    def of_this_process(cls) -> Self:
        """Those of torch's default process group; this process alone where none has been begun."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(rank=distributed.get_rank(), size=distributed.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this member is the one that writes."""
        return self.rank == 0

    def seed(self, seed: int) -> None:
        """Seed what each member draws for itself: dropout masks. The leader's are those of a process by itself."""
        torch.manual_seed(seed + self.rank * _BETWEEN_STREAMS)

    def local_parts(self, parts: Sequence[tuple[T, float]]) -> list[tuple[T, float]]:
        """This process's parts of a batch, with their shares; every process gets as many, the last ones with share 0."""
        own = list(parts[self.rank :: self.size])
        idle = -(-len(parts) // self.size) - len(own)
        return own + idle * [(parts[0][0], 0.0)]

    def all_reduce(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Replace the tensors' values by their sums over all members, and return them."""
        if self.size > 1:
            values = [tensor.detach() for tensor in tensors]
            flat = torch.cat([value.reshape(-1) for value in values])
            distributed.all_reduce(flat)
            sums = torch.split(flat, [value.numel() for value in values])
            for value, total in zip(values, sums, strict=True):
                value.copy_(total.view_as(value))
        return list(tensors)

    def any(self, *said: bool) -> list[bool]:
        """Element by element, whether it is true on any process."""
        return [any(answers) for answers in zip(*self.gather(said), strict=True)]

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        """The value of process 0, on every process."""
        if self.size == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]
