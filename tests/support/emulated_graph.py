"""CUDA graphs on a CPU, as far as memory goes: operations are recorded with the tensors they were called with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autolora.training import cuda_graphs

FORBIDDEN = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
"""What waits for the device, and so cannot be recorded."""


class EmulatedGraph:
    """Replays into the memory that the recording wrote to, and with the numbers that it was called with."""

    recorded = 0
    """Graphs so far."""

    def __init__(self) -> None:
        EmulatedGraph.recorded += 1
        self.calls: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def pool(self) -> None:
        """Of memory: there is none."""

    @torch.no_grad()
    def replay(self) -> None:
        for function, args, kwargs, results in self.calls:
            inputs = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
            for result, again in zip(_tensors(results), _tensors(function(*args, **kwargs)), strict=True):
                if result.untyped_storage().data_ptr() not in inputs:  # neither a view nor changed in place
                    result.copy_(again)


class _Recording(TorchDispatchMode):
    def __init__(self, graph: EmulatedGraph) -> None:
        super().__init__()
        self._graph = graph

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in FORBIDDEN:
            raise RuntimeError(f"operation not permitted when stream is capturing: {function}")
        results = function(*args, **(kwargs or {}))
        self._graph.calls.append((function, args, kwargs or {}, results))
        return results


@contextmanager
def _record(graph: EmulatedGraph, pool: None, stream: Any) -> Iterator[None]:  # noqa: ARG001  the real one's signature
    """A recording computes nothing that stays: random numbers are drawn by the replay alone."""
    random_state = torch.get_rng_state()
    with _Recording(graph), patch("torch.cuda.is_current_stream_capturing", return_value=True):  # transformers asks
        yield
    torch.set_rng_state(random_state)


def emulate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passes on the CPU be recorded."""
    monkeypatch.setattr(torch.cuda, "CUDAGraph", EmulatedGraph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: device)
    monkeypatch.setattr(cuda_graphs, "recording", _record)
    monkeypatch.setattr(cuda_graphs, "has_graphs", lambda device: True)  # noqa: ARG005
    monkeypatch.setattr(EmulatedGraph, "recorded", 0)


def _tensors(nested: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]
