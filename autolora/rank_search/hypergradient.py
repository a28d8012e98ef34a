"""The gradient of the validation loss after one look-ahead step, with respect to the selection logits (Eq. 4 and 5).

With w all inner weights (LoRA's U and V, the head), beta the selection logits, and the look-ahead step
w'(beta) = w - eta * grad_w L_tr(w, beta), the objective F(beta) = L_val(w'(beta), beta) has the gradient

    dF/dbeta = d/dbeta L_val(w', beta)  -  eta * [d^2 L_tr(w, beta) / (dbeta dw)] v,    v = grad_w' L_val(w', beta)
               (direct term)                      (second-order term)

The mixed derivative is taken at w, v at w'. The engines differ in how they compute the mixed derivative times v:
`exact` by backward through the train gradient, `finite_difference` from train gradients at weights moved along v.
All passes over the train batch use the same dropout masks, so that they evaluate the same function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from autolora.compute.random_state import RandomState
from autolora.rank_search.bilevel import Bilevel, Eta, Hypergradient, Loss, global_norm

RADIUS = 0.01
"""Euclidean distance by which finite differences move the weights along v, as in DARTS and betty's `darts`."""


Engine = Callable[[Bilevel, Eta], Hypergradient]
"""Problem and eta -> hypergradient."""


def exact(problem: Bilevel, eta: Eta) -> Hypergradient:
    """Both terms, the second-order term by backward through the train gradient.

    At eta = 0 ("AutoLoRA (eta = 0)" of Table 4) every engine looks ahead to w itself and leaves out the second-order
    term.

    Args:
        problem: losses, weights and logits. The train loss must be twice differentiable, which needs eager attention.
        eta: weight of the second-order term, and step size of the look-ahead unless the problem has `advance`.
    """
    keep_graph = not _is_zero(eta) and not problem.advance and not problem.recompute
    train = _TrainPass.start(problem, differentiable=keep_graph, repeatable=not keep_graph and not _is_zero(eta))
    terms = _Terms.ahead(problem, train, eta)
    if _is_zero(eta):
        return terms.hypergradient(eta, None)
    if keep_graph:
        return terms.hypergradient(eta, _mixed_product(train.gradient, terms.valid_gradient, problem.logits))
    return terms.hypergradient(eta, train.mixed_product_at(terms.point, terms.valid_gradient))


def finite_difference(problem: Bilevel, eta: Eta, *, one_sided: bool = False, radius: float = RADIUS) -> Hypergradient:
    """Both terms, the second-order term from the gradients of the train loss by the logits at weights moved along v.

    Args:
        problem: losses, weights and logits.
        eta: as in `exact`.
        one_sided: a forward difference (one additional pass, error of order `radius`) instead of the central difference
            (two additional passes, error of order `radius` squared).
        radius: Euclidean distance by which the weights are moved.
    """
    reuse_start = one_sided and not _is_zero(eta) and not problem.advance
    train = _TrainPass.start(problem, by_logits=reuse_start)
    terms = _Terms.ahead(problem, train, eta)
    if _is_zero(eta):
        return terms.hypergradient(eta, None)
    norm = global_norm(terms.valid_gradient)
    step = radius / norm if norm else 0.0
    if not step:
        return terms.hypergradient(eta, [torch.zeros_like(logits) for logits in problem.logits])
    above = train.logits_gradient_at(_moved(terms.point, terms.valid_gradient, step))
    if not one_sided:
        below, width = train.logits_gradient_at(_moved(terms.point, terms.valid_gradient, -step)), 2 * step
    else:
        below, width = train.logits_gradient if reuse_start else train.logits_gradient_at(terms.point), step
    return terms.hypergradient(eta, [(high - low) / width for high, low in zip(above, below, strict=True)])


def first_order(problem: Bilevel, eta: Eta) -> Hypergradient:
    """The direct term only, at the look-ahead of step size eta."""
    return _Terms.ahead(problem, _TrainPass.start(problem, repeatable=False), eta).hypergradient(eta, None)


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "exact": exact,
        "finite-difference": finite_difference,
        "finite-difference-one-sided": partial(finite_difference, one_sided=True),
        "first-order": first_order,
    }
)
"""Engine name -> engine."""


@dataclass(frozen=True, kw_only=True)
class _TrainPass:
    """The train loss and its gradient at w, and the means to repeat the pass at other weights with the same masks."""

    problem: Bilevel
    loss: Tensor
    gradient: Sequence[Tensor]
    logits_gradient: Sequence[Tensor]
    """Gradient by the logits; empty unless requested."""
    parts: Sequence[tuple[Loss, RandomState]]
    """Micro-batch losses, each with the random state before its pass; empty if the pass is not to be repeated."""

    @classmethod
    def start(
        cls, problem: Bilevel, *, differentiable: bool = False, by_logits: bool = False, repeatable: bool = True
    ) -> "_TrainPass":
        """Run the pass at the problem's weights."""
        inputs = [*problem.weights, *(problem.logits if by_logits else ())]
        parts, losses, gradients = [], [], []
        for part in _parts(problem.train_loss):
            if repeatable:
                parts.append((part, RandomState.now(problem.weights[0].device)))
            losses.append(part(problem.weights))
            gradients.append(_gradient(losses[-1], inputs, create_graph=differentiable))
        loss, *summed = problem.all_reduce([torch.stack(losses).sum(), *_sum(gradients)])
        weights = len(problem.weights)
        return cls(problem=problem, loss=loss, gradient=summed[:weights], logits_gradient=summed[weights:], parts=parts)

    def mixed_product_at(self, weights: Sequence[Tensor], v: Sequence[Tensor]) -> list[Tensor]:
        """The mixed derivative times v at the given weights, from a repeated pass."""

        def product(part: Loss, random_state: RandomState) -> list[Tensor]:
            with random_state.replay():
                gradient = _gradient(part(weights), weights, create_graph=True)
                return _mixed_product(gradient, v, self.problem.logits)

        return self.problem.all_reduce(_sum([product(part, random_state) for part, random_state in self.parts]))

    def logits_gradient_at(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """The gradient of the train loss by the logits at the given weights."""

        def gradient(part: Loss, random_state: RandomState) -> Sequence[Tensor]:
            with random_state.replay():
                return _gradient(part(weights), self.problem.logits)

        return self.problem.all_reduce(_sum([gradient(part, random_state) for part, random_state in self.parts]))


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """The terms that all engines share: the look-ahead, and the validation loss with its gradients there."""

    train: _TrainPass
    point: Sequence[Tensor]
    """The weights at which the mixed derivative is taken: w, or w' if the problem has `advance`."""
    direct: Sequence[Tensor]
    valid_gradient: Sequence[Tensor]
    valid_loss: Tensor

    @classmethod
    def ahead(cls, problem: Bilevel, train: _TrainPass, eta: Eta) -> "_Terms":
        """Look ahead by a gradient step of size eta, or by the problem's `advance`."""
        if problem.advance and not _is_zero(eta):
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
    """The elementwise sum of lists of tensors."""
    first, *others = lists
    return [sum(rest, start) for start, *rest in zip(first, *others, strict=True)] if others else list(first)


def _is_zero(eta: Eta) -> bool:
    """Whether eta is the number 0; a tensor counts as non-zero."""
    return not isinstance(eta, Tensor) and eta == 0


def _moved(weights: Sequence[Tensor], direction: Sequence[Tensor], distance: Eta) -> list[Tensor]:
    """The weights moved by distance * direction, without a graph."""
    with torch.no_grad():
        return list(torch._foreach_add(list(weights), torch._foreach_mul(list(direction), distance)))  # noqa: SLF001  launches few kernels


def _mixed_product(train_gradient: Sequence[Tensor], v: Sequence[Tensor], logits: Sequence[Tensor]) -> list[Tensor]:
    """[d/dbeta grad_w L_tr] v = d/dbeta <grad_w L_tr, v>, with v held constant."""
    # A weight that the loss does not depend on has a zero gradient without a graph.
    pairs = [(gradient, factor) for gradient, factor in zip(train_gradient, v, strict=True) if gradient.requires_grad]
    gradients, factors = [gradient for gradient, _ in pairs], [factor for _, factor in pairs]
    return list(torch.autograd.grad(gradients, logits, grad_outputs=factors, materialize_grads=True))
