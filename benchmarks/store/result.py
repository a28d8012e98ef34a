"""What is known of one finished or failed cell: the content of its `result.json` (results/README.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from benchmarks.core.nested import digest
from benchmarks.core.untrusted import check_folder_names

SCHEMA = 3
"""Raised when a field changes its meaning, comes, or goes; MIGRATIONS says how older files are read."""

Scores = Mapping[str, float | None]
"""Metric name -> value on the paper's scale; None where it is not defined."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where a cell was computed, and by which code."""

    python: str
    packages: Mapping[str, str]
    """Distribution name -> version, for those that move numbers."""
    device: str
    """"cpu" or "cuda"."""
    device_name: str
    """Model of the CPU or the GPU."""
    threads: int
    processes: int = 1
    """That trained the cell together."""
    precision: str
    commit: str | None
    """Git commit of this project; None where it is not known."""
    clean: bool | None
    """Whether the code was as committed; what lies in results/ does not count."""

    def __post_init__(self) -> None:
        if "torch" not in self.packages:
            raise ValueError(f"packages name torch and its version; got {sorted(self.packages)}")

    @property
    def key(self) -> str:
        """sha256 over what decides whether two runs of a cell can be expected to agree to the bit."""
        several = [self.processes] if self.processes > 1 else []
        return digest([self.packages["torch"], self.device_name, self.threads, self.precision, *several])


@dataclass(frozen=True, kw_only=True)
class Result:
    """One cell's measurement. Reports are made of these alone."""

    schema: int = SCHEMA
    status: Literal["done", "failed"]
    reason: str | None = None
    """Why the cell failed."""
    task: str
    method: str
    seed: int
    preset: str
    """The preset that the settings started from; they may differ from it."""
    protocol: str
    """The protocol's name, and which switches are not as it has them."""
    task_title: str
    method_title: str
    metric: str
    """Name of the headline metric."""
    split: str
    """Name of the headline evaluation split."""
    config: Mapping[str, Any]
    """All settings of the cell, resolved."""
    identity: str
    """sha256 of all that decides the numbers but the environment."""
    configuration: str
    """The same without the seed: results that differ in it are never averaged."""
    versions: Mapping[str, int]
    """"task" and "method"."""
    fingerprints: Mapping[str, str]
    """"data" and "model", and the sha256 of the "predictions"."""
    model_title: str
    model_parameters: int
    """Of the backbone, head left out."""
    data_source: str
    partial: tuple[str, ...] = ()
    """Splits of which only a sample was at hand."""
    notes: tuple[str, ...] = ()
    rows: Mapping[str, int]
    """Split -> examples."""
    metrics: Mapping[str, Scores] = field(default_factory=dict)
    """Evaluation split -> metrics."""
    curve: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    """Epochs done -> the same."""
    ranks: Mapping[str, int] | None = None
    trainable_parameters: int | None = None
    """Head left out."""
    head_parameters: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the method adds."""
    seconds: Mapping[str, float]
    """Clock -> wall seconds: "load", the method's stages, "evaluate", and "total" of the process that finished."""
    resumed: bool
    """Whether the cell went on from a checkpoint, so that "total" misses what came before."""
    peak_memory_bytes: int | None = None
    environment: Environment
    finished: str
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        check_folder_names(task=self.task, method=self.method, preset=self.preset, identity=self.identity)
        if not {*self.rows} - {"train"} or min(self.rows.values()) < 1:
            raise ValueError(f"rows count the examples of train and of what is evaluated; got {dict(self.rows)}")

    @property
    def score(self) -> float | None:
        """The headline metric on the headline split; None where it is missing or not defined."""
        return self.metrics.get(self.split, {}).get(self.metric)

    @property
    def resolution(self) -> float:
        """Points that one example of the headline split weighs: no score is known better from a few seeds."""
        evaluated = sum(rows for split, rows in self.rows.items() if split != "train")
        return 100 / self.rows.get(self.split, evaluated)


def _name_the_protocol(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Before there were protocols, every result was of the clean procedure."""
    return {"protocol": "clean", **values}


def as_it_is(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came has a default that says what was before."""
    return values


MIGRATIONS: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = MappingProxyType(
    {1: _name_the_protocol, 2: as_it_is}
)
"""Schema version -> its values as the next version has them."""
