"""Floors of a task: the scores that simple baselines reach without fine-tuning a model."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate
from torch import nn

from autolora.compute.runtime import Runtime
from autolora.problem import Batch, Example
from benchmarks.analysis.collapse import with_collapsed
from benchmarks.analysis.stats import summarise
from benchmarks.core import registry
from benchmarks.core.spec import Head, Prediction, Prepared, Row, Task
from benchmarks.data.models.backbones import Backbone
from benchmarks.run.cache import Materials
from benchmarks.store.result import Result
from benchmarks.tasks.families.generated_answer import GeneratedAnswer
from benchmarks.tasks.families.multiple_choice import MultipleChoice
from benchmarks.tasks.families.tagging import OUTSIDE
from benchmarks.tasks.metrics.scales import scale_of


@dataclass(frozen=True, kw_only=True)
class TaskInputs:
    """A task, its rows, its tokenised examples and the pretrained backbone."""

    task: Task
    train: Sequence[Row]
    evaluation: Sequence[Row]
    """Rows of the headline split."""
    prepared: Prepared
    backbone: Backbone

    def score(self, labels: Sequence[Any], predictions: Sequence[Any]) -> float:
        """The value of the headline metric."""
        prediction = Prediction(labels=labels, predictions=predictions, scores=())
        return self.task.score(prediction)[self.task.metric]

    @property
    def examples(self) -> Sequence[Example]:
        """The tokenised examples of the headline split."""
        return self.prepared.evaluation[self.task.evaluation_splits[0]]


class _TaggedWord(NamedTuple):
    """A word of a tagged sentence, its neighbours (empty at the ends of the sentence) and its tag."""

    left: str
    word: str
    right: str
    tag: str


def floors(name: str, materials: Materials, conditions: Mapping[str, Any]) -> dict[str, float]:
    """Floor -> its headline score on the headline split.

    Classification and regression:

    - majority class: the most frequent training label for every example; the mean score for regression.
    - bag of words: logistic regression on word counts (ridge regression for scores). The words of the two texts of a
      pair are counted jointly and separately, and the better score is kept.
    - frozen encoder: the same regression on the pooled output of the pretrained encoder.

    Tagging:

    - word: each word's most frequent tag in the training set, "O" for words that are not in it.
    - word between neighbours: the most frequent tag of the word between its two neighbours; where the training set
      lacks this triple, of any word between these neighbours; where it lacks this pair, of the word alone.

    Generation:

    - record: the record itself as the text.
    - frozen decoder: the text that the pretrained decoder generates from a record.

    Multiple choice:

    - chance: the expected score of a choice at random.
    - longest choice: the choice with the most characters, the first of several.
    - frozen decoder: the choice that is likeliest for the pretrained decoder.

    Generated answers:

    - most frequent answer: that of the training set.
    - frozen decoder: the answers that the pretrained decoder generates.

    Args:
        name: of the task.
        materials: cache of rows, backbones and tokenised examples.
        conditions: a cell's `data`, `partial`, `model` and `max_length`.
    """
    data, partial, model, max_length = (conditions[key] for key in ("data", "partial", "model", "max_length"))
    task, rows = registry.task(name), materials.data(name, data, partial).splits
    return _kind(task)(
        TaskInputs(
            task=task,
            train=rows["train"],
            evaluation=rows[task.evaluation_splits[0]],
            prepared=materials.prepared(name, data, partial, model, max_length),
            backbone=materials.backbone(model),
        )
    )


def _class_floors(inputs: TaskInputs) -> dict[str, float]:
    train_labels, labels = ([row["label"] for row in rows] for rows in (inputs.train, inputs.evaluation))
    encoder = cast("nn.Module", inputs.backbone.builder(inputs.task.num_labels, 0)().base_model).eval()

    def bag_of_words(texts: Callable[[Sequence[Row]], list[str]]) -> float:
        pipeline = make_pipeline(CountVectorizer(token_pattern=r"\S+"), _regression(inputs.task))  # noqa: S106  no password
        pipeline.fit(texts(inputs.train), train_labels)
        return inputs.score(labels, pipeline.predict(texts(inputs.evaluation)).tolist())

    def encoded(examples: Sequence[Example]) -> np.ndarray:
        return pooled(encoder, examples, inputs.prepared.collate)

    regression = make_pipeline(StandardScaler(), _regression(inputs.task))
    regression.fit(encoded(inputs.prepared.train), train_labels)
    constant = mean(train_labels) if inputs.task.num_labels == 1 else Counter(train_labels).most_common(1)[0][0]
    return {
        "majority class": inputs.score(labels, [constant] * len(labels)),
        "bag of words": max(bag_of_words(_joint_texts), bag_of_words(_separate_texts)),
        "frozen encoder": inputs.score(labels, regression.predict(encoded(inputs.examples)).tolist()),
    }


def _tag_floors(inputs: TaskInputs) -> dict[str, float]:
    train = [word for row in inputs.train for word in _tagged_words(row)]
    by_triple = _most_frequent((word[:3], word.tag) for word in train)
    by_neighbours = _most_frequent(((word.left, word.right), word.tag) for word in train)
    by_word = _most_frequent((word.word, word.tag) for word in train)
    sentences = [_tagged_words(row) for row in inputs.evaluation]

    def tag_between_neighbours(word: _TaggedWord) -> str:
        by_word_alone = by_word.get(word.word, OUTSIDE)
        return by_triple.get(word[:3], by_neighbours.get((word.left, word.right), by_word_alone))

    tags = [[word.tag for word in sentence] for sentence in sentences]
    return {
        "word": inputs.score(tags, [[by_word.get(word.word, OUTSIDE) for word in words] for words in sentences]),
        "word between neighbours": inputs.score(
            tags, [[tag_between_neighbours(word) for word in words] for words in sentences]
        ),
    }


def _text_floors(inputs: TaskInputs) -> dict[str, float]:
    references, records = ([row[key] for row in inputs.evaluation] for key in ("texts", "record"))
    return {
        "record": inputs.score(references, records),
        "frozen decoder": inputs.task.score(_frozen(inputs))[inputs.task.metric],
    }


def _choice_floors(inputs: TaskInputs) -> dict[str, float]:
    labels = [row["label"] for row in inputs.evaluation]
    longest = [int(np.argmax([*map(len, row["choices"])])) for row in inputs.evaluation]
    return {
        "chance": 100 * mean(1 / len(row["choices"]) for row in inputs.evaluation),
        "longest choice": inputs.score(labels, longest),
        "frozen decoder": inputs.task.score(_frozen(inputs))[inputs.task.metric],
    }


def _answer_floors(inputs: TaskInputs) -> dict[str, float]:
    train, labels = ([example["answer"] for example in side] for side in (inputs.prepared.train, inputs.examples))
    most_frequent = Counter(train).most_common(1)[0][0]
    return {
        "most frequent answer": inputs.score(labels, [most_frequent] * len(labels)),
        "frozen decoder": inputs.task.score(_frozen(inputs))[inputs.task.metric],
    }


def _frozen(inputs: TaskInputs) -> Prediction:
    """Predictions of the pretrained decoder."""
    model = inputs.backbone.builder(0, 0, head="language")()
    return inputs.task.predict(model, inputs.examples, inputs.prepared, Runtime())


_FLOORS: Mapping[Head, Callable[[TaskInputs], dict[str, float]]] = MappingProxyType(
    {"sequence": _class_floors, "token": _tag_floors, "language": _text_floors}
)


def _kind(task: Task) -> Callable[[TaskInputs], dict[str, float]]:
    """The function that computes the floors of tasks of this kind."""
    if isinstance(task, MultipleChoice):
        return _choice_floors
    return _answer_floors if isinstance(task, GeneratedAnswer) else _FLOORS[task.head]


@torch.inference_mode()
def pooled(
    encoder: nn.Module, examples: Sequence[Example], collate: Callable[[Sequence[Example]], Batch]
) -> np.ndarray:
    """Pooled output per example, shape (examples, hidden size)."""
    outputs = []
    for start in range(0, len(examples), 64):
        batch = {name: value for name, value in collate(examples[start : start + 64]).items() if name != "labels"}
        outputs.append(encoder(**batch).pooler_output)
    return torch.cat(outputs).numpy()


def render(conditions: Mapping[str, Mapping[str, Any]], results: Sequence[Result], materials: Materials) -> str:
    """Tables of the floors, one per kind of task, with a column for the mean score of full fine-tuning.

    Args:
        conditions: task -> its cells' conditions.
        results: of any tasks and methods; those of full fine-tuning are used.
        materials: as for `floors`.
    """
    tables = []
    for _, names in groupby(conditions, key=lambda name: _kind(registry.task(name))):
        by_task = {name: floors(name, materials, conditions[name]) for name in names}
        rows = [
            [task.title, *map(scale_of(task.metric).text, of_task.values()), _full(name, results)]
            for name, of_task in by_task.items()
            for task in [registry.task(name)]
        ]
        headers = ("task", *next(iter(by_task.values())), "full fine-tuning")
        tables.append(tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True))
    return "\n\n".join(tables)


def _full(task: str, results: Sequence[Result]) -> str:
    """Mean score of full fine-tuning; "-" without results."""
    summary = summarise(results).get((task, "full"))
    if not summary:
        return "-"
    return f"{summary.scale.text(summary.mean)} ({with_collapsed(f'n={len(summary.seeds)}', summary.collapsed)})"


def _regression(task: Task) -> LogisticRegression | Ridge:
    return Ridge() if task.num_labels == 1 else LogisticRegression(max_iter=2000)


def _texts(row: Row) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]


def _joint_texts(rows: Sequence[Row]) -> list[str]:
    """One text per row: all its texts, concatenated."""
    return [" ".join(_texts(row)) for row in rows]


def _separate_texts(rows: Sequence[Row]) -> list[str]:
    """One text per row, whose words have the number of their text as a prefix."""
    return [" ".join(f"{i}:{word}" for i, text in enumerate(_texts(row)) for word in text.split()) for row in rows]


def _tagged_words(row: Row) -> list[_TaggedWord]:
    words = row["tokens"].split(" ")
    return [_TaggedWord(*word) for word in zip(["", *words[:-1]], words, [*words[1:], ""], row["tags"], strict=True)]


def _most_frequent(pairs: Iterable[tuple[Hashable, str]]) -> dict[Hashable, str]:
    """Key -> its most frequent tag in pairs of a key and a tag."""
    counts: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, tag in pairs:
        counts[key][tag] += 1
    return {key: tags.most_common(1)[0][0] for key, tags in counts.items()}
