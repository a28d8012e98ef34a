"""Linear layers by oneDNN give the results of torch's default up to rounding, in every pass of every method."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autolora.adapters.adapt import adapt
from autolora.compute import onednn
from autolora.compute.onednn import has_onednn, linear, use_onednn
from autolora.compute.runtime import Runtime
from autolora.problem import Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.config import TrainingConfig
from autolora.training.train import train
from baselines.adalora import AdaLora
from baselines.adapter import Adapter
from baselines.full import Full
from baselines.stacking.lora_stack import LoRAStack, StackConfig
from baselines.stacking.train_stack import train_stack
from benchmarks.tasks.families.evaluation import in_batches
from tests.support import tiny
from tests.support.tiny import build, collate, examples, problem

pytestmark = pytest.mark.skipif(not has_onednn("cpu"), reason="this build of torch has no oneDNN")
FAST = Runtime(onednn=True)
STEPS = 55
TRAINING = TrainingConfig(lr=1e-3, steps=STEPS, batch_size=8)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the weights that oneDNN multiplies by; layers of tiny models count as large enough."""
    seen: list[tuple[int, ...]] = []

    def spied(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        seen.append(tuple(weight.shape))
        return linear(x, weight, bias)

    monkeypatch.setattr(onednn, "SMALLEST", 3)
    monkeypatch.setattr(onednn, "linear", spied)
    return seen


def derivatives(product: Callable[..., Tensor], dtype: torch.dtype, *, bias: bool = True) -> list[Tensor]:
    """A value, its gradients, and the gradients of a function of these."""
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    inputs = [draw(4, 11, 96), draw(80, 96), *([draw(80)] if bias else [])]
    inputs = [tensor.to(dtype).requires_grad_() for tensor in inputs]
    value = product(*inputs).div(10).tanh().square().sum()
    first = torch.autograd.grad(value, inputs, create_graph=True)
    second = torch.autograd.grad(sum(gradient.square().sum() for gradient in first), inputs)
    return [value.detach(), *(gradient.detach() for gradient in first), *second]


@pytest.mark.parametrize("bias", [True, False])
def test_value_and_derivatives_are_those_in_double_precision(bias: bool) -> None:  # noqa: FBT001
    found = derivatives(linear, torch.float32, bias=bias)
    expected = derivatives(nn.functional.linear, torch.float64, bias=bias)
    for ours, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5 * float(exact.abs().max()))


@pytest.mark.parametrize("shape", [(96,), (1, 96), (0, 96), (5, 7, 96)])
def test_any_number_of_rows_and_any_strides_of_the_gradient(shape: tuple[int, ...]) -> None:
    x, weight = torch.randn(shape, requires_grad=True), torch.randn(80, 96, requires_grad=True)
    gradients = [
        torch.autograd.grad(product(x, weight).sum(), (x, weight)) for product in (linear, nn.functional.linear)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    product = linear(x, weight)
    product += 1  # as PEFT's AdaLoRA does
    product.sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("in_dims", [(0, None, None), (1, None, None), (0, 0, None), (0, None, 0), (None, 0, 0)])
def test_a_stack_of_products_is_each_by_itself(in_dims: tuple[int | None, ...]) -> None:
    shapes = [[4, 7, 96], [80, 96], [80]]
    tensors = []
    for shape, dim in zip(shapes, in_dims, strict=True):
        tensors.append(torch.randn(shape if dim is None else [*shape[:dim], 3, *shape[dim:]], requires_grad=True))
    together = torch.vmap(linear, in_dims)(*tensors)
    for member in range(3):
        own = [t if dim is None else t.select(dim, member) for t, dim in zip(tensors, in_dims, strict=True)]
        torch.testing.assert_close(together[member], nn.functional.linear(*own), rtol=1e-4, atol=1e-4)
    together.square().sum().backward()
    assert all(tensor.grad is not None and tensor.grad.abs().max() > 0 for tensor in tensors)


DECODER: dict[str, Any] = {"build_model": tiny.decoder, "collate": tiny.texts, "head": ()}


def lora(given: Problem) -> nn.Module:
    model = adapt(given, LoraConfig(r=2, target_modules=["query", "value"]))
    train(model, given, TRAINING)
    return model


METHODS: dict[str, Callable[[Problem], nn.Module]] = {
    "lora": lora,
    "full": lambda given: Full(training=TRAINING).train(given).model,
    "decoder": lambda given: Full(training=TRAINING).train(replace(given, **DECODER)).model,
    "adapter": lambda given: Adapter(width=4, training=TRAINING).train(given).model,
    "adalora": lambda given: AdaLora(initial_rank=3, target_rank=2, training=TRAINING).train(given).model,
}


@pytest.mark.parametrize("method", METHODS)
def test_a_training_of_55_steps_ends_where_it_ends_without(method: str, calls: list[Any]) -> None:
    fast = METHODS[method](problem(runtime=FAST))
    inner = 64 if method == "decoder" else 32
    assert {(16, 16), (inner, 16), (16, inner)} <= set(calls)
    del calls[:]
    plain = METHODS[method](problem())
    assert not calls
    for (name, ours), theirs in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("engine", ["exact", "finite-difference", "first-order"])
def test_a_search_of_55_steps_ends_where_it_ends_without(engine: Any, calls: list[Any]) -> None:
    config = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2, engine=engine)
    fast = search(problem(runtime=FAST), config)
    assert calls
    plain = search(problem(), config)
    for name, selection in plain.selection.items():
        torch.testing.assert_close(torch.tensor(fast.selection[name]), torch.tensor(selection), rtol=1e-3, atol=1e-5)


def test_a_stack_of_rank_configurations_ends_where_it_ends_without(calls: list[Any]) -> None:
    configs = [LoraConfig(r=rank, target_modules=["query", "value"]) for rank in (1, 3)]

    def trained(runtime: Runtime) -> LoRAStack:
        given = problem(runtime=runtime)
        stack = LoRAStack(given, configs, StackConfig(members=2))
        train_stack(stack, given, TRAINING, stage="search")
        return stack

    fast = trained(FAST)
    assert calls
    for ours, theirs in zip(fast.weights, trained(Runtime()).weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_evaluation_is_by_onednn_too_and_leaves_the_model_as_it_was(calls: list[Any]) -> None:
    model = build()
    plain = in_batches(model, examples(), collate, Runtime())
    assert not calls
    fast = in_batches(model, examples(), collate, FAST)
    assert calls
    del calls[:]
    after = in_batches(model, examples(), collate, Runtime())
    assert not calls
    assert torch.equal(torch.stack(after), torch.stack(plain))
    torch.testing.assert_close(torch.stack(fast), torch.stack(plain), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "runtime",
    [Runtime(), Runtime(onednn=True, precision="bf16"), Runtime(onednn=True, device="cuda")],
    ids=["off", "bf16", "cuda"],
)
def test_nothing_changes_where_it_is_not_wanted_or_of_no_use(runtime: Runtime, calls: list[Any]) -> None:
    model = build()
    use_onednn(model, runtime)
    model(**collate(examples(4)))
    assert not calls


def test_small_layers_and_other_precisions_stay_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "_forward", lambda layer, x: x.new_zeros(len(x), layer.out_features))
    sizes = ((64, 64), (63, 64), (64, 63))
    model = nn.ModuleList([*(nn.Linear(*size) for size in sizes), nn.Linear(64, 64).double()])
    undo = use_onednn(model, FAST)
    changed = [not layer(torch.ones(1, layer.in_features, dtype=layer.weight.dtype)).any() for layer in model]
    assert changed == [True, False, False, False]
    undo()
    assert model[0](torch.ones(1, 64)).any()


def test_twice_is_once(calls: list[Any]) -> None:
    model = build()
    outer, inner = use_onednn(model, FAST), use_onednn(model, FAST)
    inner()
    model(**collate(examples(4)))
    assert calls
    outer()
    del calls[:]
    model(**collate(examples(4)))
    assert not calls


def test_the_counter_of_operations_counts_the_same(calls: list[Any]) -> None:
    def counted(runtime: Runtime) -> int:
        model, batch = build(), collate(examples(8))
        use_onednn(model, runtime)
        with FlopCounterMode(display=False) as counter:
            model(**batch).loss.backward()
        return counter.get_total_flops()

    fast = counted(FAST)
    assert calls
    assert fast == counted(Runtime())
