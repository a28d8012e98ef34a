"""Batched generation of tokens after prompts of any lengths."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from autolora.compute.runtime import Runtime
from benchmarks.tasks.families.evaluation import inference


def continue_prompts(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    options: Callable[[int], Mapping[str, Any]],
    *,
    end: int,
    batch_size: int,
    runtime: Runtime,
) -> list[list[int]]:
    """Generate tokens after each prompt; returns them without the prompt, the end-of-text token and padding.

    Args:
        model: a decoder of transformers, with or without adapters.
        prompts: token ids, of any lengths.
        options: number of tokens of the padded prompts of a batch -> arguments of transformers' `generate`.
        end: the end-of-text token; prompts are padded with it on the left.
        batch_size: prompts per batch; prompts of similar length are together.
        runtime: device and precision.
    """
    by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    continuations: dict[int, list[int]] = {}
    with inference(model, runtime):
        for start in range(0, len(by_length), batch_size):
            indices = by_length[start : start + batch_size]
            rows = _continue(model, [prompts[index] for index in indices], options, end, runtime.device)
            for index, row in zip(indices, rows, strict=True):
                continuations[index] = row[: row.index(end)] if end in row else row
    return [continuations[index] for index in range(len(prompts))]


def greedy_search(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    *,
    new_tokens: int,
    end: int,
    batch_size: int,
    runtime: Runtime,
) -> list[list[int]]:
    """The likeliest token at every step, at most `new_tokens` of them; otherwise as `continue_prompts`."""
    options = {"max_new_tokens": new_tokens, "num_beams": 1, "do_sample": False, "repetition_penalty": 1.0}
    return continue_prompts(model, prompts, lambda _: options, end=end, batch_size=batch_size, runtime=runtime)


def _continue(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    options: Callable[[int], Mapping[str, Any]],
    end: int,
    device: str,
) -> list[list[int]]:
    """Continue one batch of prompts."""
    generate: Callable[..., Tensor] = cast("Any", model).generate
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.tensor([[end] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sequences = generate(
        input_ids=tokens.to(device),
        attention_mask=mask.to(device),
        eos_token_id=end,
        pad_token_id=end,
        **options(width),
    )
    continuations: list[list[int]] = sequences[:, width:].tolist()
    return continuations
