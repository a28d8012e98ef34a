"""The input and the output of a training method: `Problem` and `Outcome`.

A `Problem` holds no evaluation data, so that a method cannot use any. The caller may pass an observer, which a method
calls at the end of every epoch and which returns nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from autolora.compute.runtime import Runtime

Example = Mapping[str, Any]
"""One training example after tokenisation: `input_ids`, `labels`, and the model's other arguments."""

Batch = Mapping[str, Any]
"""Collated examples, keyed by the model's argument names: tensors of shape (batch, ...), and whatever else it takes."""


Targets = Sequence[str] | str
"""As PEFT's `LoraConfig.target_modules`: ends of names (`("q_proj", "mlp.down_proj")`), a regular expression for full
names, or "all-linear"."""


TrainingLoss = Callable[[nn.Module, Batch], Tensor]
"""Model and batch -> training loss, a scalar: the mean over the batch's examples."""


LossDenominator = Callable[[Batch], float]
"""Batch -> what its loss is the mean over, such as the number of its examples; a loss that is a sum has 1 for all."""


Score = Callable[[nn.Module, Sequence[Example]], float]
"""Model and training examples -> the task's metric, larger is better."""


def model_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss that a Hugging Face model computes from its labels, a scalar; the mean over the batch."""
    loss: Tensor = model(**batch).loss
    return loss


def keep_head(model: nn.Module, examples: Sequence[Example]) -> None:
    """The default `fit_head`: the head keeps the values that `build_model` gave it."""


def ignore(model: nn.Module, epoch: int) -> None:
    """The default observer: does nothing."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One model to adapt to one training set, with one seed."""

    build_model: Callable[[], nn.Module]
    """Returns a fresh pretrained model, on the CPU, with the same weights (head included) at every call."""
    train: Sequence[Example]
    """All training examples. They are batched by length: that of `input_ids`, or else of their first sequence."""
    collate: Callable[[Sequence[Example]], Batch]
    """Pads examples to their longest and stacks them."""
    loss: TrainingLoss = model_loss
    """Training loss of one batch, a scalar: the mean over its examples."""
    loss_denominator: LossDenominator | None = None
    """What `loss` is the mean over, by which micro-batches and the parts of several processes are weighted: the loss of
    a batch is the sum of its parts' losses, each times its denominator over the batch's. Needed there for a loss of
    one's own; None finds it for the loss of a Hugging Face model."""
    head: tuple[str, ...] | None = None
    """Names of the modules of the new output head, which every method trains in full: their last names, or longer ends
    of their full names. () if the head is pretrained; None finds what the checkpoint lacks
    (`autolora.adapters.head.find_head` says how, and what must be named)."""
    fit_head: Callable[[nn.Module, Sequence[Example]], None] = keep_head
    """Gives a newly built model's head its initial values from the examples that it is going to be trained on (a linear
    probe, for example); must change nothing else and no random state."""
    targets: Targets | None = None
    """The linear layers to adapt, one rank each; None: query and value projections, found by the model's architecture.
    "all-linear" excludes output embeddings, and nothing selects a module of the head."""
    strata: Sequence[int] | None = None
    """One stratum per training example (its label, or a bin of its score) for stratified splits; None: a single one."""
    groups: Sequence[int] | None = None
    """One group per training example; a split keeps the examples of a group together. None: no groups."""
    ranks: Mapping[str, int] | None = None
    """Projection -> rank found by an earlier search, for methods that start from given ranks."""
    seed: int = 0
    """Decides data order, dropout, splits and the initial values of everything that a method adds."""
    observe: Callable[[nn.Module, int], None] = ignore
    """Called with the model and the number of epochs done; must not change the model or any random state."""
    score: Score | None = None
    """The task's metric, for methods that select among models."""
    runtime: Runtime = field(default_factory=Runtime)
    """Device, precision and other choices of how it is computed."""

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train is empty: there is nothing to learn from")
        if self.strata is not None and len(self.strata) != len(self.train):
            raise ValueError(f"strata must name one stratum per example: {len(self.strata)} for {len(self.train)}")
        if self.groups is not None and len(self.groups) != len(self.train):
            raise ValueError(f"groups must name one group per example: {len(self.groups)} for {len(self.train)}")

    @property
    def all_strata(self) -> Sequence[int]:
        """One stratum per training example; 0 for all if `strata` is None."""
        return [0] * len(self.train) if self.strata is None else self.strata

    def examples(self, indices: Iterable[int]) -> list[Example]:
        """The training examples at these indices."""
        return [self.train[index] for index in indices]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a training method."""

    model: nn.Module
    """The adapted model, ready for evaluation."""
    seconds: Mapping[str, float]
    """Wall-clock seconds of each stage ("train", "search"): optimisation steps only, no loading or evaluation."""
    ranks: Mapping[str, int] | None = None
    """Projection -> rank; None if the method has no ranks."""
    trainable_parameters: int
    """Number of parameters that the method trains, without the head."""
    head_parameters: int
    """Number of trained parameters of the output head."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further JSON values that are stored with the result."""
