"""Settings of a run: defaults -> a preset -> a protocol -> the command line; unknown keys are refused."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, replace
from functools import reduce
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from benchmarks.core import registry
from benchmarks.core.nested import Table, build, flat, merge, plain, shared, spread
from benchmarks.core.protocols import protocol_settings
from benchmarks.core.registry import canonical, unknown_name
from benchmarks.core.spec import InputError

PRESETS = Path(__file__).parent / "presets"
SECTIONS = ("run", "training", "methods", "tasks", "tuning", "protocol")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What cells of all methods have in common; `[run]` sets it, `[tasks.NAME]` for one task."""

    model: str
    """"minilm", a Hub id, a local folder, or "random:" and the name of an architecture."""
    data: str
    """"embedded", "hub", or a folder in the official layout."""
    partial: bool = False
    """Take a split's sample where the whole split is not at hand."""
    max_length: int
    """Tokens per example; longer ones are cut."""
    dropout: float | None = None
    """Share of the backbone's activations dropped in training; None leaves what it was pretrained with."""
    gradient_checkpointing: bool = False
    """Keep no activations for the backward pass, but compute them anew: less memory, more time, the same numbers."""
    graphs: bool = False
    """Pad batches to one of few lengths, and on a GPU launch all kernels of a step at once, recorded as a CUDA graph:
    faster, other dropout masks."""
    onednn: bool = False
    """Compute linear layers by oneDNN where a CPU computes in float32: faster on AMD processors, other rounding."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """"auto" is bf16 where the device has it in hardware."""
    device: str = "auto"
    """A torch device; "auto" is cuda where there is one."""
    targets: tuple[str, str] | None = None
    """Last names of the query and the value projection, for a backbone whose architecture is not known."""
    label_smoothing: float = 0.0
    """Share of a token's probability that the training loss spreads over all tokens; where texts are written only."""
    split_by: Literal["input", "row"] = "input"
    """What a split of the training set keeps together: all rows that were made from one input, or nothing."""
    drop_last: bool = False
    """Leave the evaluation's last incomplete batch of 16 out of the score, as the authors' code does."""
    pooled: bool = False
    """Score all evaluation splits as one, as the authors' code does for MNLI, instead of the first by itself."""
    epoch: Literal["last", "held-out", "best-on-dev"] = "last"
    """Which epoch's model is scored: the last; the best on a tenth of the training set, which is then not trained
    on; or the best on the evaluation split itself, which is optimistic."""
    held_out: float = 0.0
    """Share of the training set that is scored instead of the evaluation splits, and not trained on: for tuning."""
    curve: bool = False
    """Evaluate after every epoch too."""
    save_adapter: bool = False
    """Keep the trained adapter, as PEFT loads it, and a model card beside the result of a cell that runs."""
    track: Literal["", "tensorboard", "wandb", "mlflow", "trackio"] = ""
    """Experiment tracker that losses and scores are told to; none by default."""
    checkpoint_seconds: float = 60.0
    """At least this many seconds lie between two checkpoints."""

    def __post_init__(self) -> None:
        if self.max_length < 8:
            raise ValueError(f"max_length is at least 8 tokens; got {self.max_length}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share of activations, in [0, 1); got {self.dropout}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is a share of probability, in [0, 1); got {self.label_smoothing}")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out is a share of the training set, in [0, 1); got {self.held_out}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A preset and what the command line changes in it."""

    preset: str
    protocol: str
    """Its name, and which switches are not as it has them."""
    layers: tuple[Table, ...]
    """Tables in a preset's layout, the weakest first."""
    sources: tuple[str, ...] = ()
    """Where each layer comes from, such as "preset quick"."""

    def section(self, name: str) -> Table:
        """One section of all layers together."""
        return section(self.layers, name)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that the preset or the command line asks for."""
        return tuple(self.section("run").get("seeds", (0,)))


def load_settings(preset: str, command_line: Table | None = None) -> Settings:
    """Read a preset, and lay its protocol and the command line over it.

    Args:
        preset: the name of a file in `presets/`, or the path of one ending in ".toml".
        command_line: a table in a preset's layout.

    Raises:
        InputError: there is no such preset, it is no TOML, or a section, task, method or switch in it is unknown.
    """
    named, last = _read(preset), command_line or {}
    presets = list(named.values())
    for layer in (*presets, last):
        _check_sections(layer)
    protocol, procedure = protocol_settings(section((*presets, last), "protocol"))
    return Settings(
        preset=preset_name(preset),
        protocol=protocol,
        layers=(*presets, procedure, last),
        sources=(*named, f"protocol {protocol}", "command line"),
    )


def section(layers: Iterable[Table], name: str) -> Table:
    """One section of all layers together."""
    return reduce(merge, (layer.get(name, {}) for layer in layers), {})


def preset_name(preset: str) -> str:
    """The name that results have of a preset, which is given by name or by path."""
    return _path(preset).stem


def preset_names() -> list[str]:
    """Names of the presets that come with the benchmark."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def preset_description(name: str) -> str:
    """The first sentence of the comment that a preset begins with."""
    lines = takewhile(lambda line: line.startswith("#"), _path(name).read_text("utf-8").splitlines())
    return " ".join(line.lstrip("# ") for line in lines).partition(". ")[0].rstrip(".")


def resolve(settings: Settings, task: str, method: str) -> dict[str, Any]:
    """All settings of the cells of a task and a method, as one plain table: conditions, and "method".

    From layer to layer, and in each layer from the general to the particular: `[training]` (which every
    field `training` of the method takes, however deep), `[methods.M]`, `[tasks.T.training]`, `[tasks.T.methods.M]`.

    Raises:
        InputError: a key that the conditions or the method do not have, or a value that they refuse.
    """
    task, method = canonical(task), canonical(method)
    conditions = build(Conditions, _of_all_methods(settings, task), "run")
    chosen = build(registry.method(method), _of_method(settings, task, method), f"methods.{method}")
    return plain(conditions) | {"method": plain(chosen)}


def explain(settings: Settings, task: str, method: str) -> dict[str, tuple[Any, str]]:
    """Key of `--set` -> value and source ("default", or one of `settings.sources`), of a task and a method.

    The source is the last layer that changed the value. Raises InputError: as `resolve`.
    """
    task, method = canonical(task), canonical(method)
    resolved = resolve(settings, task, method)
    own = {"methods": {method: resolved.pop("method")}}
    values = {"run.seeds": list(settings.seeds), **flat({"run": resolved}), **flat(own)}
    sources = dict.fromkeys(values, "default")
    known: dict[str, Any] = {}
    for height, source in enumerate((f"method {method}", *settings.sources)):
        below = replace(settings, layers=settings.layers[:height])
        run = {"seeds": list(below.seeds), **_of_all_methods(below, task)} if height else {}
        now = flat({"run": run, "methods": {method: _of_method(below, task, method)}})
        sources |= {key: source for key in sources.keys() & now if now[key] != known.get(key, MISSING)}
        known = now
    return {key: (value, sources[key]) for key, value in values.items()}


def _of_all_methods(settings: Settings, task: str) -> Table:
    """The conditions of a task, as far as they are set."""
    conditions: Table = {}
    for layer, ours in _of_task(settings, task):
        run = {key: value for key, value in layer.get("run", {}).items() if key != "seeds"}
        own = {key: value for key, value in ours.items() if key not in ("training", "methods")}
        conditions = merge(merge(conditions, run), own)
    return conditions


def _of_method(settings: Settings, task: str, method: str) -> Table:
    """A method's settings, over those of the method that it is a variant of or needs."""
    kind = registry.method(method)
    variant, needed = registry.variant(method), registry.needed(method)
    chosen: Table = {}
    if variant:
        chosen = merge(_of_method(settings, task, canonical(variant.of)), variant.changes)
    elif needed:
        chosen = shared(kind, _of_method(settings, task, canonical(needed)))
    for parts in _of_task(settings, task):
        for part in parts:
            if not (variant or needed):
                chosen = merge(chosen, spread(kind, "training", part.get("training", {})))
            chosen = merge(chosen, _named(part.get("methods", {})).get(method, {}))
    return chosen


def _of_task(settings: Settings, task: str) -> Iterator[tuple[Table, Table]]:
    """Layer by layer: all of it, and what it has for the task."""
    return ((layer, _named(layer.get("tasks", {})).get(task, {})) for layer in settings.layers)


def parse_assignment(text: str) -> Table:
    """A table from "dotted.key=value"; the value is TOML, or else a string. Raises InputError: there is no "="."""
    key, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise InputError(f"--set takes dotted.key=value, as in training.lr=1e-4; got {text!r}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return reduce(lambda inner, name: {name.strip(): inner}, reversed(key.split(".")), parsed)


def _path(preset: str) -> Path:
    return Path(preset) if preset.endswith(".toml") else PRESETS / f"{preset}.toml"


def _read(preset: str, extending: Sequence[Path] = ()) -> dict[str, Table]:
    """Source -> table, of the presets that a preset extends, and its own."""
    path = _path(preset)
    if path in extending:
        raise InputError(f"{extending[-1]} extends {preset}, which extends it: let one of them extend none")
    if not path.is_file():
        raise unknown_name("preset", preset, preset_names())
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    extended = own.pop("extends", None)
    return {**(_read(extended, (*extending, path)) if extended else {}), f"preset {preset}": own}


def _check_sections(layer: Table) -> None:
    for section, table in layer.items():
        if section not in SECTIONS:
            raise unknown_name("section", section, SECTIONS)
        if not isinstance(table, Mapping):
            raise InputError(f"{section} is a table of settings; got {table!r}")
    for task in layer.get("tasks", {}):
        if canonical(task) not in registry.task_names():
            raise unknown_name("task", task, registry.task_names())
    for part in (layer, *layer.get("tasks", {}).values()):
        for method in part.get("methods", {}):
            if canonical(method) not in registry.method_names():
                raise unknown_name("method", method, registry.method_names())


def _named(table: Table) -> dict[str, Any]:
    return {canonical(name): values for name, values in table.items()}
