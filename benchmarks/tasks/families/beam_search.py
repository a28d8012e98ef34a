"""Generation of texts by batched beam search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import LogitsProcessor, LogitsProcessorList, NoRepeatNGramLogitsProcessor

from autolora.compute.runtime import Runtime
from benchmarks.tasks.families.decoding import continue_prompts


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

    def options(width: int) -> dict[str, Any]:
        return {
            "num_beams": beam.width,
            "length_penalty": beam.length_penalty,
            "max_new_tokens": new_tokens,
            "do_sample": False,
            "use_cache": cached,
            "logits_processor": LogitsProcessorList([_NoRepeatAfterPrompt(width, beam.no_repeat)]),
        }

    return continue_prompts(model, prompts, options, end=prompts[0][-1], batch_size=beam.batch_size, runtime=runtime)


class _NoRepeatAfterPrompt(LogitsProcessor):
    """Forbids repeated n-grams in the generated tokens only; transformers' own rule includes the prompt."""

    def __init__(self, prompt_length: int, n: int) -> None:
        self._prompt_length = prompt_length
        self._rule = NoRepeatNGramLogitsProcessor(n)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        return self._rule(input_ids[:, self._prompt_length :], scores)
