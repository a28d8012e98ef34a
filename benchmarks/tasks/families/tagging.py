"""Entity recognition: one IOB2 tag per word, predicted at the first token of the word."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from torch import nn
from transformers import DataCollatorForTokenClassification, PreTrainedTokenizerBase

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Batch, Example
from autolora.training.batches import IGNORED
from benchmarks.core.spec import Head, Prediction, Prepared, Row, TaskData
from benchmarks.data.sources.iob2 import tags_of
from benchmarks.data.sources.tagged import TaggedDataSet
from benchmarks.tasks.families.evaluation import in_batches
from benchmarks.tasks.metrics.local import LocalMetric

OUTSIDE = "O"


@dataclass(frozen=True, kw_only=True)
class EntityTagging:
    """A task with a data set of sentences whose words have IOB2 tags."""

    version: int
    title: str
    dataset: TaggedDataSet
    metric: str = "entity_f1"
    head: Head = "token"
    evaluation_splits: tuple[str, ...] = ("test",)

    @cached_property
    def tags(self) -> list[str]:
        """All tags, in the order of the head's outputs."""
        return tags_of(self.dataset.types)

    @property
    def num_labels(self) -> int:
        """Number of outputs of the head per token."""
        return len(self.tags)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the sentences from "embedded", "hub" or a folder."""
        return self.dataset.load(data, partial=partial)

    def prepare(self, data: TaskData, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Prepared:
        """Tokenise words as in running text, truncating to max_length tokens; batches are padded to the longest sentence."""
        examples = {split: self._tokenise(rows, tokenizer, max_length) for split, rows in data.splits.items()}
        return Prepared(
            train=examples["train"],
            strata=[int(any(tag != OUTSIDE for tag in row["tags"])) for row in data.splits["train"]],
            evaluation={split: examples[split] for split in self.evaluation_splits},
            collate=partial(pad, tokenizer),
        )

    def _tokenise(self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> list[Example]:
        before = _before_words(tokenizer)
        words = [[before + word for word in row["tokens"].split(" ")] for row in rows]
        encoded = tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=max_length, return_attention_mask=False
        )
        examples: list[Example] = []
        for index, row in enumerate(rows):
            first = _first_tokens(encoded.word_ids(index))
            labels = [self.tags.index(row["tags"][word]) if word is not None else IGNORED for word in first]
            inputs = {name: values[index] for name, values in encoded.items()}
            examples.append({**inputs, "labels": labels, "words": first, "tags": row["tags"]})
        return examples

    def predict(
        self, model: nn.Module, examples: Sequence[Example], prepared: Prepared, runtime: Runtime
    ) -> Prediction:
        """Predict a tag for every word; words lost by truncation are tagged as outside of all entities.

        Returns:
            `labels` and `predictions` have a list of tags per sentence, `scores` the logits of the predicted tags.

        Raises:
            NonFiniteLossError: a logit is NaN or infinite.
        """
        logits = in_batches(model, examples, prepared.collate, runtime)
        predictions, scores = [], []
        for example, of_tokens in zip(examples, logits, strict=True):
            if not of_tokens.isfinite().all():
                raise NonFiniteLossError(f"{self.title}: the logits of a sentence are not finite")
            tags = [OUTSIDE] * len(example["tags"])
            best = of_tokens.max(dim=1)
            leading = [(position, word) for position, word in enumerate(example["words"]) if word is not None]
            for position, word in leading:
                tags[word] = self.tags[int(best.indices[position])]
            predictions.append(tags)
            scores.append([float(best.values[position]) for position, _ in leading])
        return Prediction(labels=[example["tags"] for example in examples], predictions=predictions, scores=scores)

    def score(self, prediction: Prediction) -> dict[str, float]:
        """F1, precision and recall of whole entities, times 100."""
        metrics = LocalMetric("entities").compute(predictions=prediction.predictions, references=prediction.labels)
        return {f"entity_{name}": 100 * metrics[name] for name in ("f1", "precision", "recall")}


def _before_words(tokenizer: PreTrainedTokenizerBase) -> str:
    """What to put before a word that is tokenised by itself, for the tokens that it has in the middle of a text.

    A space for byte-level tokenizers such as RoBERTa's, whose tokens contain the space before a word; else nothing.
    """
    alone, spaced, running = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a", " a", "a a"))
    return " " if running == alone + spaced and alone != spaced else ""


def _first_tokens(words: Sequence[int | None]) -> list[int | None]:
    """Index of the word that each token begins; None for other tokens."""
    return [word if word is not None and word not in words[:index] else None for index, word in enumerate(words)]


def pad(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> Batch:
    """Pad to the longest sentence: int64 tensors of shape (batch, tokens); the loss ignores padding."""
    inputs = [{name: value for name, value in example.items() if name not in ("words", "tags")} for example in examples]
    return dict(DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED)(inputs))
