"""Texts written from records by a decoder: a beam search per distinct record, scored against all of its texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor, LogitsProcessorList, NoRepeatNGramLogitsProcessor, PreTrainedTokenizerBase

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example
from autolora.training.train import IGNORED
from benchmarks.core.spec import Head, InputError, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.described import DescribedDataSet
from benchmarks.tasks.families.evaluation import answering
from benchmarks.tasks.metrics.generation import e2e_scores, webnlg_scores

SHORTEST = 16
"""Tokens that record and text have room for at least."""

Scorer = Callable[[Sequence[str], Sequence[Sequence[str]]], dict[str, float]]
"""Texts and their references -> metrics."""

SCORERS: Mapping[str, Scorer] = MappingProxyType({"e2e": e2e_scores, "webnlg": webnlg_scores})


@dataclass(frozen=True, kw_only=True)
class Beam:
    """How a text is searched for; the values are those of LoRA's published recipe for GPT-2."""

    width: int = 10
    """Hypotheses that are followed."""
    length_penalty: float = 0.8
    """Scores of whole hypotheses are divided by their length to this power."""
    no_repeat: int = 4
    """No sequence of so many tokens comes twice in a text; what the record holds may be said."""
    batch_size: int = 16
    """Records at a time: changes no text."""


@dataclass(frozen=True, kw_only=True)
class TextGeneration:
    """A data set of records with one or more texts each."""

    version: int
    title: str
    dataset: DescribedDataSet
    scores: Literal["e2e", "webnlg"]
    """Whose official metrics."""
    metric: str = "bleu"
    beam: Beam = field(default_factory=Beam)
    head: Head = "language"
    num_labels: int = 0
    """The model's own head writes."""
    evaluation_splits: tuple[str, ...] = ("test",)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the records from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise: an example is a record, the tokenizer's end of text, one of its texts, and the end again.

        Record and text have half of max_length each, and are cut there; a text that was cut has no end.

        Raises:
            InputError: max_length is too small, or the tokenizer has no end of text.
        """
        if max_length < SHORTEST:
            raise InputError(f"max_length has room for a record and a text: at least {SHORTEST}; got {max_length}")
        if tokenizer.eos_token_id is None:
            raise InputError(
                f"{self.title}: the model's tokenizer has no token that ends a text; take a decoder: --model decoder"
            )
        splits = {split: list(data.splits[split]) for split in ("train", *self.evaluation_splits)}
        seen = {row.get("category") for row in splits["train"]}
        examples = {split: _examples(rows, tokenizer, max_length // 2, seen) for split, rows in splits.items()}
        records: dict[str, int] = {}
        groups = [records.setdefault(example["record"], len(records)) for example in examples["train"]]
        return Prepared(
            train=examples["train"],
            strata=[0] * len(groups),
            groups=groups,
            evaluation={split: examples[split] for split in self.evaluation_splits},
            collate=partial(pad, end=tokenizer.eos_token_id),
            decode=partial(_text, tokenizer),
        )

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Write one text per distinct record of the examples, in the order of first records.

        Returns:
            `labels` are all texts of a record, `predictions` what the model wrote.
        """
        assert prepared.decode
        records: dict[str, list[Example]] = {}
        for example in examples:
            records.setdefault(example["record"], []).append(example)
        firsts = [group[0] for group in records.values()]
        prompts = [example["input_ids"][: example["prompt"]] for example in firsts]
        longest = max(len(example["input_ids"]) - example["prompt"] for example in prepared.train)
        written = write(model, prompts, self.beam, new_tokens=longest, runtime=runtime)
        return Prediction(
            labels=[[example["text"] for example in group] for group in records.values()],
            predictions=[prepared.decode(tokens) for tokens in written],
            scores=[],
            parts=[example["part"] for example in firsts if example["part"]],
        )

    def score(self, prediction: Prediction) -> dict[str, float]:
        """The official metrics; where records are of several parts, those of each part too, as "bleu_seen"."""
        scorer = SCORERS[self.scores]
        found = scorer(prediction.predictions, prediction.labels)
        for part in dict.fromkeys(prediction.parts):
            places = [place for place, name in enumerate(prediction.parts) if name == part]
            of_part = scorer(
                [prediction.predictions[place] for place in places], [prediction.labels[place] for place in places]
            )
            found |= {f"{name}_{part}": value for name, value in of_part.items()}
        return found


def write(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    beam: Beam,
    *,
    new_tokens: int,
    runtime: Runtime,
    cached: bool = True,
) -> list[list[int]]:
    """What the model writes after each prompt, by beam search: tokens without the prompt, the end and padding.

    Args:
        model: a decoder of transformers, as it is or adapted.
        prompts: tokens, of any lengths; each ends in the end of text.
        beam: how it is searched for.
        new_tokens: a text has at most so many.
        runtime: device and precision.
        cached: keep what attention has computed for earlier tokens; without it the texts are the same, and slow.
    """
    end = prompts[0][-1]
    by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    written: dict[int, list[int]] = {}
    generate: Callable[..., Tensor] = cast("Any", model).generate
    with answering(model, runtime):
        for start in range(0, len(by_length), beam.batch_size):
            places = by_length[start : start + beam.batch_size]
            width = max(len(prompts[place]) for place in places)
            tokens = torch.tensor([[end] * (width - len(prompts[place])) + list(prompts[place]) for place in places])
            mask = torch.tensor([[0] * (width - len(prompts[place])) + [1] * len(prompts[place]) for place in places])
            found = generate(
                input_ids=tokens.to(runtime.device),
                attention_mask=mask.to(runtime.device),
                num_beams=beam.width,
                length_penalty=beam.length_penalty,
                max_new_tokens=new_tokens,
                do_sample=False,
                use_cache=cached,
                logits_processor=LogitsProcessorList([_NoRepeatAfter(width, beam.no_repeat)]),
                eos_token_id=end,
                pad_token_id=end,
            )
            for place, row in zip(places, found[:, width:].tolist(), strict=True):
                written[place] = row[: row.index(end)] if end in row else row
    return [written[place] for place in range(len(prompts))]


class _NoRepeatAfter(LogitsProcessor):
    """Refuses to repeat n tokens of what was written; transformers' own rule counts the prompt in."""

    def __init__(self, prompt: int, n: int) -> None:
        self._prompt = prompt
        self._rule = NoRepeatNGramLogitsProcessor(n)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        return self._rule(input_ids[:, self._prompt :], scores)


def pad(examples: Sequence[Example], *, end: int) -> Batch:
    """Pad to the longest: int64 tensors of shape (batch, tokens); only the text and its end count for the loss."""
    length = max(len(example["input_ids"]) for example in examples)
    rows = [(example["input_ids"], example["prompt"], length - len(example["input_ids"])) for example in examples]
    return {
        "input_ids": torch.tensor([[*tokens, *[end] * rest] for tokens, _, rest in rows]),
        "attention_mask": torch.tensor([[1] * len(tokens) + [0] * rest for tokens, _, rest in rows]),
        "labels": torch.tensor(
            [[*[IGNORED] * prompt, *tokens[prompt:], *[IGNORED] * rest] for tokens, prompt, rest in rows]
        ),
    }


def _examples(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, room: int, seen: set[str | None]
) -> list[Example]:
    """One per text of every record; each half has so much room, its end counted."""
    end = tokenizer.eos_token_id
    records = _tokens(tokenizer, [row["record"] for row in rows])
    texts = iter(_tokens(tokenizer, [text for row in rows for text in row["texts"]]))
    examples: list[Example] = []
    for row, record in zip(rows, records, strict=True):
        category = row.get("category")
        part = "" if category is None else "seen" if category in seen else "unseen"
        prompt = [*record[: room - 1], end]
        for text in row["texts"]:
            tokens = [*prompt, *[*next(texts), end][:room]]
            examples.append(
                {"input_ids": tokens, "prompt": len(prompt), "record": row["record"], "text": text, "part": part}
            )
    return examples


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return found


def _text(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    text = tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return cast("str", text).strip()
