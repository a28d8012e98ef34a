"""Model inference over examples, for evaluation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from autolora.compute.onednn import use_onednn
from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example


def in_batches(
    model: nn.Module,
    examples: Sequence[Example],
    collate: Callable[[Sequence[Example]], Batch],
    runtime: Runtime,
    *,
    batch_size: int = 64,
) -> list[Tensor]:
    """Logits in evaluation mode, float32 on the CPU, one tensor per example, in the order of the examples."""
    by_length = sorted(range(len(examples)), key=lambda index: len(examples[index]["input_ids"]))
    logits: list[Tensor] = []
    with inference(model, runtime):
        for start in range(0, len(by_length), batch_size):
            batch = collate([examples[index] for index in by_length[start : start + batch_size]])
            inputs = {name: tensor.to(runtime.device) for name, tensor in batch.items() if name != "labels"}
            logits.extend(model(**inputs).logits.float().cpu())
    positions = torch.tensor(by_length).argsort().tolist()
    return [logits[position] for position in positions]


@contextmanager
def inference(model: nn.Module, runtime: Runtime) -> Iterator[None]:
    """Context with evaluation mode, no gradients, and the runtime's precision and linear layers."""
    with ExitStack() as stack:
        stack.callback(use_onednn(model, runtime))
        for context in (evaluation_mode(model), torch.inference_mode(), runtime.autocast()):
            stack.enter_context(context)
        yield


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put all modules in evaluation mode (no dropout), and restore the mode of each module afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
