"""The kernels of a computation, recorded as a CUDA graph for each shape of its batches and then launched at once.

A small model's pass takes a GPU less time than a CPU needs to launch its kernels one by one.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from autolora.compute.runtime import Runtime
from autolora.problem import Batch

Pass = Callable[..., Sequence[Tensor | None]]
"""Batches -> tensors; None stands for one that is not there."""


class Replay:
    """A pass that is computed as it is when a shape is first seen, recorded the second time, and replayed from then on.

    What comes back is what the pass gives: the same kernels, which draw the same random numbers, with eager attention
    (others ask whether they are recorded). It is overwritten by the next call. Away from CUDA nothing is recorded.

    The pass must ask nothing of the device (no `item`, no branch on a tensor), and may depend only on its batches, on
    tensors that stay where they are in memory, and on torch's random state.
    """

    def __init__(self, compute: Pass, device: str) -> None:
        """Args: compute: the pass; device: of its batches."""
        self._compute = compute
        self._stream = torch.cuda.Stream(torch.device(device)) if has_graphs(device) else None  # type: ignore[no-untyped-call]
        self._seen: set[_Shapes] = set()
        self._recorded: dict[_Shapes, _Recorded] = {}
        self._results: dict[_ResultShapes, list[Tensor | None]] = {}
        """One memory for all recordings whose results have the same shapes: gradients do, whatever the batch."""

    def __call__(self, *batches: Batch) -> Sequence[Tensor | None]:
        """What the pass gives of the batches. Raises: RuntimeError: it cannot be recorded."""
        if self._stream is None:
            return self._compute(*batches)
        shapes = tuple((name, tensor.shape) for batch in batches for name, tensor in batch.items())
        if shapes not in self._seen:
            self._seen.add(shapes)
            return self._compute(*batches)
        if shapes not in self._recorded:
            self._recorded[shapes] = self._record(batches, self._stream)
        return self._recorded[shapes].replay(batches)

    def _record(self, batches: Sequence[Batch], stream: torch.cuda.Stream) -> "_Recorded":
        """Record the pass, which computes nothing yet."""
        inputs = [{name: tensor.clone() for name, tensor in batch.items()} for batch in batches]
        graph = torch.cuda.CUDAGraph()
        pool = next((recorded.graph.pool() for recorded in self._recorded.values()), None)
        try:
            with recording(graph, pool, stream):
                found = list(self._compute(*inputs))
                results = self._results.setdefault(tuple(None if one is None else one.shape for one in found), found)
                for result, tensor in zip(results, found, strict=True):
                    if result is not None and tensor is not None and result is not tensor:
                        result.copy_(tensor)
        except RuntimeError as error:
            for cause in (error, error.__context__):  # the end of a broken recording has an error of its own
                if isinstance(cause, torch.OutOfMemoryError):
                    raise cause from None
            raise RuntimeError(
                "this model's pass cannot be recorded as a CUDA graph, mostly because it asks the device for numbers on "
                f"its way: leave graphs off ({error})"
            ) from error
        return _Recorded(graph, inputs, results)


@contextmanager
def recording(graph: torch.cuda.CUDAGraph, pool: Any, stream: torch.cuda.Stream) -> Iterator[None]:
    """What is launched in here is recorded, on a stream of its device; the current stream is put back in any case.

    Args:
        graph: takes the recording.
        pool: memory of another recording, to be shared; None begins one.
        stream: of the device.
    """
    collecting = gc.isenabled()
    gc.disable()  # a graph that is thrown away while another one is recorded breaks the recording
    try:
        now = torch.cuda.stream(torch.cuda.current_stream(stream.device))
        with now, torch.cuda.graph(graph, pool=pool, stream=stream):
            yield
    finally:
        if collecting:
            gc.enable()


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

    Raises:
        ValueError: the model is known to ask the device for numbers on its way.
    """
    if not runtime.graphs or parts > 1 or runtime.team.size > 1 or uses_gradient_checkpointing(model):
        return compute
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind in _ASKING:
        raise ValueError(f"the loss of {kind} asks the device for numbers and cannot be recorded: leave graphs off")
    return Replay(compute, runtime.device)


def uses_gradient_checkpointing(model: nn.Module) -> bool:
    """Whether a model's activations are not kept, but computed anew in the backward pass."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


_ASKING = ("deberta", "deberta-v2")
_Shapes = tuple[tuple[str, torch.Size], ...]
_ResultShapes = tuple[torch.Size | None, ...]


class _Recorded:
    """A graph, the memory that it reads its batches from, and that which it writes to."""

    def __init__(self, graph: torch.cuda.CUDAGraph, inputs: Sequence[Batch], results: Sequence[Tensor | None]) -> None:
        self.graph = graph
        self._inputs = inputs
        self._results = results

    def replay(self, batches: Sequence[Batch]) -> Sequence[Tensor | None]:
        for own, batch in zip(self._inputs, batches, strict=True):
            for name, tensor in own.items():
                tensor.copy_(batch[name], non_blocking=True)
        self.graph.replay()
        return self._results
