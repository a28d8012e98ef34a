from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import InputError
from benchmarks.report.time_to_score import render_times, seconds_to, times_to_score
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import make_result


def with_curve(*scores: float | None, seed: int = 0, **seconds: float) -> Result:
    result = make_result(seed=seed)
    curve = {str(epoch): {result.split: {result.metric: score}} for epoch, score in enumerate(scores, start=1)}
    return replace(result, curve=curve, seconds={"train": 30.0, "evaluate": 99.0, "total": 999.0, **seconds})


def test_training_counts_up_to_the_first_epoch_with_the_score() -> None:
    result = with_curve(10.0, 50.0, 40.0)
    assert seconds_to(10, result) == 10
    assert seconds_to(45, result) == 20
    assert seconds_to(50.1, result) is None


def test_search_and_choice_before_the_training_count_in_full() -> None:
    assert seconds_to(5, with_curve(None, 50.0, search=7.0, choose=2.0, load=5.0)) == 9 + 30


def test_the_median_is_over_the_seeds_that_reach_the_score() -> None:
    results = [with_curve(50.0, 60.0, seed=0), with_curve(10.0, 60.0, seed=1), with_curve(0.0, 1.0, seed=2)]
    ((place, time),) = times_to_score(results, 40).items()
    assert (time.seconds, time.seeds, time.of) == (22.5, 2, 3)
    assert "22 s (2/3)" in render_times({place: time}, 40)
    assert "never (0/3)" in render_times(times_to_score(results, 99), 99)


def test_a_result_without_a_curve_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(InputError, match=r"--set run\.curve=true"):
        seconds_to(1, make_result())


def test_the_command_prints_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = with_curve(10.0, 50.0)
    store = Store(folder=tmp_path)
    store.cell(result.task, result.method, result.identity, result.environment.key).write_result(result, {})
    assert main(["report", "time-to-score", "20", "--runs", str(tmp_path)]) == 0
    assert "30 s (1/1)" in capsys.readouterr().out
