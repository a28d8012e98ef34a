"""The contract of methods, checked for every registered method on a problem that takes milliseconds."""

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from torch import nn

from autolora.adapters.projections import find_projections
from autolora.compute.runtime import Interrupted, NonFiniteLossError, Progress, Runtime
from autolora.problem import Outcome, Problem
from autolora.training.config import TrainingConfig
from benchmarks.core import nested, registry
from benchmarks.core.protocols import PROTOCOLS
from benchmarks.core.settings import load_settings, resolve
from benchmarks.core.spec import Method
from benchmarks.store.published import published_table
from tests.support import tiny
from tests.support.tiny import MODELS, build, collate, examples, same, stop_after

NAMES = registry.method_names()
ADAPTING = [name for name in NAMES if name != "frozen"]
SMALLER = {"lora_grid": {"ranks": [1, 3]}}
"""Settings with which a method also takes milliseconds."""
TRAINING = TrainingConfig(lr=1e-2, steps=8, batch_size=8)


def with_training(config: Any, training: TrainingConfig) -> Any:
    """The same settings with every nested training config replaced."""
    changes: dict[str, Any] = {}
    for name, kind in get_type_hints(type(config)).items():
        if kind is TrainingConfig:
            changes[name] = training
        elif dataclasses.is_dataclass(kind):
            changes[name] = with_training(getattr(config, name), training)
    return dataclasses.replace(config, **changes)


def method(name: str, training: TrainingConfig = TRAINING) -> Method:
    variant = registry.variant(name)
    changes = nested.merge(variant.changes if variant else {}, SMALLER.get(variant.of if variant else name, {}))
    return with_training(nested.build(registry.method(name), changes, name), training)


def problem(**changes: Any) -> Problem:
    """A problem that includes ranks, for the methods that need them."""
    task = tiny.problem(**changes)
    projections = find_projections(task.build_model())
    return dataclasses.replace(task, ranks={projection.name: 1 + i % 3 for i, projection in enumerate(projections)})


def test_the_methods_of_the_papers_tables_are_there() -> None:
    for table in (1, 4):
        assert set(published_table(table).methods) <= set(NAMES)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", NAMES)
def test_a_method_has_settings_under_every_protocol(name: str, protocol: str) -> None:
    for preset in ("quick", "small", "paper"):
        config = resolve(load_settings(preset, {"protocol": {"base": protocol}}), "mnli", name)
        assert nested.build(registry.method(name), config["method"], name)


@pytest.mark.parametrize("name", ADAPTING)
@pytest.mark.parametrize("kind", MODELS)
def test_a_method_adapts_every_family_of_encoders(name: str, kind: str) -> None:
    task = problem(build_model=lambda: build(kind))
    outcome = method(name).train(task)
    assert isinstance(outcome, Outcome)
    assert outcome.trainable_parameters > 0
    assert outcome.head_parameters > 0
    assert all(seconds > 0 for seconds in outcome.seconds.values())
    logits = outcome.model.eval()(**collate(examples(5))).logits
    assert logits.shape == (5, 2)
    assert not torch.equal(logits, build(kind).eval()(**collate(examples(5))).logits)


@pytest.mark.parametrize("name", ADAPTING)
def test_a_method_adapts_a_decoder_for_text_generation(name: str) -> None:
    projections = [f"transformer.h.{block}.attn.c_attn.{role}" for block in range(2) for role in ("query", "value")]
    task = tiny.problem(
        build_model=tiny.decoder, collate=tiny.texts, head=(), score=tiny.text_loss, strata=None,
        groups=[index // 3 for index in range(48)], ranks=dict.fromkeys(projections, 2),
    )  # fmt: skip
    outcome = method(name).train(task)
    assert (outcome.head_parameters, outcome.trainable_parameters > 0) == (0, True)
    if outcome.ranks is not None:
        assert set(outcome.ranks) == set(projections)
    batch = examples(9)
    assert tiny.text_loss(outcome.model, batch) != tiny.text_loss(tiny.decoder(), batch)
    written = outcome.model.generate(input_ids=torch.tensor([[3, 4, 5]]), max_new_tokens=4, do_sample=False)
    assert written.shape[1] > 3


def test_the_frozen_model_trains_its_new_head_alone_and_a_language_model_not_at_all() -> None:
    trained = method("frozen").train(problem())
    assert (trained.trainable_parameters, trained.head_parameters > 0) == (0, True)
    body = {name: weight for name, weight in trained.model.state_dict().items() if "classifier" not in name}
    untouched = tiny.problem().build_model().state_dict()
    assert all(torch.equal(weight, untouched[name]) for name, weight in body.items())
    language = tiny.problem(build_model=tiny.decoder, collate=tiny.texts, head=(), strata=None)
    whole = method("frozen").train(language)
    assert (whole.trainable_parameters, whole.head_parameters, whole.seconds) == (0, 0, {})
    assert same(whole.model, tiny.decoder())


@pytest.mark.parametrize("name", ["adalora", "lora", "lora_random_ranks"])
def test_a_method_adapts_all_linear_layers_where_the_targets_say_so(name: str) -> None:
    task = tiny.problem(build_model=tiny.decoder, collate=tiny.texts, head=(), strata=None, targets="all-linear")
    names = [projection.name for projection in find_projections(tiny.decoder(), "all-linear")]
    outcome = method(name).train(dataclasses.replace(task, ranks=dict.fromkeys(names, 2)))
    assert len(names) == 8
    assert set(outcome.ranks or {}) == set(names)


@pytest.mark.parametrize("name", NAMES)
def test_the_estimated_work_grows_with_the_examples_unless_the_steps_are_set(name: str) -> None:
    by_epochs = method(name, TrainingConfig(epochs=2, batch_size=10))
    assert by_epochs.work(200) > 0
    assert by_epochs.work(400) == pytest.approx(2 * by_epochs.work(200))
    assert method(name).work(400) == method(name).work(200)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_learns(name: str) -> None:
    task = problem(train=examples(12))
    model = method(name, TrainingConfig(lr=3e-2, steps=100, batch_size=12)).train(task).model.eval()
    batch = task.collate(task.train)
    before = nn.functional.cross_entropy(build().eval()(**batch).logits, batch["labels"])
    after = nn.functional.cross_entropy(model(**batch).logits, batch["labels"])
    assert float(after.detach()) < 0.8 * float(before.detach())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_problem_twice_gives_the_same_bits(name: str) -> None:
    first = method(name).train(problem())
    torch.rand(3)
    second = method(name).train(problem())
    assert same(first.model, second.model)
    assert first.ranks == second.ranks


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_method_gives_the_bits_of_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    seen: list[Progress] = []
    undisturbed = method(name).train(problem(runtime=Runtime(progress=seen.append)))
    for part in (0.05, 0.4, 0.7, 0.95):
        folder = tmp_path / str(part)
        with pytest.raises(Interrupted):
            method(name).train(problem(runtime=stop_after(max(1, round(part * len(seen))), checkpoints=folder)))
        resumed = method(name).train(problem(runtime=Runtime(checkpoints=folder)))
        assert same(resumed.model, undisturbed.model)
        assert resumed.ranks == undisturbed.ranks
        assert {**resumed.details} == {**undisturbed.details}


@pytest.mark.parametrize("name", NAMES)
def test_a_non_finite_loss_stops_a_method(name: str) -> None:
    def broken(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return model(**batch).loss * float("nan")

    with pytest.raises(NonFiniteLossError):
        method(name).train(problem(loss=broken))


@pytest.mark.parametrize("name", NAMES)
def test_every_method_sees_the_same_batches_in_the_same_order(name: str) -> None:
    def batches(chosen: str) -> list[list[Any]]:
        seen: list[list[Any]] = []
        stage: list[str] = ["start"]

        def spy(batch: list[Any]) -> Any:
            seen.append([example["input_ids"] for example in batch])
            return collate(batch)

        def progress(step: Progress) -> None:
            if step.stage != stage[0]:
                stage[0] = step.stage
                seen[:-1] = []

        method(chosen).train(problem(collate=spy, runtime=Runtime(progress=progress)))
        return seen

    assert batches(name) == batches("full")


@pytest.mark.parametrize("name", NAMES)
def test_every_method_starts_its_trainings_from_the_fitted_head(name: str) -> None:
    """The start is so far off that a few steps of Adam cannot hide whether it was taken."""

    def fit_head(model: Any, examples: Any) -> None:
        assert len(examples) in (24, 43, 48)  # D_tr, all but the grid's held-out tenth, all
        with torch.no_grad():
            model.classifier.bias.fill_(100.0)

    outcome = method(name).train(problem(fit_head=fit_head))
    biases = [weight for key, weight in outcome.model.named_parameters() if "classifier" in key and "bias" in key]
    assert max(float(bias.min()) for bias in biases) > 90


@pytest.mark.parametrize("name", NAMES)
def test_a_single_step_works_or_is_refused_with_a_message(name: str) -> None:
    try:
        method(name, dataclasses.replace(TRAINING, steps=1)).train(problem())
    except ValueError as error:
        assert "needs at least 2" in str(error)  # noqa: PT017


def test_a_problem_has_no_evaluation_data() -> None:
    fields = {field.name for field in dataclasses.fields(Problem)}
    assert not {name for name in fields if "valid" in name or "test" in name or "eval" in name or "dev" in name}
