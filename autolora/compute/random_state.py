"""A snapshot of torch's random state, from which the same random numbers can be drawn again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """Torch's random state on the CPU and, if the device is a CUDA device, on that device."""

    device: torch.device
    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> Self:
        """The current random state."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(device, torch.get_rng_state(), cuda)

    def restore(self) -> None:
        """Make this the current random state."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, self.device)

    @contextmanager
    def replay(self) -> Iterator[None]:
        """Draw the random numbers that followed this state once more; on exit, the previous state is restored."""
        with torch.random.fork_rng([self.device] if self.cuda is not None else []):
            self.restore()
            yield
