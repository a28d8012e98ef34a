"""Multiple choice: of the answers to a question, the one that is likeliest for a language model."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from string import ascii_uppercase
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Example
from autolora.training.batches import IGNORED
from benchmarks.core.spec import Head, InputError, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.described import DescribedDataSet
from benchmarks.tasks.families.evaluation import inference
from benchmarks.tasks.families.instruction import Instruction
from benchmarks.tasks.families.tokens import pad, tokens_of

Answers = Literal["cloze", "letters"]
_CUE = "\nAnswer:"
"""End of most prompts; the list of choices stands before it."""


@dataclass(frozen=True, kw_only=True)
class MultipleChoice:
    """A task with a data set of questions, each with two or more choices and the index of the right one.

    A choice is scored by its log-likelihood after the prompt, with a space between the two, as in multiple-choice tasks
    of lm-evaluation-harness.
    """

    version: int
    title: str
    dataset: DescribedDataSet
    prompt: str = "Question: {question}\nAnswer:"
    """The text before a choice."""
    answers: Answers = "cloze"
    """"cloze": the choices' texts are scored, and are not part of the prompt; "letters": the prompt lists the choices with
    letters, and these are scored, as in MMLU (Hendrycks et al., arXiv:2009.03300)."""
    instruction: Instruction = field(default_factory=Instruction)
    """The question as an instruction, where the answer is generated (`answering.py`)."""
    batch_size: int = 16
    """Largest number of questions in one forward pass."""
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
        texts = [self._prompt_and_choices(row) for row in rows]
        whole = iter(tokens_of(tokenizer, [f"{prompt} {choice}" for prompt, named in texts for choice in named]))
        examples = []
        prompts = tokens_of(tokenizer, [prompt for prompt, _ in texts])
        for row, prompt, (_, named) in zip(rows, prompts, texts, strict=True):
            # The tokens after those of the prompt alone, as in lm-evaluation-harness.
            choices = [next(whole)[len(prompt) :] for _ in named]
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
                    "characters": [len(choice) for choice in named],
                    "label": row["label"],
                    "cut": len(prompt) > room,
                }
            )
        return examples

    def _prompt_and_choices(self, row: Row) -> tuple[str, Sequence[str]]:
        question, choices = row["question"], row["choices"]
        if self.answers == "cloze":
            return self.prompt.format(question=question), choices
        letters = ascii_uppercase[: len(choices)]
        if len(letters) < len(choices):
            raise InputError(
                f"{self.title}: {len(choices)} choices are more than there are letters: use run.answers=cloze"
            )
        options = "\n".join(f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=True))
        return f"{self.prompt.removesuffix(_CUE).format(question=question)}\n{options}{_CUE}", letters

    def predict(
        self,
        model: nn.Module,
        examples: Sequence[Example],
        prepared: Prepared,  # noqa: ARG002  the signature of all tasks
        runtime: Runtime,
    ) -> Prediction:
        """Score all choices of the examples.

        Returns:
            `scores` are the log-likelihoods of the choices, sums over their tokens, in nats; `predictions` are the
            indices of the likeliest choices.

        Raises:
            NonFiniteLossError: a score is NaN or infinite.
        """
        scores = _log_likelihoods(model, examples, runtime, self.batch_size)
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
    model: nn.Module, examples: Sequence[Example], runtime: Runtime, batch_size: int
) -> list[list[float]]:
    """Log-likelihoods of every example's choices after its prompt, in the examples' order."""
    scores: list[list[float]] = [[] for _ in examples]
    by_length = sorted(range(len(examples)), key=lambda index: examples[index]["prompt"])
    with inference(model, runtime):
        for _, same in groupby(by_length, key=lambda index: examples[index]["prompt"]):
            indices = list(same)
            for start in range(0, len(indices), batch_size):
                chosen = indices[start : start + batch_size]
                found = iter(_of_one_length(model, [examples[index] for index in chosen], runtime.device))
                for index in chosen:
                    scores[index] = list(islice(found, len(examples[index]["choices"])))
    return scores


def _of_one_length(model: nn.Module, examples: Sequence[Example], device: str) -> list[float]:
    """Log-likelihoods of all choices of examples whose prompts have equally many tokens.

    A prompt is computed once; its choices continue from its keys and values.
    """
    prompts = torch.tensor([example["input_ids"][: example["prompt"]] for example in examples], device=device)
    owners = torch.tensor([row for row, example in enumerate(examples) for _ in example["choices"]], device=device)
    choices = [torch.tensor(choice) for example in examples for choice in example["choices"]]
    labels = pad_sequence(choices, batch_first=True, padding_value=IGNORED).to(device)
    counted = labels != IGNORED
    tokens = labels.where(counted, 0)
    start = model(input_ids=prompts, use_cache=True, **_last_logits(model))
    values = _log_probabilities(start.logits[:, -1:][owners], tokens[:, :1])
    if tokens.shape[1] > 1:
        start.past_key_values.batch_select_indices(owners)
        seen = torch.cat([prompts.new_ones(len(owners), prompts.shape[1]), counted[:, :-1].long()], dim=1)
        rest = model(input_ids=tokens[:, :-1], attention_mask=seen, past_key_values=start.past_key_values)
        values = torch.cat([values, _log_probabilities(rest.logits, tokens[:, 1:])], dim=1)
    sums: list[float] = values.double().where(counted, 0).sum(1).tolist()
    return sums


def _last_logits(model: nn.Module) -> Mapping[str, int]:
    """The argument that leaves out the logits of all positions but the last, where the model has it."""
    has_it = any(
        "logits_to_keep" in inspect.signature(module.forward).parameters
        for module in model.modules()
        if isinstance(module, PreTrainedModel)
    )
    return {"logits_to_keep": 1} if has_it else {}


def _log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token, shape (batch, tokens), from logits of shape (batch, tokens, vocabulary)."""
    return logits.float().log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def _percentage(labels: Sequence[int], predictions: Sequence[int]) -> float:
    return 100 * float(np.mean(np.equal(labels, predictions)))
