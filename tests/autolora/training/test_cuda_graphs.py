"""Passes recorded as CUDA graphs: real ones on a CUDA device, emulated ones elsewhere."""

import gc
import random
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import Tensor, nn
from transformers import GPT2Config, GPT2ForSequenceClassification

from autolora.adapters.adapt import adapt
from autolora.compute.runtime import Interrupted, Progress, Runtime
from autolora.problem import Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.rank_search import RankSearch
from autolora.rank_search.search import search
from autolora.training.batches import lengthened, pad_token_of
from autolora.training.config import TrainingConfig
from autolora.training.cuda_graphs import Replay, replayed
from autolora.training.train import train
from baselines.adalora import AdaLora
from baselines.adapter import Adapter
from baselines.full import Full
from baselines.stacking.lora_stack import LoRAStack, StackConfig
from baselines.stacking.train_stack import train_stack
from tests.support import tiny
from tests.support.emulated_graph import EmulatedGraph, emulate
from tests.support.tiny import VOCABULARY, build, collate, problem, texts, weights

STEPS = 55
TRAINING = TrainingConfig(lr=1e-2, steps=STEPS, batch_size=8)
CONFIG = SearchConfig(max_rank=4, training=TRAINING, selection_lr=1e-2, record_every=5)
SEARCHES = {
    "exact": CONFIG,
    "eta = 1": replace(CONFIG, eta=1.0),
    "eta = 0": replace(CONFIG, eta=0.0),
    "weights-first": replace(CONFIG, order="weights-first"),
    "selection-first": replace(CONFIG, order="selection-first"),
    "first-order": replace(CONFIG, engine="first-order"),
    "sigmoid": replace(CONFIG, parameterisation="sigmoid"),
    "finite-difference": replace(CONFIG, engine="finite-difference"),
    "mixed gradients": replace(CONFIG, mixed_gradients=True, order="weights-first"),
    "optimizer's look-ahead": replace(CONFIG, look_ahead="optimizer"),
    "in parts": replace(CONFIG, training=replace(TRAINING, micro_batches=2)),
}
RECORDED_SEARCHES = {
    "exact",
    "eta = 1",
    "eta = 0",
    "weights-first",
    "selection-first",
    "first-order",
    "sigmoid",
    "mixed gradients",
}


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.skipif("not torch.cuda.is_available()"))])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A device on which passes can be recorded."""
    if request.param == "cuda":
        yield "cuda"
        return
    emulate(monkeypatch)
    yield "cpu"


def long_and_short(number: int = 64) -> list[Example]:
    """Examples of 3 to 36 tokens, so that the batches have five lengths."""
    rng = random.Random(0)
    drawn = [[rng.randrange(2, VOCABULARY) for _ in range(rng.randrange(3, 37))] for _ in range(number)]
    return [{"input_ids": tokens, "labels": tokens[0] % 2} for tokens in drawn]


def task(runtime: Runtime, **changes: Any) -> Problem:
    return problem(**{"train": long_and_short(), "runtime": runtime} | changes)


def lora(given: Problem) -> dict[str, Tensor]:
    model = adapt(given, LoraConfig(r=2, target_modules=["query", "value"]))
    train(model, given, TRAINING)
    return weights(model)


def method(kind: Any, given: Problem) -> dict[str, Tensor]:
    return weights(kind.train(given).model)


def full_of_another(kind: str, given: Problem) -> dict[str, Tensor]:
    return method(Full(training=TRAINING), replace(given, build_model=partial(build, kind)))


def stack(given: Problem, **at_once: int) -> dict[str, Tensor]:
    configs = [LoraConfig(r=rank, target_modules=["query", "value"], lora_dropout=0.1) for rank in (1, 2, 4)]
    members = LoRAStack(given, configs, StackConfig(**at_once))
    train_stack(members, given, TRAINING, stage="train")
    return {f"{rank}.{name}": value for rank in range(3) for name, value in weights(members.member(rank)).items()}


def decoder(given: Problem) -> dict[str, Tensor]:
    return method(Full(training=TRAINING), replace(given, build_model=tiny.decoder, collate=texts, head=()))


TRAININGS: dict[str, Callable[[Problem], dict[str, Tensor]]] = {
    "lora": lora,
    "full": partial(full_of_another, "bert"),
    "roberta": partial(full_of_another, "roberta"),
    "decoder": decoder,
    "adapter": partial(method, Adapter(width=4, training=TRAINING)),
    "stack": stack,
    "stack in chunks": partial(stack, members=2),
    "adalora": partial(method, AdaLora(initial_rank=3, target_rank=2, training=TRAINING)),
}


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launch kernels one by one, on batches of the same lengths."""
    monkeypatch.setattr("autolora.training.cuda_graphs.has_graphs", lambda device: False)  # noqa: ARG005


def quick_and_slow(kinds: Iterable[str], quick: set[str]) -> list[Any]:
    return [kind if kind in quick else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


@pytest.mark.parametrize("kind", quick_and_slow(TRAININGS, {"lora", "decoder", "adalora", "stack in chunks"}))
def test_training_ends_with_the_same_bits(kind: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(device=device, graphs=True)
    recorded = TRAININGS[kind](task(runtime))
    assert device == "cuda" or EmulatedGraph.recorded > 1
    one_by_one(monkeypatch)
    expected = TRAININGS[kind](task(runtime))
    assert all(torch.equal(recorded[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", quick_and_slow(SEARCHES, {"exact", "eta = 0"}))
def test_a_search_ends_with_the_same_bits(kind: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(device=device, graphs=True)
    recorded = search(task(runtime), SEARCHES[kind])
    assert device == "cuda" or (EmulatedGraph.recorded > 1) == (kind in RECORDED_SEARCHES)
    one_by_one(monkeypatch)
    expected = search(task(runtime), SEARCHES[kind])
    assert recorded.selection == expected.selection
    assert recorded.history == expected.history


@pytest.mark.parametrize("kind", sorted(RECORDED_SEARCHES))
def test_of_a_search_that_can_be_recorded_every_gradient_is(
    kind: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching = RankSearch(build(), SEARCHES[kind], steps=4, runtime=Runtime(device=device, graphs=True))
    batch = {name: tensor.to(device) for name, tensor in collate(long_and_short(8)).items()}
    for index in range(2):  # computed, then recorded
        searching.step(index, batch, batch)
    computed: list[Any] = []
    monkeypatch.setattr(torch.autograd, "grad", computed.append)
    searching.step(2, batch, batch)
    assert not computed


def test_a_resumed_training_ends_with_the_same_bits(device: str, tmp_path: Any) -> None:
    runtime = Runtime(device=device, graphs=True)
    undisturbed = lora(task(runtime))
    done: list[Progress] = []
    stopped = replace(runtime, progress=done.append, stop=lambda: len(done) == 30, checkpoints=tmp_path)
    with pytest.raises(Interrupted):
        lora(task(stopped))
    resumed = lora(task(replace(stopped, stop=lambda: False)))
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in undisturbed)


def test_a_pass_that_reads_from_the_device_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch)

    def asking(model: nn.Module, batch: Any) -> Tensor:
        loss: Tensor = model(**batch).loss
        return loss * 2 if loss > 10 else loss

    with pytest.raises(RuntimeError, match=r"cannot be recorded as a CUDA graph, .* leave graphs off"):
        lora(task(Runtime(graphs=True), loss=asking))


def test_a_model_that_is_known_to_read_from_the_device_is_refused_before_any_step() -> None:
    with pytest.raises(ValueError, match="the loss of deberta-v2 reads values from the device"):
        full_of_another("deberta-v3", task(Runtime(graphs=True)))


def test_running_out_of_memory_while_recording_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    emulate(monkeypatch)

    @contextmanager
    def too_small(*_: Any) -> Iterator[None]:
        try:
            raise torch.OutOfMemoryError("no room")
        finally:
            raise RuntimeError("the recording is broken")
        yield

    replay = Replay(lambda batch: [batch["x"]], "cpu")
    replay({"x": torch.zeros(1)})
    monkeypatch.setattr("autolora.training.cuda_graphs.recording", too_small)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        replay({"x": torch.zeros(1)})


def test_a_search_that_is_over_is_let_go_at_once(device: str) -> None:
    """Recordings hold device memory, which the next training needs."""
    gc.collect()
    gc.disable()
    try:
        searching = RankSearch(build(), CONFIG, steps=9, runtime=Runtime(device=device, graphs=True))
        gone = weakref.ref(searching.model)
        del searching
        assert gone() is None
    finally:
        gc.enable()


def test_a_shape_is_computed_when_first_seen_recorded_then_and_replayed_from_then_on(device: str) -> None:
    calls = []

    def compute(batch: dict[str, Tensor]) -> list[Tensor | None]:
        calls.append(batch["x"].shape[0])
        return [batch["x"].sum() + 1, None]

    replay = Replay(compute, device)
    sums = [float(replay({"x": torch.full((size,), 2.0, device=device)})[0]) for size in (3, 4, 3, 3, 4, 3)]  # type: ignore[arg-type]
    assert sums == [7, 9, 7, 7, 9, 7]
    assert calls == [3, 4, 3, 4]


def test_nothing_is_recorded_without_graphs_or_with_micro_batches_or_with_gradient_checkpointing() -> None:
    model: Any = build()

    def compute() -> list[Tensor | None]:
        return []

    assert replayed(compute, model, Runtime()) is compute
    assert replayed(compute, model, Runtime(graphs=True), parts=2) is compute
    assert isinstance(replayed(compute, model, Runtime(graphs=True)), Replay)
    model.gradient_checkpointing_enable()
    assert replayed(compute, model, Runtime(graphs=True)) is compute


@pytest.mark.parametrize("kind", ["bert", "roberta", "deberta-v3", "decoder", "decoder with a class"])
def test_longer_padding_moves_a_loss_by_rounding_only(kind: str) -> None:
    model, batch = _without_dropout(kind), (texts if kind == "decoder" else collate)(long_and_short(8))
    longer = lengthened(batch, 38, pad_token_of(model))
    assert longer["input_ids"].shape == longer["attention_mask"].shape == (8, 38)
    with torch.no_grad():
        assert float(model(**longer).loss) == pytest.approx(float(model(**batch).loss), rel=1e-12)


def _without_dropout(kind: str) -> nn.Module:
    if kind == "decoder":
        return tiny.decoder(dtype=torch.float64).eval()
    if kind == "decoder with a class":  # computed from the last token that is not padding
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=VOCABULARY + 1, n_positions=40, n_embd=16, n_layer=2, n_head=2, pad_token_id=40)
        return GPT2ForSequenceClassification(config).double().eval()
    return build(kind, dtype=torch.float64).eval()


def test_only_what_is_as_long_as_the_tokens_is_lengthened() -> None:
    mask = torch.ones(2, 5, 5)
    batch = {
        "input_ids": torch.ones(2, 5, dtype=torch.long),
        "attention_mask": mask,
        "labels": torch.ones(2, 3),
        "others": torch.ones(2),
    }
    longer = lengthened(batch, 8, 7)
    assert {name: tuple(tensor.shape) for name, tensor in longer.items()} == {
        "input_ids": (2, 8),
        "attention_mask": (2, 8, 5),
        "labels": (2, 3),
        "others": (2,),
    }
    assert longer["input_ids"][0].tolist() == [1] * 5 + [7] * 3


def test_without_a_mask_that_hides_padding_nothing_is_lengthened() -> None:
    batch = {"input_ids": torch.ones(2, 5, dtype=torch.long)}
    assert lengthened(batch, 8) is batch
