"""The contract between tasks, methods and the rest of the benchmark.

A task is one file in `benchmarks/tasks/`, or in its folder `questions/`, that ends in `TASK = ...`; a method is one file
in `baselines/` or `benchmarks/methods/` that ends in `METHOD = ...`, a frozen dataclass whose fields are its settings. The
file's name is the task's or the method's name everywhere (underscores in files, hyphens on the command line). Any change
that affects results raises the `version` of the task or method.
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
"""Head of a task: "sequence" classifies the whole input, "token" every token, "language" is the language model's own."""


class InputError(Exception):
    """The user's input is invalid. The message names the value, the rule and a remedy."""


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """The rows of one data set, from any source."""

    splits: Mapping[str, Sequence[Row]]
    """"train" and the task's evaluation splits, by the Hub's names ("validation", "validation_matched")."""
    fingerprint: str
    """sha256 over the rows of all splits, in order."""
    source: str
    """Where the rows come from: "embedded", "hub nyu-mll/glue@REVISION", "tsv FOLDER_NAME"."""
    partial: tuple[str, ...] = ()
    """Splits of which only a sample is available."""
    notes: tuple[str, ...] = ()
    """Sentences that qualify the results, such as row counts that differ from the paper's."""
    published_rows: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of rows according to the paper (Table 6); empty where the paper gives none."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A task's data, tokenised for one backbone."""

    train: Sequence["Example"]
    strata: Sequence[int]
    """Label, or bin of the score, of each training example."""
    groups: Sequence[int] | None = None
    """Index of the input that each training example was made from, where examples share inputs; train/valid splits keep
    the examples of one input together."""
    evaluation: Mapping[str, Sequence["Example"]]
    """Evaluation split -> examples, in the order of the data; the headline split comes first."""
    collate: Callable[[Sequence["Example"]], "Batch"]
    decode: Callable[[Sequence[int]], str] | None = None
    """Tokens -> text, for text generation; else None."""
    notes: tuple[str, ...] = ()
    """Sentences that qualify the results, such as how many examples were cut."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Labels and predictions of one evaluation split, in the order of the data."""

    labels: Sequence[Any]
    """Per example a class, a score, the index of a choice, an answer or a list of tags; for text generation, all reference
    texts of a record."""
    predictions: Sequence[Any]
    """Per example the predicted class, score, index, answer or tags; for text generation, the generated text of a
    record."""
    scores: Sequence[Sequence[float]]
    """Logits per example; for tags, the logits of the predicted tags only; log-likelihoods of the choices, for multiple
    choice; empty where texts are generated."""
    parts: Sequence[str] = ()
    """Part of the split that each example belongs to, where parts are also scored separately; else empty."""
    characters: Sequence[Sequence[int]] = ()
    """Per example the number of characters of each choice, for multiple choice; else empty."""
    texts: Sequence[str] = ()
    """Per example the generated text in which the answer was looked for; else empty."""


class Task(Protocol):
    """A data set with its metric. The classes are in `tasks/families/`, the instances in `tasks/`."""

    version: int
    title: str
    """As the paper's tables print it: "SST-2"."""
    metric: str
    """Name of the headline metric, one of those that `score` returns."""
    evaluation_splits: tuple[str, ...]
    """Splits that are scored; the first one is the headline."""
    num_labels: int
    """Number of outputs of the head; 1 means regression, 0 no new head."""
    head: Head

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder; `partial` accepts samples of splits. Raises InputError."""
        ...

    def prepare(self, data: TaskData, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> Prepared:
        """Tokenise all splits, truncating to max_length tokens."""
        ...

    def predict(
        self, model: "nn.Module", examples: Sequence["Example"], prepared: Prepared, runtime: "Runtime"
    ) -> Prediction:
        """Run the model over examples in evaluation mode; restores its mode and leaves random states unchanged."""
        ...

    def score(self, prediction: Prediction) -> dict[str, float]:
        """Compute metric name -> value, on the paper's scale (0 to 100, or -100 to 100 for correlations)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A method that is another method with some settings changed: `METHOD = Variant(...)` in `methods/`.

    Its settings are those of the other method (from presets and the command line), then `changes`, then its own.
    """

    of: str
    """Name of the other method."""
    title: str
    changes: Mapping[str, Any]


class Method(Protocol):
    """A way to adapt a model: a frozen dataclass whose fields can be set by presets and the command line.

    An optional class variable `needs` names a method whose cell of the same task and seed is run first. The problem
    then contains the ranks that cell found, and settings that both methods have default to those of the needed method.
    """

    version: ClassVar[int]
    title: ClassVar[str]
    """As the paper's tables print it: "AdaLoRA"."""

    def train(self, problem: "Problem") -> "Outcome":
        """Adapt a fresh model to the problem's training set."""
        ...

    def work(self, examples: int) -> float:
        """Estimated training time on a number of examples, in units of LoRA's training time per example."""
        ...
