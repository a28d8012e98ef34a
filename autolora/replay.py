"""The kernels of a computation, recorded as a CUDA graph for each shape of its batches and then launched at once.

A small model's pass takes a GPU less time than a CPU needs to launch its kernels one by one.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from autolora.problem import Batch
from autolora.runtime import Runtime

Pass = Callable[..., Sequence[Tensor | None]]
"""Batches -> tensors; None stands for one that is not there."""


class Replay:
    """A pass that is computed as it is when a shape is first seen, recorded the second time, and replayed from then on.

    What comes back is what the pass gives: the same kernels, which draw the same random numbers. It is overwritten by
    the next call. Away from CUDA nothing is recorded.

    The pass must ask nothing of the device (no `item`, no branch on a tensor), and may depend only on its batches, on
    tensors that stay where they are in memory, and on torch's random state.
    """

    def __init__(self, compute: Pass, device: str) -> None:
        """Args: compute: the pass; device: of its batches."""
        self._compute = compute
        self._recording = has_graphs(device)
        self._seen: set[_Shapes] = set()
        self._recorded: dict[_Shapes, _Recorded] = {}
        self._results: list[Tensor | None] = []
        """One memory for what all recordings give: gradients are as large for one shape as for another."""

    def __call__(self, *batches: Batch) -> Sequence[Tensor | None]:
        """What the pass gives of the batches. Raises: RuntimeError: it cannot be recorded."""
        if not self._recording:
            return self._compute(*batches)
        shapes = tuple((name, tensor.shape) for batch in batches for name, tensor in batch.items())
        if shapes not in self._seen:
            self._seen.add(shapes)
            return self._compute(*batches)
        if shapes not in self._recorded:
            self._recorded[shapes] = self._record(batches)
        self._recorded[shapes].replay(batches)
        return self._results

    def _record(self, batches: Sequence[Batch]) -> "_Recorded":
        """Record the pass, which computes nothing yet."""
        inputs = [{name: tensor.clone() for name, tensor in batch.items()} for batch in batches]
        graph = torch.cuda.CUDAGraph()
        pool = next((recorded.graph.pool() for recorded in self._recorded.values()), None)
        try:
            with torch.cuda.graph(graph, pool=pool):
                found = self._compute(*inputs)
                self._results = self._results or list(found)
                for result, tensor in zip(self._results, found, strict=True):
                    if result is not None and tensor is not None and result is not tensor:
                        result.copy_(tensor)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RuntimeError(
                "this model's pass cannot be recorded as a CUDA graph, mostly because it asks the device for numbers on "
                f"its way: leave graphs off ({error})"
            ) from error
        return _Recorded(graph, inputs)


def has_graphs(device: str) -> bool:
    """Whether kernels can be recorded on such a device."""
    return torch.device(device).type == "cuda"


def replayed(compute: Pass, model: nn.Module, runtime: Runtime, *, parts: int = 1) -> Pass:
    """The pass, or a `Replay` of it where the runtime asks for one and it can be had.

    Args:
        compute: a pass over model.
        model: must keep its activations: computing them anew asks for random states.
        runtime: alone, since processes talk between kernels.
        parts: of a batch, which have to be counted.
    """
    whole = parts == 1 and runtime.team.size == 1
    return Replay(compute, runtime.device) if runtime.graphs and whole and not forgetful(model) else compute


def forgetful(model: nn.Module) -> bool:
    """Whether a model's activations are not kept, but computed anew in the backward pass."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


_Shapes = tuple[tuple[str, torch.Size], ...]


class _Recorded:
    """A graph, and the memory that it reads its batches from."""

    def __init__(self, graph: torch.cuda.CUDAGraph, inputs: Sequence[Batch]) -> None:
        self.graph = graph
        self._inputs = inputs

    def replay(self, batches: Sequence[Batch]) -> None:
        for own, batch in zip(self._inputs, batches, strict=True):
            for name, tensor in own.items():
                tensor.copy_(batch[name], non_blocking=True)
        self.graph.replay()
