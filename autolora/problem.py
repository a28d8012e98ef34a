"""What a training method is given, and what it hands back.

A `Problem` holds no evaluation data: a method cannot peek. The caller may pass an observer, which a method
calls at the end of every epoch and can never read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from autolora.compute.runtime import Runtime

Example = Mapping[str, Any]
"""One training example after tokenisation: `input_ids`, `labels`, and whatever else the model takes."""

Batch = Mapping[str, Tensor]
"""Collated examples: tensors of shape (batch, ...), keyed by the model's argument names."""


TrainingLoss = Callable[[nn.Module, Batch], Tensor]
"""Model and batch -> training loss, a scalar: the mean over the batch's examples."""


def model_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss that a Hugging Face model computes from its labels, a scalar; the mean over the batch."""
    loss: Tensor = model(**batch).loss
    return loss


def ignore(model: nn.Module, epoch: int) -> None:
    """The observer that looks at nothing."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One model to adapt to one training set, from one seed."""

    build_model: Callable[[], nn.Module]
    """Returns a fresh pretrained model, on the CPU, with the same weights (head included) at every call."""
    train: Sequence[Example]
    """All training examples. Each has `input_ids`, whose length decides the batch that the example goes into."""
    collate: Callable[[Sequence[Example]], Batch]
    """Pads examples to their longest and stacks them."""
    loss: TrainingLoss = model_loss
    """Training loss of one batch, a scalar: the mean over its examples."""
    head: tuple[str, ...] = ("classifier", "score")
    """Last names of the modules that every method trains in full: the new output head."""
    targets: tuple[str, str] | None = None
    """Last names of the query and the value projection; None finds them by the model's architecture."""
    strata: Sequence[int] | None = None
    """One stratum per training example (its label, or a bin of its score) for stratified splits; None: one for all."""
    groups: Sequence[int] | None = None
    """One group per training example; a split keeps the examples of a group together. None: it keeps none together."""
    ranks: Mapping[str, int] | None = None
    """Projection -> rank that a search found before, for methods that start from one."""
    seed: int = 0
    """Decides data order, dropout, splits and the initial values of everything that a method adds."""
    observe: Callable[[nn.Module, int], None] = ignore
    """Called with the model and the number of epochs done; leaves the model and all random states as they were."""
    score: Callable[[nn.Module, Sequence[Example]], float] | None = None
    """The task's metric of a model on a part of the training examples, larger is better: for methods that choose
    between models."""
    runtime: Runtime = field(default_factory=Runtime)
    """Where and how it is computed."""

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train is empty: there is nothing to learn from")
        if self.strata is not None and len(self.strata) != len(self.train):
            raise ValueError(f"strata must name one stratum per example: {len(self.strata)} for {len(self.train)}")
        if self.groups is not None and len(self.groups) != len(self.train):
            raise ValueError(f"groups must name one group per example: {len(self.groups)} for {len(self.train)}")

    @property
    def all_strata(self) -> Sequence[int]:
        """One stratum per training example, whether they were named or not."""
        return [0] * len(self.train) if self.strata is None else self.strata

    def examples(self, indices: Iterable[int]) -> list[Example]:
        """Training examples by their places."""
        return [self.train[index] for index in indices]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a method hands back."""

    model: nn.Module
    """The adapted model; evaluated as it is."""
    seconds: Mapping[str, float]
    """Wall-clock seconds of each stage ("train", "search"): optimisation steps only, no loading or evaluation."""
    ranks: Mapping[str, int] | None = None
    """Rank per adapted projection, where the method has such a thing."""
    trainable_parameters: int
    """Parameters that the method trains, head left out."""
    head_parameters: int
    """Parameters of the output head."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else is worth keeping in the result: JSON values."""
