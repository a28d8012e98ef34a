from functools import partial
from unittest.mock import patch

import pytest
import torch
from peft import PeftModel
from transformers import get_constant_schedule_with_warmup, get_linear_schedule_with_warmup, get_wsd_schedule

from autolora.adapters.adapt import adapt
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.precision import cast_frozen
from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.problem import Problem
from autolora.training.config import Schedule, TrainingConfig
from autolora.training.optimization import Optimization, schedule
from autolora.training.train import train
from tests.support.tiny import build, problem, same, weights

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def trained(config: TrainingConfig, **changes: object) -> torch.nn.Module:
    task = problem(**changes)
    model = task.build_model()
    train(model, task, config)
    return model


def plain_loop(task: Problem, config: TrainingConfig, batches: list[list[int]]) -> torch.nn.Module:
    """What a PyTorch user would write."""
    model = task.build_model().train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.lr,
    )
    factor = schedule(len(batches), config.warmup)
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * factor(step)
        model(**task.collate([task.train[i] for i in batch])).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
    return model


def test_training_equals_a_plain_loop() -> None:
    seen: list[list[int]] = []
    task = problem(build_model=lambda: build(dtype=torch.float64, **NO_DROPOUT))

    def spy(batch: list[dict[str, object]]) -> object:
        seen.append([task.train.index(example) for example in batch])
        return task.collate(batch)  # type: ignore[arg-type]

    config = TrainingConfig(lr=1e-2, epochs=3, batch_size=8)
    ours = trained(config, build_model=task.build_model, collate=spy)
    assert len(seen) == 18
    theirs = plain_loop(task, config, seen)
    for name, weight in weights(ours).items():
        assert torch.allclose(weight, weights(theirs)[name], rtol=1e-9, atol=1e-12), name


def test_the_schedule_rises_falls_and_ends_at_zero() -> None:
    factor = schedule(100, 0.1)
    values = [factor(step) for step in range(101)]
    assert values[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert values[10] == 1
    assert values[55] == pytest.approx(0.5)
    assert values[100] == 0


@pytest.mark.parametrize("kind", ["linear", "constant", "warmup_stable_decay"])
def test_after_warm_up_the_schedule_is_that_of_transformers(kind: Schedule) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = {
        "linear": partial(get_linear_schedule_with_warmup, num_training_steps=100),
        "constant": get_constant_schedule_with_warmup,
        "warmup_stable_decay": partial(
            get_wsd_schedule, num_training_steps=100, num_decay_steps=30, decay_type="linear"
        ),
    }[kind](optimizer, num_warmup_steps=6)
    factor = schedule(100, 0.06, kind)
    for step in range(100):
        if step >= 6:
            assert factor(step) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_training_learns() -> None:
    losses: list[float] = []
    task = problem()
    model = trained(TrainingConfig(lr=5e-3, epochs=30, batch_size=8)).eval()
    batch = task.collate(task.train)
    losses += [float(build().eval()(**batch).loss), float(model(**batch).loss)]
    assert losses[1] < 0.3 < losses[0]


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not() -> None:
    config = TrainingConfig(steps=5, batch_size=8)
    assert same(trained(config), trained(config))
    assert not same(trained(config), trained(config, seed=1))


def test_the_observer_is_called_at_the_end_of_every_epoch_and_changes_nothing() -> None:
    epochs: list[int] = []

    def observe(model: torch.nn.Module, epoch: int) -> None:
        assert model.training
        epochs.append(epoch)

    config = TrainingConfig(epochs=2.5, batch_size=16)
    assert same(trained(config, observe=observe), trained(config))
    assert epochs == [1, 2, 3]


def test_frozen_weights_stay() -> None:
    task = problem()
    model = task.build_model()
    model.bert.requires_grad_(False)
    train(model, task, TrainingConfig(steps=3))
    assert same(model.bert, build().bert)
    assert not same(model.classifier, build().classifier)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("step", [1, 3])
def test_a_gradient_that_is_no_number_stops_the_training_even_at_its_last_step(step: int, number: float) -> None:
    steps = iter(range(1, 4))

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        value: torch.Tensor = model(**batch).loss
        if next(steps) == step:
            value.register_hook(lambda gradient: gradient * number)
        return value

    with pytest.raises(NonFiniteLossError, match="try a lower lr"):
        trained(TrainingConfig(steps=3), loss=loss)


def test_vectors_are_not_decayed() -> None:
    vector, matrix = torch.ones(3, requires_grad=True), torch.ones(3, 3, requires_grad=True)
    vector.grad, matrix.grad = torch.zeros(3), torch.zeros(3, 3)
    Optimization([vector, matrix], TrainingConfig(lr=0.1, weight_decay=0.5, warmup=0), steps=10).step()
    assert torch.equal(vector, torch.ones(3))
    assert torch.allclose(matrix, torch.full((3, 3), 0.95))


def test_a_step_takes_gradients_in_any_order_of_memory() -> None:
    """Fused AdamW ignores the strides of gradients."""
    torch.manual_seed(0)
    gradient = torch.randn(4, 3)
    ends = []
    for own in (gradient.T, gradient.T.clone(memory_format=torch.contiguous_format)):
        weight = torch.zeros(3, 4, requires_grad=True)
        optimization = Optimization([weight], TrainingConfig(lr=0.1, warmup=0), steps=10)
        optimization.take([own])
        optimization.step()
        ends.append(weight.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr": 0}, "lr must be positive"),
        ({"lr": float("nan")}, "lr must be positive"),
        ({"warmup": 1.0}, r"in \[0, 1\)"),
        ({"epochs": 0}, "epochs must be positive"),
        ({"steps": -1}, "steps must be positive"),
        ({"batch_size": 0}, "batch_size must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**fields)  # type: ignore[arg-type]


def test_nothing_trainable_is_an_error() -> None:
    with pytest.raises(ValueError, match="no weight is trainable"):
        Optimization([], TrainingConfig(), steps=1)


def test_an_empty_training_set_is_an_error() -> None:
    with pytest.raises(ValueError, match="train is empty"):
        problem(train=[])


def test_strata_are_one_per_example() -> None:
    with pytest.raises(ValueError, match="strata must name one"):
        problem(strata=[0, 1])


@pytest.mark.bfloat16
def test_casting_frozen_weights_once_changes_no_bit_and_leaves_the_model_as_it_was() -> None:
    task = problem(runtime=Runtime(precision="bf16"))
    config = TrainingConfig(steps=20, lr=1e-2)

    def adapted() -> PeftModel:
        model = task.build_model()
        return adapt(task, RankAllocation.uniform(find_projections(model), 2).to_lora_config())

    cast, plain = adapted(), adapted()
    train(cast, task, config)
    with patch("autolora.training.train.fast_linear", return_value=lambda: None):
        train(plain, task, config)
    assert same(cast, plain)
    assert {weight.dtype for weight in cast.parameters()} == {torch.float32}
    cast_frozen(cast, task.runtime)
    frozen = [module.weight for module in cast.modules() if isinstance(module, torch.nn.Linear)]
    assert {weight.dtype for weight in frozen if not weight.requires_grad} == {torch.bfloat16}
    assert {weight.dtype for weight in frozen if weight.requires_grad} == {torch.float32}
