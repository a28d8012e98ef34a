"""Torch's random state at one moment, to go back to: what was drawn after it can be drawn again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """On the CPU and, where there is one, on a CUDA device."""

    device: torch.device
    cpu: Tensor
    cuda: Tensor | None

    @classmethod
    def now(cls, device: torch.device) -> Self:
        """The state at this moment."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(device, torch.get_rng_state(), cuda)

    def restore(self) -> None:
        """Go back for good."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, self.device)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw the random numbers once more that followed this moment; afterwards all goes on as before."""
        with torch.random.fork_rng([self.device] if self.cuda is not None else []):
            self.restore()
            yield
