from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.core import registry
from benchmarks.core.nested import merge
from benchmarks.core.settings import lay_over, load_settings, parse_assignment, preset_names, resolve
from benchmarks.core.spec import InputError
from tests.support import fakes


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch.setattr)


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    return fakes.write_preset(tmp_path)


def config(preset: Path, *assignments: str) -> dict[str, Any]:
    layer: dict[str, Any] = {}
    for assignment in assignments:
        layer = lay_over(layer, parse_assignment(assignment))
    return resolve(load_settings(str(preset), layer), "coin", "steady")


def test_a_setting_that_no_layer_sets_has_the_methods_default(preset: Path) -> None:
    method = config(preset)["method"]
    assert (method["rank"], method["training"]["lr"], method["search"]["training"]["lr"]) == (4, 0.5, 0.25)


def test_training_reaches_every_training_of_a_method_however_deep(preset: Path) -> None:
    method = config(preset, "training.batch_size=7")["method"]
    assert method["training"]["batch_size"] == method["search"]["training"]["batch_size"] == 7


def test_the_more_specific_section_wins(preset: Path) -> None:
    layers = ["training.lr=1", "methods.steady.training.lr=2", "tasks.coin.training.lr=3"]
    assert config(preset, *layers[:2])["method"]["training"]["lr"] == 2.0
    assert config(preset, *layers)["method"]["training"]["lr"] == 3.0
    assert config(preset, *layers, "tasks.coin.methods.steady.training.lr=4")["method"]["training"]["lr"] == 4.0


def test_the_command_line_wins_over_more_specific_sections_of_the_preset(preset: Path) -> None:
    with preset.open("a", encoding="utf-8") as file:
        file.write("[methods.steady.training]\nlr = 2.0\n")
    assert config(preset)["method"]["training"]["lr"] == 2.0
    assert config(preset, "training.lr=0.125")["method"]["training"]["lr"] == 0.125


def test_a_length_in_epochs_replaces_a_weaker_one_in_steps(preset: Path) -> None:
    assert config(preset)["method"]["training"]["steps"] == 3
    training = config(preset, "training.epochs=2")["method"]["training"]
    assert (training["epochs"], training["steps"]) == (2.0, None)


def test_a_task_has_conditions_of_its_own(preset: Path) -> None:
    assert config(preset, "tasks.coin.max_length=32")["max_length"] == 32


@pytest.mark.parametrize(
    ("assigned", "targets"),
    [
        ("all-linear", "all-linear"),
        ('["o_proj"]', ["o_proj"]),
        ('["q_proj", "v_proj"]', ["q_proj", "v_proj"]),
        ('["q_proj", "k_proj", "v_proj"]', ["q_proj", "k_proj", "v_proj"]),
    ],
)
def test_targets_are_any_number_of_names_or_a_string(preset: Path, assigned: str, targets: object) -> None:
    assert config(preset)["targets"] is None
    assert config(preset, f"run.targets={assigned}")["targets"] == targets


def test_assignments_are_toml_or_else_strings() -> None:
    assert parse_assignment("a.b=1e-4") == {"a": {"b": 1e-4}}
    assert parse_assignment("run.model=org/name") == {"run": {"model": "org/name"}}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("methods.steady.rnak=1", "unknown setting in methods.steady 'rnak'; did you mean rank"),
        ("training.learning=1", "unknown setting in methods.steady.*'learning'"),
        ("methods.stedy.rank=1", "unknown method 'stedy'; did you mean steady"),
        ("tasks.con.max_length=9", "unknown task 'con'; did you mean coin"),
        ("run.modle=x", "unknown setting in run 'modle'; did you mean model"),
        ("rnu.model=x", "unknown section 'rnu'; did you mean run"),
        ("run.precision=fp23", "did you mean fp32"),
        ("run.max_length=4", "run: max_length must be at least 8 tokens; got 4"),
        ("methods.steady.rank=four", "methods.steady.rank takes int; got 'four'"),
        ("methods.steady.rank=true", "methods.steady.rank takes int; got True"),
        ("training.lr=-1", "lr must be positive; got -1.0"),
        ("run=3", "run must be a table of settings; got 3"),
        ("noequals", "--set takes dotted.key=value"),
    ],
)
def test_unknown_keys_and_invalid_values_are_named(preset: Path, assignment: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(preset, assignment)


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown preset 'quik'; did you mean quick"):
        load_settings("quik")


def test_a_preset_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[run\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.toml"):
        load_settings(str(path))


def test_every_preset_resolves_for_every_method_and_task() -> None:
    tasks, methods = set(registry.task_names()) - {"coin"}, set(registry.method_names()) - set(fakes.METHODS)
    assert tasks
    assert methods
    assert preset_names() == [
        "large",
        "llm",
        "llm_paper",
        "paper",
        "quick",
        "released",
        "small",
        "small_paper_rate",
        "small_selection_rate",
    ]
    for settings in map(load_settings, preset_names()):
        for task in tasks:
            for method in methods:
                assert resolve(settings, task, method)["method"]


def test_the_paper_preset_has_the_published_values() -> None:
    settings = load_settings("paper")
    lora = resolve(settings, "cola", "lora")["method"]
    autolora = resolve(settings, "qqp", "autolora")["method"]
    assert (lora["rank"], lora["training"]["lr"], lora["training"]["batch_size"]) == (4, 1e-4, 16)
    assert (autolora["search"]["max_rank"], autolora["search"]["selection_lr"]) == (8, 1e-3)
    assert autolora["search"]["training"]["lr"] == 1e-4
    assert autolora["retrain"]["training"]["epochs"] == 10


def test_the_preset_of_llama_has_the_papers_ranks_and_trains_for_epochs() -> None:
    settings = load_settings("llm_paper")
    lora, adalora, autolora = (
        resolve(settings, "arc_easy", name)["method"] for name in ("lora", "adalora", "autolora")
    )
    assert (lora["rank"], adalora["target_rank"], autolora["search"]["max_rank"]) == (4, 4, 8)
    trainings = [lora["training"], adalora["training"], autolora["search"]["training"], autolora["retrain"]["training"]]
    assert [training["steps"] for training in trainings] == [None] * 4
    assert [training["epochs"] for training in trainings] == [3, 3, 1, 3]
    assert {(training["lr"], training["batch_size"], training["micro_batches"]) for training in trainings} == {
        (3e-4, 16, 4)
    }
    conditions = resolve(settings, "arc_easy", "lora")
    assert (conditions["answers"], conditions["gradient_checkpointing"]) == ("letters", True)


def test_a_variant_has_the_original_methods_settings_then_its_changes_then_its_own(preset: Path) -> None:
    def factor_and_lr(*assignments: str) -> tuple[int, float]:
        layer: dict[str, Any] = {}
        for assignment in assignments:
            layer = lay_over(layer, parse_assignment(assignment))
        method = resolve(load_settings(str(preset), layer), "coin", "twice")["method"]
        return method["factor"], method["training"]["lr"]

    assert factor_and_lr() == (2, 0.5)
    assert factor_and_lr("methods.follower.factor=5", "methods.follower.training.lr=0.25") == (2, 0.25)
    assert factor_and_lr("methods.twice.factor=3") == (3, 0.5)


def test_a_method_that_needs_another_shares_its_settings_where_both_have_them(preset: Path) -> None:
    layer = parse_assignment("tasks.coin.methods.steady.training.lr=0.125")
    method = resolve(load_settings(str(preset), layer), "coin", "follower")["method"]
    assert method == {
        "training": {"lr": 0.125, "epochs": 1.0, "steps": 3, "max_steps": None, "batch_size": 2, "micro_batches": 1},
        "factor": 1,
    }


@pytest.mark.parametrize("ring", [["one"], ["one", "two"], ["one", "two", "three"]])
def test_presets_that_extend_each_other_are_refused(ring: list[str], tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.toml" for name in ring]
    for path, extended in zip(paths, [*paths[1:], paths[0]], strict=True):
        path.write_text(f'extends = "{extended}"\n', "utf-8")
    with pytest.raises(InputError, match="extend each other in a cycle"):
        load_settings(str(paths[0]))


def test_merging_tables_keeps_both_lengths_and_laying_layers_over_each_other_the_stronger_one() -> None:
    weaker = {"search": {"training": {"steps": 3, "lr": 0.5}}}
    stronger = {"search": {"training": {"epochs": 2}}}
    assert merge(weaker, stronger) == {"search": {"training": {"steps": 3, "lr": 0.5, "epochs": 2}}}
    assert lay_over(weaker, stronger) == {"search": {"training": {"lr": 0.5, "epochs": 2}}}
    assert lay_over(stronger, weaker) == {"search": {"training": {"epochs": 2, "steps": 3, "lr": 0.5}}}


def test_a_length_in_epochs_replaces_a_methods_default_in_steps(preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Stepwise(fakes.Steady):
        training: fakes.FakeTraining = field(default_factory=lambda: fakes.FakeTraining(steps=7))

    monkeypatch.setattr(registry, "method", lambda _: Stepwise)
    run = {"model": "minilm", "data": "embedded", "max_length": 8}
    settings = replace(load_settings(str(preset)), layers=({"run": run, "training": {"epochs": 2.0}},))
    training = resolve(settings, "coin", "steady")["method"]["training"]
    assert (training["epochs"], training["steps"]) == (2.0, None)
