"""CUDA graphs: the kernels of a pass are recorded once for each shape of its batches, and then launched at once.

For a small model, the GPU computes a pass in less time than the CPU needs to launch its kernels one by one.
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
"""Batches -> tensors; None stands for an absent tensor, such as the gradient of an unused weight."""


class Replay:
    """Runs a pass eagerly the first time a batch shape occurs, records it the second time, and replays it from then on.

    A replay launches the same kernels as the pass, which draw the same random numbers and give the same results, with
    eager attention (other implementations run other kernels while they are recorded). The returned tensors are
    overwritten by the next call. On devices other than CUDA, and of batches that hold more than tensors (texts, nested
    tensors), nothing is recorded.

    The pass must not synchronise with the device (no `item`, no branch on a tensor's value), and may depend only on its
    batches, on tensors whose memory address stays the same, and on torch's random state.
    """

    def __init__(self, compute: Pass, device: str) -> None:
        """Args: compute: the pass; device: the device of its batches."""
        self._compute = compute
        self._stream = torch.cuda.Stream(torch.device(device)) if has_graphs(device) else None  # type: ignore[no-untyped-call]
        self._seen: set[_Shapes] = set()
        self._recorded: dict[_Shapes, _Recorded] = {}
        self._results: dict[_ResultShapes, list[Tensor | None]] = {}
        """Output tensors, shared by all recordings with the same result shapes: gradients have them for any batch."""

    def __call__(self, *batches: Batch) -> Sequence[Tensor | None]:
        """The results of the pass on these batches. Raises: RuntimeError: the pass cannot be recorded."""
        tensors_only = all(isinstance(value, Tensor) for batch in batches for value in batch.values())
        if self._stream is None or not tensors_only:
            return self._compute(*batches)
        shapes = tuple((name, tensor.shape) for batch in batches for name, tensor in batch.items())
        if shapes not in self._seen:
            self._seen.add(shapes)
            return self._compute(*batches)
        if shapes not in self._recorded:
            self._recorded[shapes] = self._record(batches, self._stream)
        return self._recorded[shapes].replay(batches)

    def _record(self, batches: Sequence[Batch], stream: torch.cuda.Stream) -> "_Recorded":
        """Record the pass; nothing is computed until the first replay."""
        inputs = [{name: tensor.clone() for name, tensor in batch.items()} for batch in batches]
        graph = torch.cuda.CUDAGraph()
        pool = next((recorded.graph.pool() for recorded in self._recorded.values()), None)
        try:
            with recording(graph, pool, stream):
                computed = list(self._compute(*inputs))
                shapes = tuple(None if tensor is None else tensor.shape for tensor in computed)
                results = self._results.setdefault(shapes, computed)
                for result, tensor in zip(results, computed, strict=True):
                    if result is not None and tensor is not None and result is not tensor:
                        result.copy_(tensor)
        except RuntimeError as error:
            for cause in (error, error.__context__):  # ending a failed recording raises a second error
                if isinstance(cause, torch.OutOfMemoryError):
                    raise cause from None
            raise RuntimeError(
                "this model's pass cannot be recorded as a CUDA graph, most likely because it reads values from the "
                f"device: leave graphs off ({error})"
            ) from error
        return _Recorded(graph, inputs, results)


@contextmanager
def recording(graph: torch.cuda.CUDAGraph, pool: Any, stream: torch.cuda.Stream) -> Iterator[None]:
    """Record the kernels that are launched inside the context; the current stream is restored in any case.

    Args:
        graph: the graph to record into.
        pool: memory pool of another recording, to be shared; None creates a new pool.
        stream: the stream to record on.
    """
    collecting = gc.isenabled()
    gc.disable()  # freeing one graph while another graph is being recorded breaks the recording
    try:
        current = torch.cuda.stream(torch.cuda.current_stream(stream.device))
        with current, torch.cuda.graph(graph, pool=pool, stream=stream):
            yield
    finally:
        if collecting:
            gc.enable()


def has_graphs(device: str) -> bool:
    """Whether the device supports CUDA graphs."""
    return torch.device(device).type == "cuda"


def replayed(compute: Pass, model: nn.Module, runtime: Runtime, *, parts: int = 1) -> Pass:
    """A `Replay` of the pass if the runtime asks for graphs and the pass can be recorded; otherwise the pass itself.

    Args:
        compute: a pass over model.
        model: not recorded with gradient checkpointing, which reads random states from the device.
        runtime: not recorded with several processes, which communicate between kernels.
        parts: number of micro-batches; not recorded if more than 1, since counting their labels reads from the device.

    Raises:
        ValueError: the model's loss is known to read values from the device.
    """
    if not runtime.graphs or parts > 1 or runtime.team.size > 1 or uses_gradient_checkpointing(model):
        return compute
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind in _NOT_RECORDABLE:
        raise ValueError(f"the loss of {kind} reads values from the device and cannot be recorded: leave graphs off")
    return Replay(compute, runtime.device)


def uses_gradient_checkpointing(model: nn.Module) -> bool:
    """Whether a model recomputes its activations in the backward pass."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


_NOT_RECORDABLE = ("deberta", "deberta-v2")
"""Model types whose loss reads values from the device."""
_Shapes = tuple[tuple[str, torch.Size], ...]
_ResultShapes = tuple[torch.Size | None, ...]


class _Recorded:
    """A recorded graph, with the tensors that it reads its batches from and those that it writes its results to."""

    def __init__(self, graph: torch.cuda.CUDAGraph, inputs: Sequence[Batch], results: Sequence[Tensor | None]) -> None:
        self.graph = graph
        self._inputs = inputs
        self._results = results

    def replay(self, batches: Sequence[Batch]) -> Sequence[Tensor | None]:
        for inputs, batch in zip(self._inputs, batches, strict=True):
            for name, tensor in inputs.items():
                tensor.copy_(batch[name], non_blocking=True)
        self.graph.replay()
        return self._results
