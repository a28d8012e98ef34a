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
from types import MappingProxyType

import torch
from torch import Tensor

from autolora.random_state import RandomState

Loss = Callable[[Sequence[Tensor]], Tensor]
"""Inner weights w -> a scalar loss, at the current selection logits."""

RADIUS = 0.01
"""Finite differences move the weights by this distance along v, as DARTS and betty's `darts` do."""


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """One step of the bilevel problem: two losses on one batch each, and where they are taken."""

    train_loss: Loss
    """L_tr on a batch of D_tr."""
    valid_loss: Loss
    """L_val on a batch of D_val."""
    weights: Sequence[Tensor]
    """w: inner weights, which require gradients."""
    logits: Sequence[Tensor]
    """beta: selection logits, one vector per layer, which require gradients."""
    advance: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None
    """Train gradient -> w', for a look-ahead that is not Eq. 4's gradient step of size eta but an optimizer's step.
    The mixed derivative is then taken at w' as well, as betty does."""


@dataclass(frozen=True, kw_only=True)
class Hypergradient:
    """dF/dbeta in its parts; every list holds one tensor per layer or weight, in the problem's order."""

    direct: list[Tensor]
    """Direct term, shapes of the logits."""
    second_order: list[Tensor] | None
    """Mixed derivative times v, without eta; None where it was not computed (eta = 0)."""
    eta: float
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
        return [direct - self.eta * second for direct, second in zip(self.direct, self.second_order, strict=True)]

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
        return self.eta * self.second_order_norm / self.direct_norm if self.direct_norm else float("inf")


Engine = Callable[[Bilevel, float], Hypergradient]
"""Problem and eta -> hypergradient."""


def exact(problem: Bilevel, eta: float) -> Hypergradient:
    """Both terms, the second one by backward through the train gradient.

    At eta = 0 ("AutoLoRA (eta = 0)" of Table 4) the look-ahead stays at w and the second-order term is left out,
    whatever the engine.

    Args:
        problem: losses, weights and logits. The train loss must be twice differentiable: eager attention.
        eta: weight of the second-order term, and step size of the look-ahead unless the problem has one of its own.
    """
    at_start = eta != 0 and not problem.advance
    train = _TrainPass.start(problem, differentiable=at_start)
    terms = _Terms.ahead(problem, train, eta)
    if eta == 0:
        return terms.hypergradient(eta, None)
    gradient = train.gradient if at_start else train.gradient_at(terms.point, differentiable=True)
    return terms.hypergradient(eta, _mixed_product(gradient, terms.valid_gradient, problem.logits))


def finite_difference(
    problem: Bilevel, eta: float, *, one_sided: bool = False, radius: float = RADIUS
) -> Hypergradient:
    """Both terms, the second one from train gradients by the logits at weights moved along v.

    Args:
        problem: losses, weights and logits.
        eta: as in `exact`.
        one_sided: difference to the train gradient where v is applied (one pass more, error of order `radius`)
            instead of the central one (two passes more, error of order `radius` squared).
        radius: Euclidean distance that the weights are moved by.
    """
    start_counts = one_sided and eta != 0 and not problem.advance
    train = _TrainPass.start(problem, by_logits=start_counts)
    terms = _Terms.ahead(problem, train, eta)
    if eta == 0:
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


def first_order(problem: Bilevel, eta: float) -> Hypergradient:
    """The direct term alone, at the look-ahead of step size eta."""
    return _Terms.ahead(problem, _TrainPass.start(problem), eta).hypergradient(eta, None)


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
    random_state: RandomState

    @classmethod
    def start(cls, problem: Bilevel, *, differentiable: bool = False, by_logits: bool = False) -> "_TrainPass":
        """One pass at the problem's weights."""
        random_state = RandomState.now(problem.weights[0].device)
        loss = problem.train_loss(problem.weights)
        inputs = [*problem.weights, *(problem.logits if by_logits else ())]
        gradients = torch.autograd.grad(loss, inputs, create_graph=differentiable, materialize_grads=True)
        weights = len(problem.weights)
        return cls(
            problem=problem,
            loss=loss,
            gradient=gradients[:weights],
            slope=gradients[weights:],
            random_state=random_state,
        )

    def gradient_at(self, weights: Sequence[Tensor], *, differentiable: bool) -> Sequence[Tensor]:
        """The train gradient by the weights at other weights."""
        with self.random_state.again():
            loss = self.problem.train_loss(weights)
        return torch.autograd.grad(loss, weights, create_graph=differentiable, materialize_grads=True)

    def slope_at(self, weights: Sequence[Tensor]) -> Sequence[Tensor]:
        """The train gradient by the logits at other weights."""
        with self.random_state.again():
            loss = self.problem.train_loss(weights)
        return torch.autograd.grad(loss, self.problem.logits, materialize_grads=True)


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
    def ahead(cls, problem: Bilevel, train: _TrainPass, eta: float) -> "_Terms":
        """Look ahead by a step of size eta, or by the problem's own step."""
        if problem.advance and eta:
            ahead = [weight.detach().requires_grad_() for weight in problem.advance(train.gradient)]
        else:
            ahead = [weight.requires_grad_() for weight in _moved(problem.weights, train.gradient, -eta)]
        valid_loss = problem.valid_loss(ahead)
        gradients = torch.autograd.grad(valid_loss, [*ahead, *problem.logits], materialize_grads=True)
        return cls(
            train=train,
            point=ahead if problem.advance else problem.weights,
            direct=gradients[len(ahead) :],
            valid_gradient=gradients[: len(ahead)],
            valid_loss=valid_loss,
        )

    def hypergradient(self, eta: float, second_order: list[Tensor] | None) -> Hypergradient:
        return Hypergradient(
            direct=list(self.direct),
            second_order=second_order,
            eta=eta,
            train_gradient=[gradient.detach() for gradient in self.train.gradient],
            valid_gradient=list(self.valid_gradient),
            train_loss=self.train.loss.detach(),
            valid_loss=self.valid_loss.detach(),
        )


def _moved(weights: Sequence[Tensor], direction: Sequence[Tensor], distance: float) -> list[Tensor]:
    """The weights, each moved along its direction; without a graph."""
    return [(weight + distance * along).detach() for weight, along in zip(weights, direction, strict=True)]


def _mixed_product(train_gradient: Sequence[Tensor], v: Sequence[Tensor], logits: Sequence[Tensor]) -> list[Tensor]:
    """[d/dbeta grad_w L_tr] v = d/dbeta <grad_w L_tr, v>, with v held constant."""
    # A weight that the loss does not depend on has a zero gradient without a graph.
    pairs = [(gradient, by) for gradient, by in zip(train_gradient, v, strict=True) if gradient.requires_grad]
    outputs, by = [gradient for gradient, _ in pairs], [by for _, by in pairs]
    return list(torch.autograd.grad(outputs, logits, grad_outputs=by, materialize_grads=True))


def global_norm(tensors: Sequence[Tensor]) -> float:
    """Euclidean norm of all numbers in all tensors together."""
    return float(torch.nn.utils.get_total_norm(tensors))
