"""The whole contract between tasks, methods and the rest of the benchmark.

A task is one file in `benchmarks/tasks/` that ends in `TASK = ...`; a method is one file in `baselines/` or
`benchmarks/methods/` that ends in `METHOD = ...`, a frozen dataclass whose fields are its settings. The file's
name is the name everywhere (underscores in files, hyphens on the command line). Anything that moves numbers
raises the task's or the method's `version`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:  # result files are read without torch
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from autolora.compute.runtime import Runtime
    from autolora.problem import Batch, Example, Outcome, Problem

Row = Mapping[str, Any]
"""One example in the Hub's schema of its data set: column name -> text, label index or score."""


Head = Literal["sequence", "token", "language"]
"""What a task's head reads: the whole input, or every token; or the model's own, which says the next token."""


class InputError(Exception):
    """The user's input is at fault. The message says what came, what the rule is, and what to do."""


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """The rows of one data set, from wherever they came."""

    splits: Mapping[str, Sequence[Row]]
    """"train" and the task's evaluation splits, by the Hub's names ("validation", "validation_matched")."""
    fingerprint: str
    """sha256 over the rows of all splits, in order."""
    source: str
    """Where the rows come from, in words: "embedded", "hub nyu-mll/glue@REVISION", "tsv FOLDER_NAME"."""
    partial: tuple[str, ...] = ()
    """Splits of which only a sample is at hand."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, in sentences: counts that differ from the paper's, and the like."""
    published_rows: Mapping[str, int] = field(default_factory=dict)
    """Split -> rows that the paper says it has (Table 6); empty where it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A task's data, tokenised for one backbone."""

    train: Sequence["Example"]
    strata: Sequence[int]
    """Per training example its label, or the bin of its score."""
    groups: Sequence[int] | None = None
    """Per training example the input that it was made from, where several have the same; a split keeps them together."""
    evaluation: Mapping[str, Sequence["Example"]]
    """Evaluation split -> examples, in the data's order; the headline split comes first."""
    collate: Callable[[Sequence["Example"]], "Batch"]
    decode: Callable[[Sequence[int]], str] | None = None
    """Tokens -> text, where a model writes."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model said about one split, in the data's order."""

    labels: Sequence[Any]
    """A class, a score, or a list of tags per example; of texts, all those of a record."""
    predictions: Sequence[Any]
    """Likewise."""
    scores: Sequence[Sequence[float]]
    """Logits per example; of tags those that were said; of texts none."""
    parts: Sequence[str] = ()
    """Per example the part of the split that it belongs to, where parts are scored apart too."""


class Task(Protocol):
    """A data set with its metric. `families/` has the classes, `tasks/` the instances."""

    version: int
    title: str
    """As the paper's tables print it: "SST-2"."""
    metric: str
    """Name of the headline metric among those `score` returns."""
    evaluation_splits: tuple[str, ...]
    """Splits that are scored; the first one is the headline."""
    num_labels: int
    """Outputs of the head; 1 is regression, 0 no new head."""
    head: Head

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder. Raises InputError; partial splits only if allowed."""
        ...

    def prepare(self, data: TaskData, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> Prepared:
        """Tokenise."""
        ...

    def predict(
        self, model: "nn.Module", examples: Sequence["Example"], prepared: Prepared, runtime: "Runtime"
    ) -> Prediction:
        """Run the model over examples in evaluation mode; restores the mode and uses no random numbers."""
        ...

    def score(self, prediction: Prediction) -> dict[str, float]:
        """Metric name -> value, on the paper's scale (0 to 100, or -100 to 100 for correlations)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Another method with some settings changed, as a method of its own; a file in `methods/` can end in one.

    It has the other method's settings, in presets and on the command line, then its changes, then its own settings.
    """

    of: str
    """The other method."""
    title: str
    changes: Mapping[str, Any]


class Method(Protocol):
    """A way to adapt a model. A frozen dataclass: its fields are what presets and the command line can set.

    A class variable `needs` names a method whose cell, of the same task and seed, comes before: the problem then has
    the ranks that it found, and settings of both methods are the other one's unless they are given.
    """

    version: ClassVar[int]
    title: ClassVar[str]
    """As the paper's tables print it: "AdaLoRA"."""

    def train(self, problem: "Problem") -> "Outcome":
        """Adapt a fresh model to the problem's training set."""
        ...

    def work(self, examples: int) -> float:
        """Training time on so many examples, in the time that LoRA takes for one; roughly, for estimates only."""
        ...
