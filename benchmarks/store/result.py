"""The record of one finished or failed cell: the content of its `result.json` (results/README.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from benchmarks.core.nested import digest
from benchmarks.core.untrusted import check_folder_names
from benchmarks.tasks.metrics.scales import Scale, scale_of

SCHEMA = 5
"""Version of the file format, raised when a field is added, removed or changes its meaning; see MIGRATIONS."""

Scores = Mapping[str, float | None]
"""Metric name -> value on the paper's scale; None where the metric is undefined."""


DECISIVE = ("torch", "transformers", "peft", "tokenizers")
"""Packages whose version decides the bits of a result."""


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What decides which kernels a processor runs, and so the bits of what they compute."""

    capability: str
    """Instruction set of torch's own kernels, as torch names it: "DEFAULT", "AVX2", "AVX512"."""
    blas: str | None
    """Library of matrix products that torch was built with, as torch names it: "mkl", "open"; None if unknown."""
    onednn: bool
    """Whether torch may call oneDNN."""
    model: str | None
    """Vendor, family and model number, which MKL and oneDNN look at; None if unknown."""

    def __str__(self) -> str:
        """All of it, for messages."""
        known = (self.capability, self.blas, "oneDNN" if self.onednn else "no oneDNN", self.model)
        return " ".join(part for part in known if part)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Hardware, software and code that computed a cell."""

    python: str
    packages: Mapping[str, str]
    """Distribution name -> version, for packages that affect results."""
    device: str
    """"cpu" or "cuda"."""
    device_name: str
    """Model of the CPU or the GPU."""
    processor: Processor | None = None
    """The processor, also of a GPU's host, which draws the initial head; None where it was not recorded (schemas 1 to 3)."""
    threads: int
    processes: int = 1
    """Number of processes of the (distributed) training."""
    precision: str
    onednn: bool = False
    """Whether float32 linear layers were computed by oneDNN; False where it was not recorded (schemas 1 to 4)."""
    commit: str | None
    """Git commit of this project; None if unknown."""
    clean: bool | None
    """Whether the working tree, results/ aside, was unchanged from the commit; None if unknown."""

    def __post_init__(self) -> None:
        if "torch" not in self.packages:
            raise ValueError(f"packages must contain torch and its version; got {sorted(self.packages)}")

    @property
    def machine(self) -> str:
        """The device's name, with the instruction set of a CPU where it is known."""
        named = self.device == "cpu" and self.processor
        return f"{self.device_name} ({named.capability})" if named else self.device_name

    @property
    def decisive(self) -> dict[str, Any]:
        """Name -> value of the properties under which two runs of a cell are expected to agree bit for bit."""
        return {
            **{name: self.packages.get(name) for name in DECISIVE},
            "python": ".".join(self.python.split(".")[:2]),
            "device": self.device_name,
            "processor": self.processor and str(self.processor),
            "threads": self.threads,
            "processes": self.processes,
            "precision": self.precision,
            **({"linear layers": "oneDNN"} if self.onednn else {}),
        }

    @property
    def key(self) -> str:
        """sha256 over the decisive properties; where the processor is unknown, over those of schemas 1 to 3."""
        if self.processor:
            return digest(self.decisive)
        several = [self.processes] if self.processes > 1 else []
        return digest([self.packages["torch"], self.device_name, self.threads, self.precision, *several])


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of one cell. Reports are computed from results alone."""

    schema: int = SCHEMA
    status: Literal["done", "failed"]
    reason: str | None = None
    """Reason of the failure; None for a finished cell."""
    task: str
    method: str
    seed: int
    preset: str
    """Preset that the settings are based on; the command line may have changed some of them."""
    protocol: str
    """The protocol's name, and the switches that differ from it."""
    task_title: str
    method_title: str
    metric: str
    """Name of the headline metric."""
    split: str
    """Name of the headline evaluation split."""
    config: Mapping[str, Any]
    """All resolved settings of the cell."""
    identity: str
    """sha256 over everything that determines the results, except the environment."""
    configuration: str
    """The same hash without the seed: only results with equal values are averaged."""
    versions: Mapping[str, int]
    """Versions of "task" and "method"."""
    fingerprints: Mapping[str, str]
    """"data" and "model", and the sha256 of the "predictions"."""
    model_title: str
    model_parameters: int
    """Parameters of the backbone, without the head."""
    data_source: str
    partial: tuple[str, ...] = ()
    """Splits of which only a sample was available."""
    notes: tuple[str, ...] = ()
    rows: Mapping[str, int]
    """Split -> number of examples."""
    metrics: Mapping[str, Scores] = field(default_factory=dict)
    """Evaluation split -> metrics."""
    collapsed: bool | None = None
    """Whether the training has learned nothing, by the predictions on the headline split: they are all alike, or score
    below the constant prediction. None for a failed cell, and where it was not recorded (schemas 1 to 3)."""
    curve: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    """Number of finished epochs -> evaluation split -> metrics."""
    ranks: Mapping[str, int] | None = None
    trainable_parameters: int | None = None
    """Trainable parameters, without the head."""
    head_parameters: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further values that the method reports."""
    seconds: Mapping[str, float]
    """Stage -> wall-clock seconds: "load", the method's stages, "evaluate", and "total" of the process that finished."""
    resumed: bool
    """Whether the cell was resumed from a checkpoint, so that "total" excludes the time before it."""
    peak_memory_bytes: int | None = None
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        check_folder_names(task=self.task, method=self.method, preset=self.preset, identity=self.identity)
        if not {*self.rows} - {"train"} or min(self.rows.values()) < 1:
            raise ValueError(
                f"rows must give positive numbers of examples, also of an evaluation split; got {dict(self.rows)}"
            )

    @property
    def score(self) -> float | None:
        """The headline metric on the headline split; None if it is missing or undefined."""
        return self.metrics.get(self.split, {}).get(self.metric)

    @property
    def scale(self) -> Scale:
        """The scale of the headline metric."""
        return scale_of(self.metric)

    @property
    def resolution(self) -> float:
        """Contribution of one example of the headline split to the score: the finest difference to resolve."""
        evaluated = sum(rows for split, rows in self.rows.items() if split != "train")
        return self.scale.top / self.rows.get(self.split, evaluated)


def _add_protocol(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the protocol: all results of schema 1 follow the clean procedure."""
    return {"protocol": "clean", **values}


def unchanged(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Migration for added fields whose defaults describe the earlier behaviour."""
    return values


MIGRATIONS: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = MappingProxyType(
    {1: _add_protocol, 2: unchanged, 3: unchanged, 4: unchanged}
)
"""Schema version -> function from the content of a file to the content in the next version."""
