"""The lean layer norm and its derivatives, checked against torch's layer norm."""

import pytest
import torch
from torch import Tensor, nn

from autolora.rank_search.lean_layer_norm import LeanLayerNorm, use_lean_layer_norm


def layer_norm(size: int = 7) -> nn.LayerNorm:
    torch.manual_seed(0)
    module = nn.LayerNorm(size, eps=1e-3).double().requires_grad_(False)
    nn.init.normal_(module.weight)
    nn.init.normal_(module.bias)
    return module


def derivatives(module: nn.Module, x: Tensor, gradient: Tensor, h: Tensor) -> list[Tensor]:
    """The output, its gradient by x, and the gradients of <h, gradient by x> by x and by the output's gradient."""
    x, gradient = x.clone().requires_grad_(), gradient.clone().requires_grad_()
    normed = module(x)
    (by_x,) = torch.autograd.grad(normed, x, gradient, create_graph=True)
    return [normed, by_x, *torch.autograd.grad(by_x, [x, gradient], h)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_derivatives_are_torchs(dtype: torch.dtype) -> None:
    module = layer_norm().to(dtype)
    given = [torch.randn(3, 5, 7, dtype=torch.float64).to(dtype) for _ in range(3)]
    found, expected = derivatives(LeanLayerNorm(module), *given), derivatives(module, *given)
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)


def test_its_derivatives_are_those_that_finite_differences_give() -> None:
    module, x = LeanLayerNorm(layer_norm()), torch.randn(2, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


@pytest.mark.bfloat16
def test_under_autocast_it_computes_in_float32_as_torchs_does() -> None:
    module, x = layer_norm().float(), torch.randn(4, 7).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        normed = LeanLayerNorm(module)(x)
    assert torch.equal(normed, module(x.float()))


def test_only_frozen_layer_norms_give_way() -> None:
    model = nn.Sequential(layer_norm(), nn.LayerNorm(7), nn.LayerNorm((2, 7)).requires_grad_(False)).eval()
    use_lean_layer_norm(model)
    assert [type(module) for module in model] == [LeanLayerNorm, nn.LayerNorm, nn.LayerNorm]
    assert not model[0].training
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]
