"""Settings of a run, merged in layers: defaults, preset, protocol, command line; unknown keys are errors."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, replace
from functools import reduce
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from benchmarks.core import registry
from benchmarks.core.nested import Table, build, flat, for_fields_of, merge, plain, spread
from benchmarks.core.protocols import protocol_settings
from benchmarks.core.registry import canonical, unknown_name
from benchmarks.core.spec import InputError

PRESETS = Path(__file__).parent / "presets"
SECTIONS = ("run", "training", "methods", "tasks", "tuning", "protocol")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Settings of a cell that are not the method's: `[run]` sets them for all tasks, `[tasks.NAME]` for one task."""

    model: str
    """"minilm", "smollm2", a Hub id, a local folder, or "random:" and the name of an architecture."""
    data: str
    """"embedded", "hub", or a folder in the official layout."""
    partial: bool = False
    """Accept a sample of a split where the whole split is not available."""
    max_length: int
    """Tokens per example; longer examples are truncated."""
    dropout: float | None = None
    """Dropout probability of the backbone in training; None keeps the values of its config."""
    linear_probe: int = 0
    """Number of training examples on whose frozen features a new head is fitted before anything is trained, for all
    methods alike (Kumar et al., ICLR 2022); 0: the head starts from random values."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass instead of storing them: less memory, more time, the same results."""
    graphs: bool = False
    """Pad batches to a few fixed lengths and, on a GPU, replay each training step as a recorded CUDA graph: faster, but
    with different dropout masks."""
    onednn: bool | Literal["auto"] = "auto"
    """Compute linear layers with oneDNN instead of MKL on a CPU in float32, with other rounding; "auto" does where the
    CPU has AVX-512, where it is faster."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """"auto" is bf16 where the device supports it in hardware, fp32 elsewhere."""
    device: str = "auto"
    """A torch device; "auto" is cuda if a GPU is available."""
    targets: tuple[str, ...] | str | None = None
    """Linear layers to adapt: ends of their names, a regular expression for full names, or "all-linear", as PEFT's
    `target_modules`; None: the query and value projections, for an architecture with built-in names."""
    label_smoothing: float = 0.0
    """Label smoothing of the training loss, in [0, 1); for text generation tasks only."""
    answers: Literal["cloze", "letters", "generated"] | None = None
    """How a language model answers questions with choices: it scores the choices' texts, "cloze", or "letters" that the
    prompt gives them, or the choice's name is looked for in a text that is "generated"; None: the task's own way."""
    split_by: Literal["input", "row"] = "input"
    """Unit of the train/valid split: "input" keeps all rows of one input in the same part, "row" splits row by row."""
    drop_last: bool = False
    """Leave the last incomplete evaluation batch of 16 out of the score, as the authors' code does."""
    pooled: bool = False
    """Score all evaluation splits as one set, as the authors' code does for MNLI, instead of each split separately."""
    epoch: Literal["last", "held-out", "best-on-dev"] = "last"
    """Epoch whose model is scored: the last; the best on a tenth of the training set, which is then excluded from
    training; or the best on the evaluation split itself, which is optimistic."""
    held_out: float = 0.0
    """For tuning: share of the training set that is excluded from training and scored instead of the evaluation splits."""
    curve: bool = False
    """Also evaluate after every epoch."""
    save_adapter: bool = False
    """Save the trained adapter in PEFT's format and a model card next to the result of every cell that is run."""
    track: Literal["", "tensorboard", "wandb", "mlflow", "trackio"] = ""
    """Experiment tracker that losses and scores are logged to; none by default."""
    checkpoint_seconds: float = 60.0
    """Minimum number of seconds between two checkpoints."""

    def __post_init__(self) -> None:
        if self.max_length < 8:
            raise ValueError(f"max_length must be at least 8 tokens; got {self.max_length}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be a probability in [0, 1); got {self.dropout}")
        if self.linear_probe < 0:
            raise ValueError(f"linear_probe must be a number of examples, or 0 for none; got {self.linear_probe}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1); got {self.label_smoothing}")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must be a share of the training set in [0, 1); got {self.held_out}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The layers of settings of a run: presets, protocol, command line."""

    preset: str
    protocol: str
    """The protocol's name, and the switches that differ from it."""
    layers: tuple[Table, ...]
    """Tables in a preset's layout, the weakest first."""
    sources: tuple[str, ...] = ()
    """Where each layer comes from, such as "preset quick"."""

    def section(self, name: str) -> Table:
        """One section, merged over all layers."""
        return section(self.layers, name)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the run; 0 alone by default."""
        return tuple(self.section("run").get("seeds", (0,)))


def load_settings(preset: str, command_line: Table | None = None) -> Settings:
    """Read a preset and put the layers of its protocol and of the command line over it.

    Args:
        preset: the name of a file in `presets/`, or the path of a preset file, ending in ".toml".
        command_line: a table in a preset's layout.

    Raises:
        InputError: the preset does not exist or is not valid TOML, or it names an unknown section, task, method or
            switch.
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
    """One section, merged over layers, the weakest first."""
    return reduce(lay_over, (layer.get(name, {}) for layer in layers), {})


def lay_over(weaker: Table, stronger: Table) -> dict[str, Any]:
    """Merge two layers of settings; a training length in `epochs` in the stronger one replaces one in `steps`.

    Without this rule the weaker layer's `steps` would take precedence over the stronger layer's `epochs`.
    """
    return merge(_without_replaced_steps(weaker, stronger), stronger)


def _without_replaced_steps(weaker: Table, stronger: Table) -> Table:
    kept = {name: value for name, value in weaker.items() if not (name == "steps" and "epochs" in stronger)}
    for name, value in kept.items():
        above = stronger.get(name)
        if isinstance(value, Mapping) and isinstance(above, Mapping):
            kept[name] = _without_replaced_steps(value, above)
    return kept


def preset_name(preset: str) -> str:
    """The preset's name as results record it, whether it is given by name or by path."""
    return _path(preset).stem


def preset_names() -> list[str]:
    """Names of the benchmark's own presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def preset_description(name: str) -> str:
    """The first sentence of the comment at the top of a preset file."""
    lines = takewhile(lambda line: line.startswith("#"), _path(name).read_text("utf-8").splitlines())
    return " ".join(line.lstrip("# ") for line in lines).partition(". ")[0].rstrip(".")


def resolve(settings: Settings, task: str, method: str) -> dict[str, Any]:
    """Resolve all settings of the cells of a task and a method to one plain table: the conditions, and "method".

    Later layers override earlier ones. Within a layer, the order is `[training]` (which applies to every field named
    `training` of the method, at any depth), `[methods.M]`, `[tasks.T.training]`, `[tasks.T.methods.M]`.

    Raises:
        InputError: a key is not a setting of the conditions or of the method, or a value is invalid.
    """
    task, method = canonical(task), canonical(method)
    conditions = build(Conditions, _of_all_methods(settings, task), "run")
    values = _of_method(settings, task, method)
    chosen = build(registry.method(method), values, f"methods.{method}", combine=lay_over)
    return plain(conditions) | {"method": plain(chosen)}


def explain(settings: Settings, task: str, method: str) -> dict[str, tuple[Any, str]]:
    """Map each key of `--set` to its value and source for one task and method.

    The source is the last layer that changed the value: one of `settings.sources`, "method NAME" or "default".
    Raises InputError: as `resolve`.
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
    """The conditions that the layers set for a task."""
    conditions: Table = {}
    for layer, task_section in _with_task_sections(settings, task):
        run = {key: value for key, value in layer.get("run", {}).items() if key != "seeds"}
        own = {key: value for key, value in task_section.items() if key not in ("training", "methods")}
        conditions = merge(merge(conditions, run), own)
    return conditions


def _of_method(settings: Settings, task: str, method: str) -> Table:
    """The settings that the layers give a method, starting from those of the method it varies or depends on."""
    kind = registry.method(method)
    variant, needed = registry.variant(method), registry.needed(method)
    chosen: Table = {}
    if variant:
        chosen = lay_over(_of_method(settings, task, canonical(variant.of)), variant.changes)
    elif needed:
        chosen = for_fields_of(kind, _of_method(settings, task, canonical(needed)))
    for sections in _with_task_sections(settings, task):
        for part in sections:
            if not (variant or needed):
                chosen = lay_over(chosen, spread(kind, "training", part.get("training", {})))
            chosen = lay_over(chosen, _named(part.get("methods", {})).get(method, {}))
    return chosen


def _with_task_sections(settings: Settings, task: str) -> Iterator[tuple[Table, Table]]:
    """Each layer with its `[tasks.NAME]` section."""
    return ((layer, _named(layer.get("tasks", {})).get(task, {})) for layer in settings.layers)


def parse_assignment(text: str) -> Table:
    """Parse "dotted.key=value" to a nested table; a value that is not valid TOML is text. Raises InputError: no "="."""
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
    """Source -> table, for all presets that a preset extends, and for the preset itself last."""
    path = _path(preset)
    if path in extending:
        raise InputError(
            f"presets extend each other in a cycle ({extending[-1]} extends {preset}); remove one `extends`"
        )
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
            raise InputError(f"{section} must be a table of settings; got {table!r}")
    for task in layer.get("tasks", {}):
        if canonical(task) not in registry.task_names():
            raise unknown_name("task", task, registry.task_names())
    for part in (layer, *layer.get("tasks", {}).values()):
        for method in part.get("methods", {}):
            if canonical(method) not in registry.method_names():
                raise unknown_name("method", method, registry.method_names())


def _named(table: Table) -> dict[str, Any]:
    return {canonical(name): values for name, values in table.items()}
