"""A task, methods and a backbone that take milliseconds, found as another package's entry points would be."""

# ruff: noqa: ARG001, ARG002, ARG005  a fake has the signature of what it stands for

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import benchmarks.cli.commands.measuring  # noqa: F401  whatever takes names from `models` has the real ones
from autolora.compute.runtime import NonFiniteLossError
from autolora.problem import Outcome, Problem
from autolora.training.loop import Stage, run_steps
from benchmarks.core import registry
from benchmarks.core.spec import InputError, Prediction, Prepared, TaskData, Variant
from benchmarks.data.models import backbones
from benchmarks.run import plan
from benchmarks.run.machine import environment
from benchmarks.store.result import Environment, Processor, Result

PRESET = """
[run]
model = "fake"
data = "embedded"
max_length = 16
seeds = [0]

[training]
steps = 3
"""


@dataclass(frozen=True, kw_only=True)
class FakeTask:
    version: int = 1
    title: str = "Coin"
    metric: str = "accuracy"
    evaluation_splits: tuple[str, ...] = ("validation",)
    num_labels: int = 2
    head: str = "sequence"

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        if data != "embedded":
            raise InputError(f"{data}/coin.tsv is missing")
        rows = [{"sentence": "heads or tails", "label": label % 2} for label in range(8)]
        return TaskData(splits={"train": rows, "validation": rows[:4]}, fingerprint="f" * 64, source="embedded")

    def prepare(self, data: TaskData, tokenizer: Any, max_length: int) -> Prepared:
        examples = [{"input_ids": [1], "labels": row["label"]} for row in data.splits["train"]]
        return Prepared(train=examples, strata=[0] * 8, evaluation={"validation": examples[:4]}, collate=dict)

    def predict(self, model: nn.Module, examples: Sequence[Any], prepared: Prepared, runtime: Any) -> Prediction:
        value = float(model.weight.detach().sum())  # type: ignore[operator]
        labels = [example["labels"] for example in examples]
        return Prediction(labels=labels, predictions=[0] * len(labels), scores=[[value, -value]] * len(labels))

    def score(self, prediction: Prediction) -> dict[str, float]:
        return {"accuracy": 100 * prediction.scores[0][0]}


@dataclass(frozen=True, kw_only=True)
class FakeTraining:
    lr: float = 0.5
    epochs: float = 1.0
    steps: int | None = None
    max_steps: int | None = None
    batch_size: int = 2
    micro_batches: int = 1

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be positive; got {self.lr}")


@dataclass(frozen=True, kw_only=True)
class Search:
    max_rank: int = 8
    training: FakeTraining = field(default_factory=lambda: FakeTraining(lr=0.25))


@dataclass(frozen=True, kw_only=True)
class Steady:
    """Adds lr to its only weight at every step."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Steady"

    rank: int = 4
    step_seconds: float = 0.0
    search: Search = field(default_factory=Search)
    training: FakeTraining = field(default_factory=FakeTraining)

    def train(self, problem: Problem) -> Outcome:
        model = problem.build_model()
        steps = min(self.training.steps or 1, self.training.max_steps or 1000)

        def step(index: int) -> Tensor:
            time.sleep(self.step_seconds)
            with torch.no_grad():
                model.weight += self.training.lr / 100  # type: ignore[operator]
            return torch.tensor(1.0)

        def observe(done: int) -> None:
            problem.observe(model, done)

        state = {"model": model}
        stage = Stage(name="train", step=step, steps=steps, state=state, after_step=observe)
        seconds = run_steps(stage, problem.runtime)
        return Outcome(
            model=model,
            seconds={"train": seconds},
            trainable_parameters=1,
            head_parameters=2,
            ranks={"query": self.rank},
        )

    def work(self, examples: int) -> float:
        return min(self.training.steps or examples, self.training.max_steps or examples) * self.training.batch_size


@dataclass(frozen=True, kw_only=True)
class Follower:
    """Starts from the rank that Steady ends with."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Follower"
    needs: ClassVar[str] = "steady"

    training: FakeTraining = field(default_factory=FakeTraining)
    factor: int = 1

    def train(self, problem: Problem) -> Outcome:
        if problem.ranks is None:
            raise ValueError("there are no ranks to follow")
        ranks = {name: self.factor * rank for name, rank in problem.ranks.items()}
        return Outcome(
            model=problem.build_model(), seconds={"train": 1.0}, trainable_parameters=1, head_parameters=2, ranks=ranks
        )

    def work(self, examples: int) -> float:
        return examples


TWICE = Variant(of="follower", title="Twice", changes={"factor": 2})


@dataclass(frozen=True, kw_only=True)
class Exploding:
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Exploding"

    def train(self, problem: Problem) -> Outcome:
        raise NonFiniteLossError("train: the loss is nan at step 2 of 3; try a lower lr")

    def work(self, examples: int) -> float:
        return examples


COIN = FakeTask()
METHODS = {"steady": "Steady", "follower": "Follower", "twice": "TWICE", "exploding": "Exploding"}


def install(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """Put the fakes where tasks, methods and backbones are looked for."""
    found = {
        "autolora_bench.tasks": [EntryPoint("coin", f"{__name__}:COIN", "autolora_bench.tasks")],
        "autolora_bench.methods": [
            EntryPoint(name, f"{__name__}:{attribute}", "autolora_bench.methods") for name, attribute in METHODS.items()
        ],
    }
    backbone = SimpleNamespace(
        title="Fake",
        parameters=10,
        multiplied=8,
        positions=512,
        tokenizer=None,
        new_modules=lambda head: ("classifier",),
        builder=_builder,
    )
    set_attribute(registry, "entry_points", lambda group: found[group])
    set_attribute(backbones, "open_backbone", lambda name: backbone)
    set_attribute(backbones, "fingerprint", lambda name: "e" * 64)
    set_attribute(environment, "code_version", lambda: ("c" * 40, True))
    set_attribute(plan, "matmul_rate", lambda *_, **__: 1e11)


class Clock:
    """A clock that stands still but for what sleeps, and then wakes at once."""

    def __init__(self, set_attribute: Callable[[Any, str, Any], None]) -> None:
        self.now = 0.0
        set_attribute(time, "perf_counter", lambda: self.now)
        set_attribute(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def slower(self, function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        """The function, which takes so long at every call."""

        def slowed(*arguments: Any, **options: Any) -> Any:
            self.sleep(seconds)
            return function(*arguments, **options)

        return slowed


def write_preset(folder: Path) -> Path:
    path = folder / "fake.toml"
    path.write_text(PRESET, encoding="utf-8")
    return path


def make_result(**changes: Any) -> Result:
    """A finished result of LoRA on CoLA."""
    values: dict[str, Any] = {
        "status": "done",
        "task": "cola",
        "method": "lora",
        "seed": 0,
        "preset": "quick",
        "protocol": "clean",
        "task_title": "CoLA",
        "method_title": "LoRA",
        "metric": "matthews",
        "split": "validation",
        "config": {"model": "minilm"},
        "identity": "a" * 64,
        "configuration": "b" * 64,
        "versions": {"task": 1, "method": 1},
        "fingerprints": {"data": "d", "model": "m"},
        "model_title": "MiniLM-L6",
        "model_parameters": 22_700_000,
        "data_source": "embedded",
        "rows": {"train": 8, "validation": 4},
        "metrics": {"validation": {"matthews": 50.0}},
        "trainable_parameters": 36_864,
        "head_parameters": 770,
        "seconds": {"load": 0.5, "train": 2.0, "total": 3.0},
        "resumed": False,
        "environment": make_environment(),
        "finished": "2026-01-01T00:00:00+00:00",
    }
    return Result(**values | changes)


AVX2 = Processor(capability="AVX2", blas="mkl", onednn=True, model="AuthenticAMD family 25 model 1")
AVX512 = replace(AVX2, capability="AVX512")


def make_environment(**changes: Any) -> Environment:
    values: dict[str, Any] = {
        "python": "3.11.0",
        "packages": {"torch": "2.13.0"},
        "device": "cpu",
        "device_name": "Some CPU",
        "threads": 2,
        "precision": "fp32",
        "commit": "c" * 40,
        "clean": True,
    }
    return Environment(**values | changes)


def scored(score: float | None, **changes: Any) -> Result:
    return make_result(metrics={"validation": {"matthews": score}}, **changes)


def _builder(num_labels: int, seed: int, dropout: float | None, head: str, **_: Any) -> Callable[[], nn.Module]:
    return _zero


def _zero() -> nn.Module:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model


@contextmanager
def in_training_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation as it must not be: with dropout."""
    model.train()
    yield
