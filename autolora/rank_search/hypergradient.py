"""The gradient of the validation loss, one look-ahead step on, by the selection logits (Eq. 4 and 5).

With w all inner weights (LoRA's U and V, the head), beta the selection logits, and the look-ahead step
w'(beta) = w - eta * grad_w L_tr(w, beta), the objective F(beta) = L_val(w'(beta), beta) has the gradient

    dF/dbeta = d/dbeta L_val(w', beta)  -  eta * [d^2 L_tr(w, beta) / (dbeta dw)] v,    v = grad_w' L_val(w', beta)
               (direct term)                      (second-order term)

The mixed derivative is taken at w, v at w'. The engines differ in how they get the mixed derivative times v:
`exact` by backward through the train gradient, `finite_difference` from train gradients at weights moved along v.
Every pass over the train batch sees the same dropout masks: they are passes of one function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import MappingProxyType

import torch
from torch import Tensor

from autolora.compute.random_state import RandomState

Loss = Callable[[Sequence[Tensor]], Tensor]
"""Inner weights w -> a scalar loss, at the current selection logits."""

Eta = float | Tensor
"""A number; or a scalar tensor, which is not looked into: for passes that are recorded once and replayed with others."""

RADIUS = 0.01
"""Finite differences move the weights by this distance along v, as DARTS and betty's `darts` do."""


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """One step of the bilevel problem: two losses on one batch each, and where they are taken."""

    train_loss: Loss | Sequence[Loss]
    """L_tr on a batch of D_tr; or parts that add up to it, of which one at a time is in memory. The mixed product is
    linear in L_tr and in v: gradients are summed over the parts before anything is made of them."""
    valid_loss: Loss | Sequence[Loss]
    """L_val on a batch of D_val, likewise."""
    weights: Sequence[Tensor]
    """w: inner weights, which require gradients."""
    logits: Sequence[Tensor]
    """beta: selection logits, one vector per layer, which require gradients."""
    advance: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None
    """Train gradient -> w', for a look-ahead that is not Eq. 4's gradient step of size eta but an optimizer's step.
    The mixed derivative is then taken at w' as well, as betty does."""
    recompute: bool = False
    """Take the train pass again for the mixed derivative, instead of keeping it until v is known: it is needed where
    L_tr comes in parts, or forgets its activations."""
    all_reduce: Callable[[Sequence[Tensor]], list[Tensor]] = list
    """Sums tensors over the processes that have parts of L_tr and L_val, each its own; alone there is nothing to add.
    The mean of the processes' hypergradients is another number: its products have parts of one process alone."""


@dataclass(frozen=True, kw_only=True)
class Hypergradient:
    """dF/dbeta in its parts; every list holds one tensor per layer or weight, in the problem's order."""

    direct: list[Tensor]
    """Direct term, shapes of the logits."""
    second_order: list[Tensor] | None
    """Mixed derivative times v, without eta; None where it was not computed (eta = 0)."""
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
        """||second-order term|| without eta, over all layers; 0 where it was not computed."""
        return 0.0 if self.second_order is None else global_norm(self.second_order)

    @property
    def second_order_share(self) -> float:
        """||eta * second-order term|| / ||direct term||; 0 at eta = 0, infinite without a direct term."""
        if self.second_order is None:
            return 0.0
        return float(self.eta) * self.second_order_norm / self.direct_norm if self.direct_norm else float("inf")

    @property
    def tensors(self) -> list[Tensor]:
        """All of it but eta in one list, for `of_tensors`."""
        second_order = self.second_order or []
        losses = [self.train_loss, self.valid_loss]
        return [*losses, *self.train_gradient, *self.valid_gradient, *self.direct, *second_order]

    @classmethod
    def of_tensors(cls, tensors: Sequence[Tensor], eta: Eta, *, weights: int, layers: int) -> "Hypergradient":
        """What gave these `tensors`. Args: weights, layers: how many there are."""
        left = iter(tensors)
        return cls(
            train_loss=next(left),
            valid_loss=next(left),
            train_gradient=list(islice(left, weights)),
            valid_gradient=list(islice(left, weights)),
            direct=list(islice(left, layers)),
            second_order=list(left) or None,
            eta=eta,
        )


Engine = Callable[[Bilevel, Eta], Hypergradient]
"""Problem and eta -> hypergradient."""


def exact(problem: Bilevel, eta: Eta) -> Hypergradient:
    """Both terms, the second one by backward through the train gradient.

    At eta = 0 ("AutoLoRA (eta = 0)" of Table 4) the look-ahead stays at w and the second-order term is left out,
    whatever the engine.

    Args:
        problem: losses, weights and logits. The train loss must be twice differentiable: eager attention.
        eta: weight of the second-order term, and step size of the look-ahead unless the problem has one of its own.
    """
    kept = not _zero(eta) and not problem.advance and not problem.recompute
    train = _TrainPass.start(problem, differentiable=kept, repeatable=not kept and not _zero(eta))
    terms = _Terms.ahead(problem, train, eta)
    if _zero(eta):
        return terms.hypergradient(eta, None)
    if kept:
        return terms.hypergradient(eta, _mixed_product(train.gradient, terms.valid_gradient, problem.logits))
    return terms.hypergradient(eta, train.mixed_product_at(terms.point, terms.valid_gradient))


def finite_difference(problem: Bilevel, eta: Eta, *, one_sided: bool = False, radius: float = RADIUS) -> Hypergradient:
    """Both terms, the second one from train gradients by the logits at weights moved along v.

    Args:
        problem: losses, weights and logits.
        eta: as in `exact`.
        one_sided: difference to the train gradient where v is applied (one pass more, error of order `radius`)
            instead of the central one (two passes more, error of order `radius` squared).
        radius: Euclidean distance that the weights are moved by.
    """
    start_counts = one_sided and not _zero(eta) and not problem.advance
    train = _TrainPass.start(problem, by_logits=start_counts)
    terms = _Terms.ahead(problem, train, eta)
    if _zero(eta):
        return terms.hypergradient(eta, None)
    norm = global_norm(terms.valid_gradient)
    step = radius / norm if norm else 0.0
    if not step:
        return terms.hypergradient(eta, [torch.zeros_like(logits) for logits in problem.logits])
    above = train.slope_at(_moved(terms.point, terms.valid_gradient, step))
    if not one_sided:
        below, width = train.slope_at(_moved(terms.point, terms.valid_gradient, -step)), 2 * step
    else:
        below, width = train.slope if start_counts else train.slope_at(terms.point), step
    return terms.hypergradient(eta, [(high - low) / width for high, low in zip(above, below, strict=True)])


def first_order(problem: Bilevel, eta: Eta) -> Hypergradient:
    """The direct term alone, at the look-ahead of step size eta."""
    return _Terms.ahead(problem, _TrainPass.start(problem, repeatable=False), eta).hypergradient(eta, None)


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "exact": exact,
        "finite-difference": finite_difference,
        "finite-difference-one-sided": partial(finite_difference, one_sided=True),
        "first-order": first_order,
    }
)
"""Name -> engine."""


@dataclass(frozen=True, kw_only=True)
class _TrainPass:
    """The train loss and its gradient at w, and what it takes to repeat the pass elsewhere with the same masks."""

    problem: Bilevel
    loss: Tensor
    gradient: Sequence[Tensor]
    slope: Sequence[Tensor]
    """Gradient by the logits; empty where it was not asked for."""
    parts: Sequence[tuple[Loss, RandomState]]
    """Of the loss, each with the random state that its pass began with; none where it is not to be repeated."""

    @classmethod
    def start(
        cls, problem: Bilevel, *, differentiable: bool = False, by_logits: bool = False, repeatable: bool = True
    ) -> "_TrainPass":
        """One pass at the problem's weights."""
        inputs = [*problem.weights, *(problem.logits if by_logits else ())]
        parts, losses, gradients = [], [], []
        for part in _parts(problem.train_loss):
            if repeatable:
                parts.append((part, RandomState.now(problem.weights[0].device)))
            losses.append(part(problem.weights))
            gradients.append(_gradient(losses[-1], inputs, create_graph=differentiable))
        loss, *summed = problem.all_reduce([torch.stack(losses).sum(), *_sum(gradients)])
        weights = len(problem.weights)
        return cls(problem=problem, loss=loss, gradient=summed[:weights], slope=summed[weights:], parts=parts)

    def mixed_product_at(self, weights: Sequence[Tensor], v: Sequence[Tensor]) -> list[Tensor]:
        """The mixed derivative times v at other weights, or once more at the problem's own."""

        def product(part: Loss, random_state: RandomState) -> list[Tensor]:
            with random_state.again():
                gradient = _gradient(part(weights), weights, create_graph=True)
                return _mixed_product(gradient, v, self.problem.logits)

        return self.problem.all_reduce(_sum([product(part, random_state) for part, random_state in self.parts]))

    def slope_at(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """The train gradient by the logits at other weights."""

        def slope(part: Loss, random_state: RandomState) -> Sequence[Tensor]:
            with random_state.again():
                return _gradient(part(weights), self.problem.logits)

        return self.problem.all_reduce(_sum([slope(part, random_state) for part, random_state in self.parts]))


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What all engines compute alike: the look-ahead, and the validation loss with its gradients there."""

    train: _TrainPass
    point: Sequence[Tensor]
    """Where the mixed derivative is taken: w, or w' where the problem has a look-ahead of its own."""
    direct: Sequence[Tensor]
    valid_gradient: Sequence[Tensor]
    valid_loss: Tensor

    @classmethod
    def ahead(cls, problem: Bilevel, train: _TrainPass, eta: Eta) -> "_Terms":
        """Look ahead by a step of size eta, or by the problem's own step."""
        if problem.advance and not _zero(eta):
            ahead = [weight.detach().requires_grad_() for weight in problem.advance(train.gradient)]
        else:
            ahead = [weight.requires_grad_() for weight in _moved(problem.weights, train.gradient, -eta)]
        losses, gradients = [], []
        for part in _parts(problem.valid_loss):
            losses.append(part(ahead))
            gradients.append(_gradient(losses[-1], [*ahead, *problem.logits]))
        valid_loss, *summed = problem.all_reduce([torch.stack(losses).sum(), *_sum(gradients)])
        return cls(
            train=train,
            point=ahead if problem.advance else problem.weights,
            direct=summed[len(ahead) :],
            valid_gradient=summed[: len(ahead)],
            valid_loss=valid_loss,
        )

    def hypergradient(self, eta: Eta, second_order: list[Tensor] | None) -> Hypergradient:
        return Hypergradient(
            direct=list(self.direct),
            second_order=second_order,
            eta=eta,
            train_gradient=[gradient.detach() for gradient in self.train.gradient],
            valid_gradient=list(self.valid_gradient),
            train_loss=self.train.loss.detach(),
            valid_loss=self.valid_loss.detach(),
        )


def _parts(loss: Loss | Sequence[Loss]) -> Sequence[Loss]:
    return [loss] if callable(loss) else loss


def _gradient(loss: Tensor, inputs: Sequence[Tensor], *, create_graph: bool = False) -> Sequence[Tensor]:
    return torch.autograd.grad(loss, inputs, create_graph=create_graph, materialize_grads=True)


def _sum(lists: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Lists of tensors added up, tensor by tensor."""
    first, *others = lists
    return [sum(same, start) for start, *same in zip(first, *others, strict=True)] if others else list(first)


def _zero(eta: Eta) -> bool:
    """Whether eta is known to be 0."""
    return not isinstance(eta, Tensor) and eta == 0


def _moved(weights: Sequence[Tensor], direction: Sequence[Tensor], distance: Eta) -> list[Tensor]:
    """The weights, each moved along its direction; without a graph."""
    with torch.no_grad():
        return list(torch._foreach_add(list(weights), torch._foreach_mul(list(direction), distance)))  # noqa: SLF001  few kernels


def _mixed_product(train_gradient: Sequence[Tensor], v: Sequence[Tensor], logits: Sequence[Tensor]) -> list[Tensor]:
    """[d/dbeta grad_w L_tr] v = d/dbeta <grad_w L_tr, v>, with v held constant."""
    # A weight that the loss does not depend on has a zero gradient without a graph.
    pairs = [(gradient, by) for gradient, by in zip(train_gradient, v, strict=True) if gradient.requires_grad]
    outputs, by = [gradient for gradient, _ in pairs], [by for _, by in pairs]
    return list(torch.autograd.grad(outputs, logits, grad_outputs=by, materialize_grads=True))


def global_norm(tensors: Sequence[Tensor]) -> float:
    """Euclidean norm of all numbers in all tensors together."""
    return float(torch.nn.utils.get_total_norm(tensors))
