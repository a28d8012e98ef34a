"""Protocols "paper" (the paper's text), "released" (the authors' code) and "clean" (good practice), as switches.

Each point in which the protocols may differ is a switch. Switches change the procedure: splits, update order, rules,
which examples are scored. Learning rates, batch sizes and epochs come from the preset under every protocol; they have
switches only so that the authors' values can be tried one at a time. Row numbers refer to docs/protocols.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any, Literal

from benchmarks.core.nested import Table, merge
from benchmarks.core.registry import unknown_name
from benchmarks.core.spec import InputError

PROTOCOLS = ("paper", "released", "clean")
DEFAULT = "clean"
PRESET = "preset"
"""Value of a switch that keeps the preset's settings."""
LONG_TASKS = ("qqp", "mnli")
"""Tasks on which the released code trains for 10 epochs; on all others it trains for 30."""
EVALUATION_BATCH = 16
"""Evaluation batch size of the released code, which drops the last batch if it is incomplete."""


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One point where the paper, the released code and good practice may differ."""

    row: int
    about: str
    paper: Any
    released: Any
    clean: Any
    choices: tuple[Any, ...] | type
    """All allowed values, or the type of a numeric value."""
    settings: Callable[[Any], Table]
    """Value -> settings in a preset's layout."""

    def value(self, protocol: str) -> Any:
        """The switch's value under a protocol."""
        return {"paper": self.paper, "released": self.released, "clean": self.clean}[protocol]

    def refuses(self, value: Any) -> bool:
        """Whether a value is not allowed."""
        if isinstance(self.choices, tuple):
            return not any(type(value) is type(known) and value == known for known in self.choices)
        return value != PRESET and (isinstance(value, bool) or not isinstance(value, self.choices | int))


def _search(**settings: Any) -> Table:
    return {"methods": {"autolora": {"search": settings}}}


def _first_order(**settings: Any) -> Table:
    """Settings of the ablation eta = 0 alone, for which the authors have a script of its own."""
    return {"methods": {"autolora_first_order": {"search": settings}}}


def _retrain(**settings: Any) -> Table:
    return {"methods": {"autolora": {"retrain": settings}}}


def _if_set(settings: Callable[[Any], Table]) -> Callable[[Any], Table]:
    return lambda value: {} if value == PRESET else settings(value)


def _learning_rates(source: str) -> Table:
    paper, released = (
        {"selection_lr": selection, "training": {"lr": weights}} for weights, selection in ((1e-4, 1e-3), (3e-4, 3e-4))
    )
    return _search(**paper) if source == "paper" else merge(_search(**released), _first_order(**paper))


def _optimizer(name: str) -> Table:
    if name == "adamw":
        return {}
    adam = {"weight_decay": 0.0, "warmup": 0.0, "schedule": "constant", "clip_norm": None}
    return _search(selection_betas=(0.5, 0.999), training=adam)


_FIRST_ORDER_SCRIPT = _first_order(
    mixed_gradients=True,
    order="weights-first",
    rank_rule="selection",
    initial_logit=0.0,
    selection_betas=(0.9, 0.999),
    training={"weight_decay": 0.01, "warmup": 0.06, "schedule": "linear"},
)
"""The authors' script for eta = 0: what it does not clear, and in what else it differs from their other search."""


def _epochs(_: str) -> Table:
    """Epochs of the released code; the section of a task replaces its method's section, so it repeats the search's."""
    searches = merge(_search(training={"epochs": 20}), _first_order(training={"epochs": 50}))
    return {
        "training": {"epochs": 30},
        **searches,
        "tasks": {task: {"training": {"epochs": 10}, **searches} for task in LONG_TASKS},
    }


SWITCHES: Mapping[str, Switch] = MappingProxyType(
    {
        "split": Switch(
            row=1,
            about="share of the training set that becomes D_val",
            paper=0.5, released=0.3, clean=0.5, choices=float,
            settings=lambda share: _search(valid_share=float(share)),
        ),
        "split_by": Switch(
            row=1,
            about="what the split keeps together, where several texts tell one record: all of them, or nothing",
            paper="row", released="row", clean="input", choices=("input", "row"),
            settings=lambda unit: {"run": {"split_by": unit}},
        ),
        "learning_rates": Switch(
            row=2,
            about="of the search, weights and selection: the paper has 1e-4 and 1e-3, the released code 3e-4 for both",
            paper=PRESET, released=PRESET, clean=PRESET, choices=(PRESET, "paper", "released"),
            settings=_if_set(_learning_rates),
        ),
        "rank_rule": Switch(
            row=3,
            about="what the threshold 1/k is laid on: the selection variables, or (GLUE, released) raw logits",
            paper="selection", released="logits", clean="selection", choices=("selection", "logits"),
            settings=lambda rule: _search(rank_rule=rule),
        ),
        "initial_logit": Switch(
            row=4,
            about="what selection logits start from; unsaid in the paper, 1 in the released search for GLUE",
            paper=PRESET, released=1.0, clean=PRESET, choices=float,
            settings=_if_set(lambda value: _search(initial_logit=float(value))),
        ),
        "eta": Switch(
            row=5,
            about="weight of the second-order term: the step's learning rate, or betty's 1",
            paper="rate", released=1.0, clean="rate", choices=("rate", 0.0, 1.0),
            settings=lambda eta: _search(eta=None if eta == "rate" else eta),
        ),
        "look_ahead": Switch(
            row=5,
            about="where the validation gradient and the mixed derivative are taken: after Eq. 4's gradient step and "
            "before it, or both after the optimizer's step",
            paper="gradient", released="optimizer", clean="gradient", choices=("gradient", "optimizer"),
            settings=lambda look_ahead: _search(look_ahead=look_ahead),
        ),
        "engine": Switch(
            row=5,
            about="how the second-order term is computed",
            paper="exact", released="betty", clean="exact",
            choices=("exact", "finite-difference", "finite-difference-one-sided", "first-order", "betty"),
            settings=lambda engine: _search(engine=engine),
        ),
        "mixed_gradients": Switch(
            row=6,
            about="eta = 0 only: gradients of the other split stay behind and are added to the next update; with the "
            "order, rank rule, betas and schedule of the script that does so",
            paper=False, released=True, clean=False, choices=(False, True),
            settings=lambda mixed: _FIRST_ORDER_SCRIPT if mixed else _first_order(mixed_gradients=False),
        ),
        "order": Switch(
            row=7,
            about="of the updates: Algorithm 1 has the weights first, the released code the selection",
            paper="weights-first", released="selection-first", clean="simultaneous",
            choices=("simultaneous", "weights-first", "selection-first"),
            settings=lambda order: _search(order=order),
        ),
        "scaling": Switch(
            row=9,
            about="of the updates at retraining: 16 / r_l layer by layer, or the same for all; unsaid in the paper",
            paper="by-rank", released="by-rank", clean="by-rank", choices=("by-rank", "constant"),
            settings=lambda scaling: _retrain(scaling=scaling),
        ),
        "trainable": Switch(
            row=11,
            about="beside updates and head: nothing, or the biases at retraining (BioNLP2004, released)",
            paper="updates", released="updates", clean="updates", choices=("updates", "biases"),
            settings=lambda trainable: _retrain(bias="all" if trainable == "biases" else "none"),
        ),
        "search_trainable": Switch(
            row=11,
            about="in the search, beside the head: the updates, or every weight (BioNLP2004, released)",
            paper="updates", released="updates", clean="updates", choices=("updates", "all"),
            settings=lambda trainable: _search(trainable=trainable),
        ),
        "search_batch_size": Switch(
            row=12,
            about="examples per step of the search: 16 in the paper, 32 in the released search for GLUE",
            paper=PRESET, released=PRESET, clean=PRESET, choices=int,
            settings=_if_set(lambda size: _search(training={"batch_size": size})),
        ),
        "epochs": Switch(
            row=13,
            about="unsaid in the paper; released: 20 of search (50 with eta = 0), then 30, but 10 on QQP and MNLI",
            paper=PRESET, released=PRESET, clean=PRESET, choices=(PRESET, "released"),
            settings=_if_set(_epochs),
        ),
        "drop_last": Switch(
            row=14,
            about="leave the evaluation's last incomplete batch of 16 out",
            paper=False, released=True, clean=False, choices=(False, True),
            settings=lambda drop: {"run": {"drop_last": drop}},
        ),
        "pooled": Switch(
            row=15,
            about="score MNLI's matched and mismatched examples as one set; unsaid in the paper",
            paper=False, released=True, clean=False, choices=(False, True),
            settings=lambda pooled: {"run": {"pooled": pooled}},
        ),
        "epoch": Switch(
            row=16,
            about="whose model is scored; unsaid in the paper, and the released code prints the score of every epoch",
            paper="last", released="best-on-dev", clean="last", choices=("last", "held-out", "best-on-dev"),
            settings=lambda epoch: {"run": {"epoch": epoch}},
        ),
        "optimizer": Switch(
            row=20,
            about="of the search: AdamW with decay, schedule and clipping; or Adam with none of them, and averages of "
            "0.5 and 0.999 for the selection",
            paper="adamw", released="adam", clean="adamw", choices=("adamw", "adam"),
            settings=_if_set(_optimizer),
        ),
    }
)  # fmt: skip
"""Name -> switch."""

NO_SWITCH: Mapping[int, str] = MappingProxyType(
    {
        8: "the head is trained in search and retraining: the paper is silent, and nobody does otherwise",
        10: "batch size and learning rate on BioNLP2004 are sizes: they belong to the presets",
        17: "the released retraining sets no seed: no protocol here is without one",
        18: "GPT-2 and the generation tasks are not in the released code",
        19: "adapter, AdaLoRA and full fine-tuning are not in the released code",
        21: "padding to 512 tokens in the released search changes its cost, not its numbers",
    }
)
"""Rows of docs/protocols.md that have no switch, and the reason."""


def whole_batches(examples: int) -> int:
    """Number of examples that the released code scores, given the size of the evaluation split."""
    return examples // EVALUATION_BATCH * EVALUATION_BATCH


def protocol_settings(chosen: Table) -> tuple[str, Table]:
    """Resolve a protocol to its name, followed by the switches that differ from it, and to settings as in a preset.

    Args:
        chosen: "base" is the name of a protocol; every other key is a switch whose value replaces the protocol's.

    Raises:
        InputError: the protocol or a switch is unknown, or a switch does not allow the value.
    """
    base = chosen.get("base", DEFAULT)
    if base not in PROTOCOLS:
        raise unknown_name("protocol", str(base), PROTOCOLS)
    overridden = {name: value for name, value in chosen.items() if name != "base"}
    for name, value in overridden.items():
        if name not in SWITCHES:
            raise unknown_name("switch in protocol", name, SWITCHES)
        if SWITCHES[name].refuses(value):
            choices = SWITCHES[name].choices
            known = ", ".join(map(repr, choices)) if isinstance(choices, tuple) else f"{PRESET!r} or a number"
            raise InputError(f"protocol.{name} takes {known}; got {value!r}")
    values = {name: switch.value(base) for name, switch in SWITCHES.items()} | overridden
    tables = [SWITCHES[name].settings(value) for name, value in values.items()]
    different = [f"{name}={value}" for name, value in overridden.items() if value != SWITCHES[name].value(base)]
    return ", ".join([base, *different]), reduce(merge, tables, {})


Column = Literal["switch", "row", "about", "paper", "released", "clean"]


def switch_rows() -> list[dict[str, Any]]:
    """One table row per switch."""
    return [
        {
            "switch": name,
            "row": switch.row,
            "about": switch.about,
            "paper": switch.paper,
            "released": switch.released,
            "clean": switch.clean,
        }
        for name, switch in SWITCHES.items()
    ]
