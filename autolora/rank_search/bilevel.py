"""One step of the bilevel problem, and its hypergradient: the data that engines take and return.

The letters are those of `autolora.rank_search.hypergradient`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

Loss = Callable[[Sequence[Tensor]], Tensor]
"""Inner weights w -> a scalar loss, at the current selection logits."""

Eta = float | Tensor
"""A number; or a scalar tensor whose value is never read on the CPU, so that a recorded pass can be replayed with other
values."""


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """One step of the bilevel problem: two losses on one batch each, and the point at which they are evaluated."""

    train_loss: Loss | Sequence[Loss]
    """L_tr on a batch of D_tr; or micro-batch losses that add up to it, of which only one is in memory at a time. The
    mixed product is bilinear in L_tr and v, so gradients are summed over the micro-batches before they are used."""
    valid_loss: Loss | Sequence[Loss]
    """L_val on a batch of D_val, likewise."""
    weights: Sequence[Tensor]
    """w: inner weights, which require gradients."""
    logits: Sequence[Tensor]
    """beta: selection logits, one vector per layer, which require gradients."""
    advance: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None
    """Train gradient -> w', for a look-ahead by an optimizer's step instead of Eq. 4's gradient step of size eta.
    The mixed derivative is then taken at w' as well, as betty does."""
    recompute: bool = False
    """Recompute the train pass for the mixed derivative, instead of keeping its graph until v is known; required if
    L_tr consists of micro-batches or uses gradient checkpointing."""
    all_reduce: Callable[[Sequence[Tensor]], list[Tensor]] = list
    """Sums tensors over the processes, each of which computes its own parts of L_tr and L_val; by default there is one
    process. Averaging the processes' hypergradients instead would be wrong: it leaves out the products of one process's
    train loss with another process's v."""


@dataclass(frozen=True, kw_only=True)
class Hypergradient:
    """dF/dbeta in its parts; every list holds one tensor per layer or weight, in the problem's order."""

    direct: list[Tensor]
    """Direct term, shapes of the logits."""
    second_order: list[Tensor] | None
    """Mixed derivative times v, without eta; None if it was not computed (eta = 0)."""
    eta: Eta
    train_gradient: list[Tensor]
    """grad_w L_tr(w, beta), shapes of the weights."""
    valid_gradient: list[Tensor]
    """v = grad_w' L_val(w', beta), shapes of the weights."""
    train_loss: Tensor
    """L_tr(w, beta), a scalar."""
    valid_loss: Tensor
    """L_val(w', beta), a scalar."""

    @property
    def total(self) -> list[Tensor]:
        """dF/dbeta, shapes of the logits."""
        if self.second_order is None:
            return self.direct
        return list(torch._foreach_sub(self.direct, torch._foreach_mul(self.second_order, self.eta)))  # noqa: SLF001

    @property
    def direct_norm(self) -> float:
        """||direct term||, over all layers."""
        return global_norm(self.direct)

    @property
    def second_order_norm(self) -> float:
        """||second-order term|| without eta, over all layers; 0 if it was not computed."""
        return 0.0 if self.second_order is None else global_norm(self.second_order)

    @property
    def second_order_share(self) -> float:
        """||eta * second-order term|| / ||direct term||; 0 at eta = 0, infinite if the direct term is 0."""
        if self.second_order is None:
            return 0.0
        return float(self.eta) * self.second_order_norm / self.direct_norm if self.direct_norm else float("inf")

    @property
    def tensors(self) -> list[Tensor]:
        """All fields but eta as one list of tensors, for `of_tensors`."""
        second_order = self.second_order or []
        losses = [self.train_loss, self.valid_loss]
        return [*losses, *self.train_gradient, *self.valid_gradient, *self.direct, *second_order]

    @classmethod
    def of_tensors(cls, tensors: Sequence[Tensor], eta: Eta, *, weights: int, layers: int) -> "Hypergradient":
        """The hypergradient whose `tensors` these are. Args: weights, layers: their numbers."""
        remaining = iter(tensors)
        return cls(
            train_loss=next(remaining),
            valid_loss=next(remaining),
            train_gradient=list(islice(remaining, weights)),
            valid_gradient=list(islice(remaining, weights)),
            direct=list(islice(remaining, layers)),
            second_order=list(remaining) or None,
            eta=eta,
        )


def global_norm(tensors: Sequence[Tensor]) -> float:
    """Euclidean norm of all tensors together."""
    return float(torch.nn.utils.get_total_norm(tensors))
