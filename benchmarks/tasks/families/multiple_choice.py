"""Multiple choice: of the answers to a question, the one that is likeliest for a language model."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Batch, Example
from autolora.training.batches import IGNORED
from benchmarks.core.spec import Head, InputError, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.described import DescribedDataSet
from benchmarks.tasks.families.evaluation import inference
from benchmarks.tasks.families.generation import pad


@dataclass(frozen=True, kw_only=True)
class MultipleChoice:
    """A task with a data set of questions, each with two or more choices and the index of the right one.

    A choice is scored by its log-likelihood after the prompt, with a space between the two, as in multiple-choice tasks
    of lm-evaluation-harness. The choices themselves are not part of the prompt ("cloze").
    """

    version: int
    title: str
    dataset: DescribedDataSet
    prompt: str = "Question: {question}\nAnswer:"
    """The text before a choice."""
    batch_size: int = 32
    """Number of choices in one forward pass."""
    metric: str = "acc"
    head: Head = "language"
    num_labels: int = 0
    """No new head: the language model's own head is used."""
    evaluation_splits: tuple[str, ...] = ("test",)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the questions from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise: an example is a prompt and its right answer, with the tokens of every choice.

        A prompt that does not fit into max_length together with the longest of its choices loses its beginning.

        Raises:
            InputError: a choice leaves no room for a prompt.
        """
        examples = {
            split: self._examples(data.splits[split], tokenizer, max_length)
            for split in ("train", *self.evaluation_splits)
        }
        cut = {split: sum(example["cut"] for example in found) for split, found in examples.items()}
        return Prepared(
            train=examples["train"],
            strata=[0] * len(examples["train"]),
            evaluation={split: examples[split] for split in self.evaluation_splits},
            collate=partial(pad, end=tokenizer.pad_token_id or 0),
            notes=tuple(
                f"{split}: the prompts of {number:,} of {len(examples[split]):,} questions are longer than max_length "
                "allows; their beginning is cut off."
                for split, number in cut.items()
                if number
            ),
        )

    def _examples(
        self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int
    ) -> list[dict[str, Any]]:
        prompts = [self.prompt.format(question=row["question"]) for row in rows]
        whole = iter(
            _tokens(
                tokenizer,
                [f"{prompt} {choice}" for prompt, row in zip(prompts, rows, strict=True) for choice in row["choices"]],
            )
        )
        examples = []
        for row, prompt in zip(rows, _tokens(tokenizer, prompts), strict=True):
            # The tokens after those of the prompt alone, as in lm-evaluation-harness.
            choices = [next(whole)[len(prompt) :] for _ in row["choices"]]
            room = max_length - max(map(len, choices))
            if room < 1:
                raise InputError(
                    f"max_length {max_length} leaves no room for a prompt beside a choice of {max_length - room} tokens: "
                    "set a larger run.max_length"
                )
            examples.append(
                {
                    "input_ids": [*prompt[-room:], *choices[row["label"]]],
                    "prompt": min(len(prompt), room),
                    "choices": choices,
                    "characters": [len(choice) for choice in row["choices"]],
                    "label": row["label"],
                    "cut": len(prompt) > room,
                }
            )
        return examples

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Score all choices of the examples.

        Returns:
            `scores` are the log-likelihoods of the choices, sums over their tokens, in nats; `predictions` are the
            indices of the likeliest choices.

        Raises:
            NonFiniteLossError: a score is NaN or infinite.
        """
        candidates = [
            {"input_ids": [*example["input_ids"][: example["prompt"]], *choice], "prompt": example["prompt"]}
            for example in examples
            for choice in example["choices"]
        ]
        values = iter(_log_likelihoods(model, candidates, prepared, runtime, self.batch_size))
        scores = [[next(values) for _ in example["choices"]] for example in examples]
        if non_finite := sum(not np.isfinite(each).all() for each in scores):
            raise NonFiniteLossError(
                f"{self.title}: the scores of {non_finite} of {len(examples)} questions are not finite"
            )
        return Prediction(
            labels=[example["label"] for example in examples],
            predictions=[int(np.argmax(each)) for each in scores],
            scores=scores,
            characters=[example["characters"] for example in examples],
        )

    def score(self, prediction: Prediction) -> dict[str, float]:
        """Percentages of questions whose right choice has the largest score: "acc", and per character: "acc_norm"."""
        metrics = {"acc": _percentage(prediction.labels, prediction.predictions)}
        if prediction.characters:
            per_character = [
                int(np.argmax(np.divide(scores, characters)))
                for scores, characters in zip(prediction.scores, prediction.characters, strict=True)
            ]
            metrics["acc_norm"] = _percentage(prediction.labels, per_character)
        return metrics


def _log_likelihoods(
    model: nn.Module, candidates: Sequence[Example], prepared: Prepared, runtime: Runtime, batch_size: int
) -> list[float]:
    """Log-likelihood of the tokens after each candidate's prompt, in the candidates' order."""
    order = sorted(
        range(len(candidates)), key=lambda index: (candidates[index]["prompt"], len(candidates[index]["input_ids"]))
    )
    values = [0.0] * len(candidates)
    with inference(model, runtime):
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = prepared.collate([candidates[index] for index in chosen])
            first = min(candidates[index]["prompt"] for index in chosen) - 1
            on_device = {name: tensor.to(runtime.device) for name, tensor in batch.items()}
            sums = _sums(_logits(model, on_device, first), on_device["labels"][:, first + 1 :])
            for index, value in zip(chosen, sums.tolist(), strict=True):
                values[index] = value
    return values


def _logits(model: nn.Module, batch: Batch, first: int) -> Tensor:
    """Logits that predict the tokens after position `first`, shape (batch, tokens - first - 1, vocabulary).

    Only they are computed, where the model can leave out the others.
    """
    kept: Mapping[str, int] = {}
    if any(
        "logits_to_keep" in inspect.signature(module.forward).parameters
        for module in model.modules()
        if isinstance(module, PreTrainedModel)
    ):
        kept = {"logits_to_keep": batch["input_ids"].shape[1] - first}
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    logits: Tensor = model(**inputs, use_cache=False, **kept).logits
    return logits[:, -(batch["input_ids"].shape[1] - first) : -1]


def _sums(logits: Tensor, labels: Tensor) -> Tensor:
    """Sums of the labelled tokens' log-probabilities, shape (batch,), float64.

    Args:
        logits: shape (batch, tokens, vocabulary).
        labels: the tokens that the logits predict, shape (batch, tokens); IGNORED ones are left out.
    """
    counted = labels != IGNORED
    each = logits.float().log_softmax(-1).gather(-1, labels.where(counted, 0).unsqueeze(-1)).squeeze(-1)
    return each.double().where(counted, 0).sum(1)


def _percentage(labels: Sequence[int], predictions: Sequence[int]) -> float:
    return 100 * float(np.mean(np.equal(labels, predictions)))


def _tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    tokens: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return tokens
