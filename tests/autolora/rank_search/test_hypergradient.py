"""The exact hypergradient against brute force, in float64, with random non-zero U and V."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from autolora.adapters.selection import PARAMETERISATIONS
from autolora.rank_search.bilevel import Bilevel, Hypergradient
from autolora.rank_search.hypergradient import exact

RANK, INPUTS, HIDDEN, OUTPUTS, BATCH = 3, 5, 4, 3, 7
LAYERS = 2


def toy(parameterisation: str, *, regression: bool, seed: int = 0) -> Bilevel:
    """A two-layer network W + s U diag(alpha) V with a trained head, on random batches."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    sizes = [(HIDDEN, INPUTS), (HIDDEN, HIDDEN)]
    frozen = [draw(*size) for size in sizes]
    lora = [tensor for m, n in sizes for tensor in (draw(m, RANK), draw(RANK, n))]
    head = draw(1 if regression else OUTPUTS, HIDDEN)
    weights = [tensor.requires_grad_() for tensor in (*lora, head)]
    logits = [draw(RANK).requires_grad_() for _ in sizes]
    select = PARAMETERISATIONS[parameterisation].select

    def loss_on(x: Tensor, y: Tensor) -> Callable[[Sequence[Tensor]], Tensor]:
        def loss(w: Sequence[Tensor]) -> Tensor:
            h = x
            for layer in range(LAYERS):
                update = w[2 * layer] @ torch.diag(select(logits[layer])) @ w[2 * layer + 1]
                h = torch.tanh(h @ (frozen[layer] + 2 * update).T)
            out = h @ w[-1].T
            return (out[:, 0] - y).square().mean() if regression else torch.nn.functional.cross_entropy(out, y)

        return loss

    def batch() -> tuple[Tensor, Tensor]:
        labels = draw(BATCH) if regression else torch.randint(OUTPUTS, (BATCH,), generator=generator)
        return draw(BATCH, INPUTS), labels

    return Bilevel(train_loss=loss_on(*batch()), valid_loss=loss_on(*batch()), weights=weights, logits=logits)


def unrolled(problem: Bilevel, eta: float) -> list[Tensor]:
    """DF/dbeta by one backward through a differentiable gradient step: nothing is derived by hand."""
    gradient = torch.autograd.grad(problem.train_loss(problem.weights), problem.weights, create_graph=True)
    ahead = [weight - eta * g for weight, g in zip(problem.weights, gradient, strict=True)]
    return list(torch.autograd.grad(problem.valid_loss(ahead), problem.logits))


def objective(problem: Bilevel, eta: float) -> float:
    """F(beta) = L_val(w - eta grad L_tr(w, beta), beta)."""
    gradient = torch.autograd.grad(problem.train_loss(problem.weights), problem.weights)
    return float(problem.valid_loss([w - eta * g for w, g in zip(problem.weights, gradient, strict=True)]).detach())


def central_differences(problem: Bilevel, eta: float, step: float = 1e-5) -> list[Tensor]:
    slopes = []
    for logits in problem.logits:
        slope = torch.empty_like(logits)
        for index in range(len(logits)):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    logits[index] += sign * step
                values.append(objective(problem, eta))
                with torch.no_grad():
                    logits[index] -= sign * step
            slope[index] = (values[0] - values[1]) / (2 * step)
        slopes.append(slope)
    return slopes


def second_order_error(problem: Bilevel, eta: float, found: Hypergradient) -> float:
    """Relative error of the second-order term alone: brute force minus the direct term."""
    truth = torch.cat(unrolled(problem, eta)) - torch.cat(found.direct)
    return float((torch.cat(found.total) - torch.cat(found.direct) - truth).norm() / truth.norm())


@pytest.mark.parametrize("eta", [0.1, 1.0])
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS)
def test_the_second_order_term_equals_that_of_the_unrolled_step(
    parameterisation: str, *, regression: bool, eta: float
) -> None:
    problem = toy(parameterisation, regression=regression)
    assert second_order_error(problem, eta, exact(problem, eta)) < 1e-10


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS)
def test_the_hypergradient_is_the_slope_of_the_validation_loss(parameterisation: str) -> None:
    problem = toy(parameterisation, regression=False)
    slopes = torch.cat(central_differences(problem, eta=0.5))
    assert torch.allclose(torch.cat(exact(problem, eta=0.5).total), slopes, rtol=1e-7, atol=1e-9)


def zeroed(found: Hypergradient, problem: Bilevel) -> list[Tensor]:  # noqa: ARG001
    assert found.second_order is not None
    return [torch.zeros_like(term) for term in found.second_order]


def flipped(found: Hypergradient, problem: Bilevel) -> list[Tensor]:  # noqa: ARG001
    assert found.second_order is not None
    return [-term for term in found.second_order]


def taken_ahead(found: Hypergradient, problem: Bilevel) -> list[Tensor]:
    """The mixed derivative at w' instead of w, as in betty's engine."""
    ahead = [
        (w - found.eta * g).detach().requires_grad_()
        for w, g in zip(problem.weights, found.train_gradient, strict=True)
    ]
    gradient = torch.autograd.grad(problem.train_loss(ahead), ahead, create_graph=True)
    v = torch.autograd.grad(problem.valid_loss(ahead), ahead)
    return list(torch.autograd.grad(gradient, problem.logits, grad_outputs=v))


@pytest.mark.parametrize("fault", [zeroed, flipped, taken_ahead])
def test_a_planted_fault_in_the_second_order_term_is_noticed(
    fault: Callable[[Hypergradient, Bilevel], list[Tensor]],
) -> None:
    problem = toy("softmax", regression=False)
    found = exact(problem, eta=0.1)
    faulty = Hypergradient(**{**vars(found), "second_order": fault(found, problem)})
    assert second_order_error(problem, 0.1, faulty) > 1e-3


def test_at_eta_zero_only_the_direct_term_is_left() -> None:
    problem = toy("softmax", regression=False)
    found = exact(problem, eta=0)
    direct = torch.autograd.grad(problem.valid_loss(problem.weights), problem.logits)
    assert found.second_order is None
    assert found.second_order_share == 0
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(found.total, direct, strict=True))


def test_a_weight_that_no_loss_depends_on_changes_nothing() -> None:
    problem = toy("softmax", regression=False)
    unused = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    wider = Bilevel(
        train_loss=lambda w: problem.train_loss(w[:-1]),
        valid_loss=lambda w: problem.valid_loss(w[:-1]),
        weights=[*problem.weights, unused],
        logits=problem.logits,
    )
    assert torch.equal(torch.cat(exact(wider, eta=0.1).total), torch.cat(exact(problem, eta=0.1).total))
