from typing import Any

import pytest

from benchmarks.core.protocols import NO_SWITCH, PROTOCOLS, SWITCHES, protocol_settings
from benchmarks.core.settings import lay_over, load_settings, parse_assignment, resolve
from benchmarks.core.spec import InputError


def config(*assignments: str, preset: str = "quick", task: str = "mnli", method: str = "autolora") -> dict[str, Any]:
    layer: dict[str, Any] = {}
    for assignment in assignments:
        layer = lay_over(layer, parse_assignment(assignment))
    return resolve(load_settings(preset, layer), task, method)


def flat(table: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(table, dict):
        return {path: table}
    return {key: value for name, part in table.items() for key, value in flat(part, f"{path}.{name}").items()}


def changed(*assignments: str, **where: str) -> dict[str, Any]:
    """The settings that the assignments change."""
    before, after = flat(config(**where)), flat(config(*assignments, **where))
    return {key.lstrip("."): value for key, value in after.items() if before.get(key) != value}


OTHER_VALUES = {
    "split": 0.25,
    "split_by": "row",
    "learning_rates": "released",
    "rank_rule": "logits",
    "initial_logit": 1.0,
    "eta": 1.0,
    "look_ahead": "optimizer",
    "engine": "finite-difference",
    "mixed_gradients": True,
    "order": "weights-first",
    "scaling": "constant",
    "trainable": "biases",
    "search_trainable": "all",
    "search_batch_size": 32,
    "epochs": "released",
    "drop_last": True,
    "pooled": True,
    "epoch": "held-out",
    "optimizer": "adam",
}


def test_every_switch_is_tried() -> None:
    assert set(OTHER_VALUES) == set(SWITCHES)


@pytest.mark.parametrize("name", SWITCHES)
def test_each_switch_alone_changes_settings_of_a_cell(name: str) -> None:
    method = "autolora_first_order" if name == "mixed_gradients" else "autolora"
    value = OTHER_VALUES[name]
    text = str(value).lower() if isinstance(value, bool) else value
    assert changed(f"protocol.{name}={text}", method=method)


def test_the_clean_protocol_is_the_default_and_changes_nothing() -> None:
    assert changed("protocol.base=clean") == {}


def test_the_released_protocol_has_the_settings_of_the_authors_code() -> None:
    assert changed("protocol.base=released") == {
        "split_by": "row",
        "drop_last": True,
        "pooled": True,
        "epoch": "best-on-dev",
        "method.search.valid_share": 0.3,
        "method.search.rank_rule": "logits",
        "method.search.initial_logit": 1.0,
        "method.search.eta": 1.0,
        "method.search.look_ahead": "optimizer",
        "method.search.engine": "betty",
        "method.search.order": "selection-first",
        "method.search.selection_betas": [0.5, 0.999],
        "method.search.training.weight_decay": 0.0,
        "method.search.training.warmup": 0.0,
        "method.search.training.schedule": "constant",
        "method.search.training.clip_norm": None,
    }


def test_the_released_protocol_takes_eta_zero_from_the_authors_other_script() -> None:
    search = config("protocol.base=released", method="autolora_first_order")["method"]["search"]
    assert (search["mixed_gradients"], search["order"], search["eta"], search["engine"]) == (
        True,
        "weights-first",
        0.0,
        "exact",
    )
    assert (search["rank_rule"], search["initial_logit"], search["selection_betas"]) == ("selection", 0.0, [0.9, 0.999])
    training = search["training"]
    assert (training["weight_decay"], training["warmup"], training["schedule"]) == (0.01, 0.06, "linear")
    search = config(preset="released", task="cola", method="autolora_first_order")["method"]["search"]
    assert (search["training"]["lr"], search["selection_lr"], search["training"]["epochs"]) == (1e-4, 1e-3, 50)


def test_the_paper_preset_uses_the_papers_protocol_and_the_released_one_the_authors_sizes() -> None:
    assert load_settings("paper").protocol == "paper"
    assert config(preset="paper")["method"]["search"]["order"] == "weights-first"
    released = config(preset="released", task="cola")["method"]
    assert (released["search"]["training"]["lr"], released["search"]["selection_lr"]) == (3e-4, 3e-4)
    assert (released["search"]["training"]["epochs"], released["retrain"]["training"]["epochs"]) == (20, 30)
    assert config(preset="released", task="qqp")["method"]["retrain"]["training"]["epochs"] == 10
    assert released["search"]["training"]["batch_size"] == 32
    assert released["retrain"]["training"]["batch_size"] == 16


def test_the_command_line_wins_over_the_protocol_and_the_protocol_over_the_preset() -> None:
    both = config("protocol.base=released", "methods.autolora.search.valid_share=0.4")
    assert both["method"]["search"]["valid_share"] == 0.4
    assert config("protocol.base=clean", preset="paper")["method"]["search"]["order"] == "simultaneous"


def test_an_overridden_switch_is_part_of_the_protocols_name() -> None:
    assert protocol_settings({"base": "paper", "drop_last": True})[0] == "paper, drop_last=True"
    assert protocol_settings({"base": "paper", "drop_last": False})[0] == "paper"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"base": "papr"}, "paper"),
        ({"droplast": True}, "drop_last"),
        ({"drop_last": 1}, "False, True"),
        ({"order": "sideways"}, "'simultaneous'"),
        ({"split": "half"}, "a number"),
        ({"search_batch_size": True}, "a number"),
    ],
)
def test_unknown_switches_and_values_are_refused(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        protocol_settings(chosen)


def test_rows_of_the_comparison_are_switches_or_explained() -> None:
    assert {switch.row for switch in SWITCHES.values()} | set(NO_SWITCH) == set(range(1, 22))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_switch_has_a_value_that_it_allows_under_every_protocol(protocol: str) -> None:
    for switch in SWITCHES.values():
        assert not switch.refuses(switch.value(protocol))
