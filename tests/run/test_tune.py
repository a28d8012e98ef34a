from functools import partial

import pytest

from benchmarks.core.settings import load_settings, resolve
from benchmarks.core.spec import InputError
from benchmarks.run.tune import Trials, trials
from benchmarks.tasks.metrics.scales import POINTS

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
    assert settings.seeds == (0,)
    assert settings.preset == "small-tuning"


def test_a_method_without_rates_is_an_error_that_says_where_they_belong() -> None:
    with pytest.raises(InputError, match=r"tuning\.lr\.lora"):
        trials(load_settings("quick"), ["lora"])


def test_the_best_score_wins_and_the_smaller_rate_among_equals() -> None:
    tried = partial(Trials, task="cola", method="lora", keys=(("training", "lr"),), scale=POINTS)
    assert tried(scores={1e-4: 10.0, 1e-3: 30.0, 1e-2: 20.0}).best == 1e-3
    assert tried(scores={1e-4: 30.0, 1e-3: 30.0, 1e-2: None}).best == 1e-4


def test_the_papers_rate_replaces_every_tuned_one() -> None:
    settings = load_settings("small_paper_rate")
    assert resolve(settings, "cola", "lora")["method"]["training"]["lr"] == 1e-4
    assert resolve(settings, "rte", "autolora")["method"]["retrain"]["training"]["lr"] == 1e-4
    assert (
        resolve(settings, "rte", "lora")["max_length"] == resolve(load_settings("small"), "rte", "lora")["max_length"]
    )
