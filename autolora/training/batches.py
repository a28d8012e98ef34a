"""Batches as tensors: collated, padded and moved to the device; their size and their loss."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example, Problem, TrainingLoss
from autolora.training.batch_order import LABELS

IGNORED = -100
"""The label that the loss ignores: torch's default `ignore_index`."""


def gather(
    problem: Problem, examples: Sequence[Example], indices: Sequence[int], *, length: int = 0, pad_token: int = 0
) -> Batch:
    """Collate the examples at these indices, pad them to at least `length` tokens, and move tensors to the device."""
    batch = lengthened(problem.collate([examples[index] for index in indices]), length, pad_token)
    return {name: _moved(value, problem.runtime.device) for name, value in batch.items()}


def _moved(value: Any, device: str) -> Any:
    """A batch's value with its tensors on the device, also those nested in mappings, lists and tuples."""
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {name: _moved(item, device) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_moved(item, device) for item in value)
    return value


def lengthened(batch: Batch, length: int, pad_token: int = 0) -> Batch:
    """The batch with its token dimension padded to length; unchanged if it has no attention mask to hide the padding.

    Args:
        batch: the token dimension is the second one of `input_ids`, and of every other tensor of the same length.
        length: target number of tokens; a batch that is at least this long is returned unchanged.
        pad_token: fills `input_ids`; labels are filled with IGNORED, the attention mask and all else with 0.
    """
    ids = batch.get("input_ids")
    if ids is None or "attention_mask" not in batch or length <= (tokens := ids.shape[1]):
        return batch
    fill = {"input_ids": pad_token, "labels": IGNORED}

    def padded(name: str, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor) or tensor.ndim < 2 or tensor.shape[1] != tokens:
            return tensor
        if name == "labels" and tensor.is_floating_point():
            return tensor
        after = [0, 0] * (tensor.ndim - 2) + [0, length - tokens]
        return nn.functional.pad(tensor, after, value=fill.get(name, 0))

    return {name: padded(name, tensor) for name, tensor in batch.items()}


def pad_token_of(model: nn.Module) -> int:
    """The `pad_token_id` of the model's config; 0 if it has none."""
    return getattr(getattr(model, "config", None), "pad_token_id", None) or 0


def refuse_without_labels(examples: Sequence[Example]) -> None:
    """Check before any training that some label counts in the loss.

    Raises:
        ValueError: the examples have `labels`, and all of them are IGNORED, so that the loss would be NaN.
    """
    if all("labels" in example and _ignored(example["labels"]) for example in examples):
        raise ValueError(f"no label counts in the loss: the labels of all {len(examples)} examples are {IGNORED}")


def _ignored(labels: Any) -> bool:
    numbers = torch.as_tensor(labels) if isinstance(labels, int | list | tuple) or hasattr(labels, "dtype") else None
    return numbers is not None and not numbers.is_floating_point() and bool((numbers == IGNORED).all())


def batch_size(batch: Batch) -> int:
    """Number of examples of a batch: rows of its labels, or else of its first tensor.

    Raises:
        ValueError: the batch holds no tensor with a dimension.
    """
    tensors = [value for value in (batch.get("labels"), *_tensors(batch)) if isinstance(value, Tensor) and value.ndim]
    if not tensors:
        raise ValueError(f"a batch must hold a tensor whose first dimension is the examples; got {', '.join(batch)}")
    return len(tensors[0])


def batch_tokens(batch: Batch) -> int:
    """Number of tokens of a batch, padding included: of `input_ids`, or else at most the elements of its first input."""
    ids = batch.get("input_ids")
    inputs = {name: value for name, value in batch.items() if name not in LABELS}
    return ids.numel() if isinstance(ids, Tensor) else next((tensor.numel() for tensor in _tensors(inputs)), 1)


def _tensors(batch: Batch) -> Iterator[Tensor]:
    for value in batch.values():
        if isinstance(value, Mapping):
            yield from _tensors(value)
        elif isinstance(value, Tensor):
            yield value


def batch_loss(model: nn.Module, batch: Batch, *, loss: TrainingLoss, runtime: Runtime) -> Tensor:
    """The loss of one batch at the runtime's precision: a float32 scalar (float64 for a float64 model)."""
    with runtime.autocast():
        value = loss(model, batch)
    return value if value.dtype == torch.float64 else value.float()
