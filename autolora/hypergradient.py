"""The gradient of the validation loss, one look-ahead step on, by the selection logits (Eq. 4 and 5).

With w all inner weights (LoRA's U and V, the head), beta the selection logits, and the look-ahead step
w'(beta) = w - eta * grad_w L_tr(w, beta), the objective F(beta) = L_val(w'(beta), beta) has the gradient

    dF/dbeta = d/dbeta L_val(w', beta)  -  eta * [d^2 L_tr(w, beta) / (dbeta dw)] v,    v = grad_w' L_val(w', beta)
               (direct term)                      (second-order term)

The mixed derivative is taken at w, v at w'.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Loss = Callable[[Sequence[Tensor]], Tensor]
"""Inner weights w -> a scalar loss, at the current selection logits."""


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
    def second_order_share(self) -> float:
        """||eta * second-order term|| / ||direct term||, global norms; 0 at eta = 0, infinite without a direct term."""
        if self.second_order is None:
            return 0.0
        direct, second = global_norm(self.direct), self.eta * global_norm(self.second_order)
        return second / direct if direct else float("inf")


def exact(problem: Bilevel, eta: float) -> Hypergradient:
    """Both terms, the second one by backward through the train gradient.

    At eta = 0 ("AutoLoRA (eta = 0)" of Table 4) the look-ahead stays at w and the second-order term is left out.

    Args:
        problem: losses, weights and logits. The train loss must be twice differentiable: eager attention.
        eta: step size of the look-ahead, >= 0.
    """
    second_order_wanted = eta != 0
    train_loss = problem.train_loss(problem.weights)
    train_gradient = torch.autograd.grad(
        train_loss, problem.weights, create_graph=second_order_wanted, materialize_grads=True
    )
    ahead = [
        (weight - eta * gradient).detach().requires_grad_()
        for weight, gradient in zip(problem.weights, train_gradient, strict=True)
    ]
    valid_loss = problem.valid_loss(ahead)
    gradients = torch.autograd.grad(valid_loss, [*ahead, *problem.logits], materialize_grads=True)
    v, direct = gradients[: len(ahead)], gradients[len(ahead) :]
    return Hypergradient(
        direct=list(direct),
        second_order=_mixed_product(train_gradient, v, problem.logits) if second_order_wanted else None,
        eta=eta,
        train_gradient=[gradient.detach() for gradient in train_gradient],
        train_loss=train_loss.detach(),
        valid_loss=valid_loss.detach(),
    )


def _mixed_product(train_gradient: Sequence[Tensor], v: Sequence[Tensor], logits: Sequence[Tensor]) -> list[Tensor]:
    """[d/dbeta grad_w L_tr] v = d/dbeta <grad_w L_tr, v>, with v held constant."""
    # A weight that the loss does not depend on has a zero gradient without a graph.
    pairs = [(gradient, by) for gradient, by in zip(train_gradient, v, strict=True) if gradient.requires_grad]
    outputs, by = [gradient for gradient, _ in pairs], [by for _, by in pairs]
    return list(torch.autograd.grad(outputs, logits, grad_outputs=by, materialize_grads=True))


def global_norm(tensors: Sequence[Tensor]) -> float:
    """Euclidean norm of all numbers in all tensors together."""
    return float(torch.nn.utils.get_total_norm(tensors))
