from functools import partial
from math import inf

import pytest

from benchmarks.core.settings import load_settings, resolve
from benchmarks.core.spec import InputError
from benchmarks.run.tune import Trials, trials

METHODS = ["full", "adapter", "lora", "adalora", "autolora"]


def test_every_method_gets_as_many_trials() -> None:
    tried = [method for method, _ in trials(load_settings("small"), METHODS)]
    assert len(tried) == 20
    assert {tried.count(method) for method in METHODS} == {4}


def test_a_trial_is_trained_at_its_rate_everywhere_and_scored_on_a_part_of_train() -> None:
    method, settings = trials(load_settings("small"), ["autolora"])[1]
    config = resolve(settings, "cola", method)
    assert config["held_out"] == 0.1
    assert config["method"]["search"]["training"]["lr"] == config["method"]["retrain"]["training"]["lr"] == 3e-4
    assert settings.seeds == (0, 1, 2)
    assert settings.preset == "small-tuning"


def test_a_method_without_rates_is_an_error_that_says_where_they_belong() -> None:
    with pytest.raises(InputError, match=r"tuning\.lr\.lora"):
        trials(load_settings("paper"), ["lora"])


def test_a_rate_is_judged_by_its_mean_less_one_standard_deviation() -> None:
    scores = {1e-4: {"cola": [60.0, 62.0, 64.0]}, 1e-3: {"cola": [80.0, 80.0, 0.0]}, 1e-2: {"cola": [99.0, 99.0, None]}}
    found = Trials(method="lora", keys=(("training", "lr"),), scores=scores)
    assert [found.value(rate) for rate in scores] == pytest.approx([60.0, 53.3333 - 46.1880, -inf], abs=1e-3)
    assert found.best == 1e-4


def test_the_smaller_of_equal_rates_is_best_and_none_if_all_failed() -> None:
    tried = partial(Trials, method="lora", keys=(("training", "lr"),))
    assert tried(scores={1e-4: {"cola": [30.0, 31.0]}, 1e-3: {"cola": [31.0, 30.0]}}).best == 1e-4
    assert tried(scores={1e-4: {"cola": [None, 31.0]}}).best is None


def test_a_rate_for_all_tasks_is_the_best_on_average_and_fails_with_a_task() -> None:
    scores = {
        1e-4: {"cola": [50.0, 50.0], "rte": [70.0, 70.0]},
        1e-3: {"cola": [90.0, 90.0], "rte": [20.0, 20.0]},
        1e-2: {"cola": [99.0, 99.0]},
    }
    found = Trials(method="lora", keys=(("training", "lr"),), scores=scores)
    assert [found.value(rate) for rate in scores] == [60.0, 55.0, -inf]


def test_one_seed_is_too_few() -> None:
    settings = load_settings("small", {"tuning": {"seeds": [0]}})
    with pytest.raises(InputError, match="two seeds"):
        trials(settings, ["lora"])


def test_the_papers_rate_replaces_every_tuned_one() -> None:
    settings = load_settings("small_paper_rate")
    assert resolve(settings, "cola", "lora")["method"]["training"]["lr"] == 1e-4
    assert resolve(settings, "rte", "autolora")["method"]["retrain"]["training"]["lr"] == 1e-4
    assert (
        resolve(settings, "rte", "lora")["max_length"] == resolve(load_settings("small"), "rte", "lora")["max_length"]
    )
