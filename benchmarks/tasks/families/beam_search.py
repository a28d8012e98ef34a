"""Generation of texts by batched beam search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor, LogitsProcessorList, NoRepeatNGramLogitsProcessor

from autolora.compute.runtime import Runtime
from benchmarks.tasks.families.evaluation import inference


@dataclass(frozen=True, kw_only=True)
class Beam:
    """Settings of the beam search; the defaults are those of LoRA's published recipe for GPT-2."""

    width: int = 10
    """Number of hypotheses."""
    length_penalty: float = 0.8
    """Exponent of the length by which the score of a finished hypothesis is divided."""
    no_repeat: int = 4
    """No sequence of this many tokens occurs twice in a text; sequences of the prompt may occur."""
    batch_size: int = 16
    """Prompts per batch; it does not affect the texts."""


def beam_search(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    beam: Beam,
    *,
    new_tokens: int,
    runtime: Runtime,
    cached: bool = True,
) -> list[list[int]]:
    """Continue each prompt by beam search; returns tokens without the prompt, the end-of-text token and padding.

    Args:
        model: a decoder of transformers, with or without adapters.
        prompts: token ids, of any lengths; each prompt ends with the end-of-text token.
        beam: settings of the beam search.
        new_tokens: maximum number of tokens of a text.
        runtime: device and precision.
        cached: use the key-value cache; without it the texts are the same, but generation is slow.
    """
    end = prompts[0][-1]
    by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    continuations: dict[int, list[int]] = {}
    with inference(model, runtime):
        for start in range(0, len(by_length), beam.batch_size):
            indices = by_length[start : start + beam.batch_size]
            batch = [prompts[index] for index in indices]
            rows = _continue(model, batch, beam, end=end, new_tokens=new_tokens, runtime=runtime, cached=cached)
            for index, row in zip(indices, rows, strict=True):
                continuations[index] = row[: row.index(end)] if end in row else row
    return [continuations[index] for index in range(len(prompts))]


def _continue(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    beam: Beam,
    *,
    end: int,
    new_tokens: int,
    runtime: Runtime,
    cached: bool,
) -> list[list[int]]:
    """Continue one batch of prompts, which are padded on the left with the end-of-text token."""
    generate: Callable[..., Tensor] = cast("Any", model).generate
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.tensor([[end] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sequences = generate(
        input_ids=tokens.to(runtime.device),
        attention_mask=mask.to(runtime.device),
        num_beams=beam.width,
        length_penalty=beam.length_penalty,
        max_new_tokens=new_tokens,
        do_sample=False,
        use_cache=cached,
        logits_processor=LogitsProcessorList([_NoRepeatAfterPrompt(width, beam.no_repeat)]),
        eos_token_id=end,
        pad_token_id=end,
    )
    continuations: list[list[int]] = sequences[:, width:].tolist()
    return continuations


class _NoRepeatAfterPrompt(LogitsProcessor):
    """Forbids repeated n-grams in the generated tokens only; transformers' own rule includes the prompt."""

    def __init__(self, prompt_length: int, n: int) -> None:
        self._prompt_length = prompt_length
        self._rule = NoRepeatNGramLogitsProcessor(n)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        return self._rule(input_ids[:, self._prompt_length :], scores)
