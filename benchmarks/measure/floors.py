"""How hard a task is: what can be scored on it without fine-tuning a model."""

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
from benchmarks.core import registry
from benchmarks.core.spec import Head, Prediction, Prepared, Row, Task
from benchmarks.data.models.backbones import Backbone
from benchmarks.run.cache import Materials
from benchmarks.store.result import Result
from benchmarks.tasks.families.tagging import OUTSIDE


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A task, and what is known of it and of the model before any training."""

    task: Task
    train: Sequence[Row]
    evaluation: Sequence[Row]
    """Of the headline split."""
    prepared: Prepared
    backbone: Backbone

    def score(self, labels: Sequence[Any], predictions: Sequence[Any]) -> float:
        """The headline metric."""
        prediction = Prediction(labels=labels, predictions=predictions, scores=())
        return self.task.score(prediction)[self.task.metric]

    @property
    def examples(self) -> Sequence[Example]:
        """The headline split's, tokenised."""
        return self.prepared.evaluation[self.task.evaluation_splits[0]]


class _Place(NamedTuple):
    """A word of a tagged sentence."""

    left: str
    word: str
    right: str
    tag: str


def floors(name: str, materials: Materials, conditions: Mapping[str, Any]) -> dict[str, float]:
    """Headline scores on the headline split.

    Of classes and scores:

    - majority class: the most frequent training label for every example; the mean score for regression.
    - bag of words: logistic regression on word counts (ridge regression for scores); of the two texts of a pair
      counted together, and counted apart, the better one.
    - frozen encoder: the same on the pooled output of the pretrained encoder.

    Of tags:

    - word: each word's most frequent tag in the training set, "O" for a new one.
    - word between neighbours: the most frequent one of the word between these two; else of any word between them, as
      names are new ones; else the word's.

    Of texts:

    - record: the record itself, as if it were a text.
    - frozen decoder: what the pretrained decoder writes after a record.

    Args:
        name: of the task.
        materials: where rows, models and tokenised examples come from.
        conditions: a cell's `data`, `partial`, `model` and `max_length`.
    """
    data, partial, model, max_length = (conditions[key] for key in ("data", "partial", "model", "max_length"))
    task, rows = registry.task(name), materials.data(name, data, partial).splits
    return _FLOORS[task.head](
        Opened(
            task=task,
            train=rows["train"],
            evaluation=rows[task.evaluation_splits[0]],
            prepared=materials.prepared(name, data, partial, model, max_length),
            backbone=materials.backbone(model),
        )
    )


def _class_floors(opened: Opened) -> dict[str, float]:
    labels, truth = ([row["label"] for row in rows] for rows in (opened.train, opened.evaluation))
    encoder = cast("nn.Module", opened.backbone.builder(opened.task.num_labels, 0)().base_model).eval()

    def fitted(features: Callable[[Sequence[Row]], list[str]]) -> float:
        pipeline = make_pipeline(CountVectorizer(token_pattern=r"\S+"), _regression(opened.task))  # noqa: S106  no password
        return opened.score(
            truth, pipeline.fit(features(opened.train), labels).predict(features(opened.evaluation)).tolist()
        )

    def encoded(examples: Sequence[Example]) -> np.ndarray:
        return pooled(encoder, examples, opened.prepared.collate)

    frozen = make_pipeline(StandardScaler(), _regression(opened.task)).fit(encoded(opened.prepared.train), labels)
    constant = mean(labels) if opened.task.num_labels == 1 else Counter(labels).most_common(1)[0][0]
    return {
        "majority class": opened.score(truth, [constant] * len(truth)),
        "bag of words": max(fitted(_together), fitted(_apart)),
        "frozen encoder": opened.score(truth, frozen.predict(encoded(opened.examples)).tolist()),
    }


def _tag_floors(opened: Opened) -> dict[str, float]:
    train = [place for row in opened.train for place in _places(row)]
    by_all = _most_frequent((place[:3], place.tag) for place in train)
    by_neighbours = _most_frequent(((place.left, place.right), place.tag) for place in train)
    by_word = _most_frequent((place.word, place.tag) for place in train)
    sentences = [_places(row) for row in opened.evaluation]

    def between(place: _Place) -> str:
        alone = by_word.get(place.word, OUTSIDE)
        return by_all.get(place[:3], by_neighbours.get((place.left, place.right), alone))

    truth = [[place.tag for place in sentence] for sentence in sentences]
    return {
        "word": opened.score(truth, [[by_word.get(place.word, OUTSIDE) for place in each] for each in sentences]),
        "word between neighbours": opened.score(truth, [[between(place) for place in each] for each in sentences]),
    }


def _text_floors(opened: Opened) -> dict[str, float]:
    model = opened.backbone.builder(0, 0, head="language")()
    written = opened.task.predict(model, opened.examples, opened.prepared, Runtime())
    texts, records = ([row[key] for row in opened.evaluation] for key in ("texts", "record"))
    return {
        "record": opened.score(texts, records),
        "frozen decoder": opened.task.score(written)[opened.task.metric],
    }


_FLOORS: Mapping[Head, Callable[[Opened], dict[str, float]]] = MappingProxyType(
    {"sequence": _class_floors, "token": _tag_floors, "language": _text_floors}
)


@torch.inference_mode()
def pooled(
    encoder: nn.Module, examples: Sequence[Example], collate: Callable[[Sequence[Example]], Batch]
) -> np.ndarray:
    """Pooled output per example, shape (examples, hidden size)."""
    parts = []
    for start in range(0, len(examples), 64):
        inputs = {name: value for name, value in collate(examples[start : start + 64]).items() if name != "labels"}
        parts.append(encoder(**inputs).pooler_output)
    return torch.cat(parts).numpy()


def render(conditions: Mapping[str, Mapping[str, Any]], results: Sequence[Result], materials: Materials) -> str:
    """Tables of the floors, with the mean of full fine-tuning beside them where there are results of it.

    Args:
        conditions: task -> its cells' conditions.
        results: of any tasks and methods.
        materials: as for `floors`.
    """
    tables = []
    for _, names in groupby(conditions, key=lambda name: registry.task(name).head):
        found = {name: floors(name, materials, conditions[name]) for name in names}
        rows = [
            [registry.task(name).title, *(f"{score:.1f}" for score in of_task.values()), _full(name, results)]
            for name, of_task in found.items()
        ]
        headers = ("task", *next(iter(found.values())), "full fine-tuning")
        tables.append(tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True))
    return "\n\n".join(tables)


def _full(task: str, results: Sequence[Result]) -> str:
    tuned = [result.score for result in results if (result.task, result.method) == (task, "full")]
    scores = [score for score in tuned if score is not None]
    return f"{mean(scores):.1f} (n={len(scores)})" if scores else "-"


def _regression(task: Task) -> LogisticRegression | Ridge:
    return Ridge() if task.num_labels == 1 else LogisticRegression(max_iter=2000)


def _texts(row: Row) -> list[str]:
    return [value for value in row.values() if isinstance(value, str)]


def _together(rows: Sequence[Row]) -> list[str]:
    return [" ".join(_texts(row)) for row in rows]


def _apart(rows: Sequence[Row]) -> list[str]:
    return [" ".join(f"{i}:{word}" for i, text in enumerate(_texts(row)) for word in text.split()) for row in rows]


def _places(row: Row) -> list[_Place]:
    words = row["tokens"].split(" ")
    return [_Place(*place) for place in zip(["", *words[:-1]], words, [*words[1:], ""], row["tags"], strict=True)]


def _most_frequent(seen: Iterable[tuple[Hashable, str]]) -> dict[Hashable, str]:
    counts: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    for place, tag in seen:
        counts[place][tag] += 1
    return {place: tags.most_common(1)[0][0] for place, tags in counts.items()}
