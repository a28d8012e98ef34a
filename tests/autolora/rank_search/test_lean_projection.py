"""The lean projection and its derivatives, checked against `by_components`."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from autolora.adapters.layers import Compute, by_components
from autolora.rank_search.lean_projection import lean_projection

SIZES = {"x": (2, 4, 5), "down": (3, 5), "up": (6, 3), "gate": (3,)}
"""Two texts of four tokens, a projection of 5 to 6 numbers, three components."""


def base(*, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(5, 6, bias=bias).double().requires_grad_(False)


def given() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(size, dtype=torch.float64, requires_grad=True) for size in SIZES.values()]


def derivatives(compute: Compute, projection: nn.Linear, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The output, its gradients by all tensors, and the gradients of their inner product with random tensors."""
    torch.manual_seed(2)
    x, *factors = tensors
    y = compute(x, projection, *factors)
    gradient = torch.randn_like(y).requires_grad_()
    first = torch.autograd.grad(y, tensors, gradient, create_graph=True)
    directions = [torch.randn_like(each) for each in first]
    second = torch.autograd.grad(first, [gradient, *tensors], directions, allow_unused=True, materialize_grads=True)
    return [y, *first, *second]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_derivatives_are_those_of_the_one_as_written(dtype: torch.dtype, *, bias: bool) -> None:
    projection, tensors = base(bias=bias).to(dtype), [each.detach().to(dtype).requires_grad_() for each in given()]
    found = derivatives(lean_projection, projection, tensors)
    for own, expected in zip(found, derivatives(by_components, projection, tensors), strict=True):
        torch.testing.assert_close(own, expected)


def test_its_derivatives_are_those_that_finite_differences_give() -> None:
    def compute(x: Tensor, *factors: Tensor) -> Tensor:
        return lean_projection(x, base(), *factors)

    assert torch.autograd.gradcheck(compute, given())
    assert torch.autograd.gradgradcheck(compute, given())


@pytest.mark.bfloat16
def test_under_autocast_it_multiplies_at_the_lower_precision() -> None:
    projection, tensors = base().float(), [each.detach().float() for each in given()]
    x, *factors = tensors
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = lean_projection(x, projection, *factors), by_components(x, projection, *factors)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.05)


def test_a_projection_that_is_trained_itself_is_computed_as_written() -> None:
    projection, (x, *factors) = base().requires_grad_(), given()
    lean_projection(x, projection, *factors).sum().backward()
    assert projection.weight.grad is not None
