"""Text generation from records: one text per distinct record, scored against all reference texts of the record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal

from torch import nn
from transformers import PreTrainedTokenizerBase

from autolora.compute.runtime import Runtime
from autolora.problem import Example
from benchmarks.core.spec import Head, InputError, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.described import DescribedDataSet
from benchmarks.tasks.families.beam_search import Beam, beam_search
from benchmarks.tasks.families.tokens import pad, text_of, tokens_of
from benchmarks.tasks.metrics.generation import e2e_scores, webnlg_scores

SHORTEST = 16
"""Minimum of max_length, in tokens."""

Scorer = Callable[[Sequence[str], Sequence[Sequence[str]]], dict[str, float]]
"""Generated texts, reference texts of each -> metrics."""

SCORERS: Mapping[str, Scorer] = MappingProxyType({"e2e": e2e_scores, "webnlg": webnlg_scores})


@dataclass(frozen=True, kw_only=True)
class TextGeneration:
    """A task with a data set of records, each with one or more reference texts."""

    version: int
    title: str
    dataset: DescribedDataSet
    scores: Literal["e2e", "webnlg"]
    """The data set whose official metrics are computed."""
    metric: str = "bleu"
    beam: Beam = field(default_factory=Beam)
    head: Head = "language"
    num_labels: int = 0
    """No new head: the language model's own head is used."""
    evaluation_splits: tuple[str, ...] = ("test",)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the records from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise: an example is a record, the end-of-text token, one text of the record, and the end-of-text token.

        Record and text are each truncated to half of max_length; a truncated text has no end-of-text token.

        Raises:
            InputError: max_length is too small, or the tokenizer has no end-of-text token.
        """
        if max_length < SHORTEST:
            raise InputError(
                f"max_length must leave room for a record and a text: at least {SHORTEST}; got {max_length}"
            )
        if tokenizer.eos_token_id is None:
            raise InputError(
                f"{self.title}: the model's tokenizer has no end-of-text token; use a decoder: --model decoder"
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
            decode=partial(text_of, tokenizer),
        )

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Generate one text per distinct record of the examples, in order of first occurrence.

        Returns:
            `labels` are all reference texts of each record, `predictions` the generated texts.
        """
        assert prepared.decode
        records: dict[str, list[Example]] = {}
        for example in examples:
            records.setdefault(example["record"], []).append(example)
        firsts = [group[0] for group in records.values()]
        prompts = [example["input_ids"][: example["prompt"]] for example in firsts]
        longest = max(len(example["input_ids"]) - example["prompt"] for example in prepared.train)
        generated = beam_search(model, prompts, self.beam, new_tokens=longest, runtime=runtime)
        return Prediction(
            labels=[[example["text"] for example in group] for group in records.values()],
            predictions=[prepared.decode(tokens) for tokens in generated],
            scores=[],
            parts=[example["part"] for example in firsts if example["part"]],
        )

    def score(self, prediction: Prediction) -> dict[str, float]:
        """The official metrics, and those of each part of the split, if it has parts: "bleu_seen"."""
        scorer = SCORERS[self.scores]
        metrics = scorer(prediction.predictions, prediction.labels)
        for part in dict.fromkeys(prediction.parts):
            indices = [index for index, name in enumerate(prediction.parts) if name == part]
            of_part = scorer(
                [prediction.predictions[index] for index in indices], [prediction.labels[index] for index in indices]
            )
            metrics |= {f"{name}_{part}": value for name, value in of_part.items()}
        return metrics


def _examples(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, room: int, seen: set[str | None]
) -> list[Example]:
    """One example per text of every record; record and text have at most `room` tokens each, including their ends."""
    end = tokenizer.eos_token_id
    records = tokens_of(tokenizer, [row["record"] for row in rows])
    texts = iter(tokens_of(tokenizer, [text for row in rows for text in row["texts"]]))
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
