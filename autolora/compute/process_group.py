"""Data parallelism: each process computes its parts of every batch, and all processes take the same step.

Gradients are all-reduced explicitly, since the hypergradient needs more than the mean of the processes' results: its
mixed product is bilinear in the train loss and in v, so both gradients are summed over the processes before they are
used (`autolora.rank_search.hypergradient`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")
_SEED_STRIDE = 1_000_003
"""Difference between the seeds of consecutive ranks: larger than the seeds that users choose."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes that train one model; all hold the same weights and call the methods below in the same order."""

    rank: int = 0
    """This process's rank, 0..size - 1; only process 0 writes files and evaluates."""
    size: int = 1
    """Number of processes; with 1, nothing is communicated."""

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(
                f"the rank of one of {self.size} processes must lie in 0..{self.size - 1}; got {self.rank}"
            )

    @classmethod
    def of_this_process(cls) -> Self:
        """The processes of torch's default process group; this process alone if no group is initialised."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(rank=distributed.get_rank(), size=distributed.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this is process 0, the one that writes files and evaluates."""
        return self.rank == 0

    def seed(self, seed: int) -> None:
        """Seed the dropout masks, different ones on every process; process 0 draws those of a single process."""
        torch.manual_seed(seed + self.rank * _SEED_STRIDE)

    def local_parts(self, parts: Sequence[tuple[T, float]]) -> list[tuple[T, float]]:
        """This process's parts of a batch with their weights; filled up with weight 0 to the same number per process."""
        own = list(parts[self.rank :: self.size])
        missing = -(-len(parts) // self.size) - len(own)
        return own + missing * [(parts[0][0], 0.0)]

    def all_reduce(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Replace the tensors' values by their sums over all processes, in place, and return the tensors."""
        if self.size > 1:
            values = [tensor.detach() for tensor in tensors]
            flat = torch.cat([value.reshape(-1) for value in values])
            distributed.all_reduce(flat)
            sums = torch.split(flat, [value.numel() for value in values])
            for value, total in zip(values, sums, strict=True):
                value.copy_(total.view_as(value))
        return list(tensors)

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is True on any process."""
        return [any(values) for values in zip(*self.gather(flags), strict=True)]

    def gather(self, value: T) -> list[T]:
        """The values of all processes, ordered by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        """The value of process 0, on every process."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]
