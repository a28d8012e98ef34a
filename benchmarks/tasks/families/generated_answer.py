"""Questions that a language model answers with a generated text, in which the answer is looked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn
from transformers import PreTrainedTokenizerBase

from autolora.compute.runtime import Runtime
from autolora.problem import Example
from benchmarks.core.spec import Head, InputError, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.described import DescribedDataSet
from benchmarks.tasks.families.decoding import greedy_search
from benchmarks.tasks.families.tokens import pad, text_of, tokens_of

ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{question}\n\n### Response:\n"
)
"""The prompt of Alpaca (Taori et al., 2023), which LLM-Adapters uses (arXiv:2304.01933)."""


@dataclass(frozen=True, kw_only=True)
class GeneratedAnswer:
    """A task with a data set of questions, each with a text to learn (its solution) and the right answer.

    The text is generated greedily. LLM-Adapters searches with four beams.
    """

    version: int
    title: str
    dataset: DescribedDataSet
    extract: Callable[[str], str]
    """Finds the answer in a generated text; "" where there is none."""
    row: Callable[[Row], Row] = dict
    """Converts a row of the data set to one with the texts `question`, `solution` and `answer`."""
    prompt: str = ALPACA
    new_tokens: int = 256
    """Largest number of tokens of a solution, with the end-of-text token; LLM-Adapters has 256 for calculations."""
    batch_size: int = 16
    """Questions per batch of the generation."""
    metric: str = "exact_match"
    head: Head = "language"
    num_labels: int = 0
    """No new head: the language model's own head is used."""
    evaluation_splits: tuple[str, ...] = ("test",)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the questions from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise: an example is a prompt, the solution and the end-of-text token.

        A solution has at most `new_tokens` tokens, and at most half of max_length; a prompt has the other tokens. A longer
        prompt loses its beginning, a longer solution its end.

        Raises:
            InputError: the tokenizer has no end-of-text token.
        """
        if tokenizer.eos_token_id is None:
            raise InputError(f"{self.title}: the model's tokenizer has no end-of-text token; use a decoder")
        examples = {
            split: self._examples(data.splits[split], tokenizer, max_length)
            for split in ("train", *self.evaluation_splits)
        }
        return Prepared(
            train=examples["train"],
            strata=[0] * len(examples["train"]),
            evaluation={split: examples[split] for split in self.evaluation_splits},
            collate=partial(pad, end=tokenizer.eos_token_id),
            decode=partial(text_of, tokenizer),
            notes=tuple(_notes(examples)),
        )

    def _examples(
        self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any]]:
        room = min(self.new_tokens, max_length // 2)
        converted = [self.row(row) for row in rows]
        prompts = tokens_of(tokenizer, [self.prompt.format(question=row["question"]) for row in converted])
        solutions = tokens_of(tokenizer, [row["solution"] for row in converted])
        end = tokenizer.eos_token_id
        return [
            {
                "input_ids": [*prompt[-(max_length - room) :], *[*solution, end][:room]],
                "prompt": min(len(prompt), max_length - room),
                "answer": row["answer"],
                "end": end,
                "room": room,
                "prompt_cut": len(prompt) > max_length - room,
                "solution_cut": len(solution) >= room,
            }
            for row, prompt, solution in zip(converted, prompts, solutions, strict=True)
        ]

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Generate a text for every example.

        Returns:
            `predictions` are the answers found in the texts, `labels` the right ones, and `texts` the texts.
        """
        assert prepared.decode
        tokens = greedy_search(
            model,
            [example["input_ids"][: example["prompt"]] for example in examples],
            new_tokens=examples[0]["room"],
            end=examples[0]["end"],
            batch_size=self.batch_size,
            runtime=runtime,
        )
        texts = [prepared.decode(each) for each in tokens]
        return Prediction(
            labels=[example["answer"] for example in examples],
            predictions=[self.extract(text) for text in texts],
            scores=[],
            texts=texts,
        )

    def score(self, prediction: Prediction) -> dict[str, float]:
        """Percentage of questions whose answer is right."""
        right = [label == answer for label, answer in zip(prediction.labels, prediction.predictions, strict=True)]
        return {self.metric: 100 * float(np.mean(right))}


def _notes(examples: dict[str, list[dict[str, Any]]]) -> Sequence[str]:
    """What was cut; the end of a solution matters in the training set alone."""
    notes = []
    for split, of_split in examples.items():
        cut = {"prompt": "beginning", "solution": "end"} if split == "train" else {"prompt": "beginning"}
        for part, side in cut.items():
            if number := sum(example[f"{part}_cut"] for example in of_split):
                notes.append(
                    f"{split}: the {part}s of {number:,} of {len(of_split):,} questions are longer than max_length "
                    f"allows; their {side} is cut off."
                )
    return notes
