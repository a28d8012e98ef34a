"""The regression check: outcomes as before, moved and not comparable."""

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.analysis.regression.comparison import LEVEL, CellCheck, check, exit_status
from benchmarks.analysis.regression.invariants import violations
from benchmarks.analysis.regression.records import refusals
from benchmarks.cli.main import main
from benchmarks.report.check_report import render_check
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import AVX2, AVX512, make_environment, make_result

CELL = ("cola", "lora")
NEW_CODE = make_environment(commit="d" * 40)
NEW_STACK = make_environment(packages={"torch": "2.14.0"})


def runs(scores: Sequence[float], *, bits: str = "", first: int = 0, **changes: Any) -> list[Result]:
    """One result per score; the fingerprint of its predictions consists of `bits`, or else the score, and the seed."""
    return [
        make_result(
            **{
                "seed": seed,
                "rows": {"train": 8, "validation": 200},
                "metrics": {"validation": {"matthews": score}},
                "fingerprints": {"data": "d", "model": "m", "predictions": f"{bits or score}-{seed}"},
            }
            | changes
        )
        for seed, score in enumerate(scores, start=first)
    ]


REFERENCE = runs([60.0, 61.0, 60.5, 59.5, 60.2])


def one(candidates: Sequence[Result], references: Sequence[Result] = REFERENCE) -> CellCheck:
    (found,) = check(candidates, references, [CELL])
    return found


def test_the_same_bits_need_no_statistics() -> None:
    cell = one(REFERENCE[:2])
    assert (cell.outcome, cell.p) == ("same bits", None)
    assert exit_status([cell]) == 0


def test_other_bits_from_the_same_code_and_stack_have_moved() -> None:
    cell = one(runs([60.0, 61.0], bits="other"))
    assert cell.outcome == "moved"
    assert cell.reasons == ("same environment and code, other bits at seed 0, 1",)
    assert exit_status([cell]) == 1


@pytest.mark.parametrize("environment", [NEW_CODE, NEW_STACK])
def test_other_bits_from_other_code_or_another_stack_are_compared_by_their_scores(environment: Any) -> None:
    close = one(runs([60.1, 60.9, 60.3], environment=environment))
    assert close.outcome == "as before"
    assert close.p is not None
    far = one(runs([50.1, 50.9, 50.3], environment=environment))
    assert far.outcome == "moved"
    assert far.reasons[0].startswith("50.4 instead of 60.2 (p ")
    assert (far.code, far.stack) == (
        (("commit was cccccccccccc, is dddddddddddd",), ())
        if environment is NEW_CODE
        else ((), ("torch was 2.13.0, is 2.14.0",))
    )


def test_a_single_new_seed_is_compared_with_the_noise_of_the_reference() -> None:
    assert one(runs([60.6], environment=NEW_CODE)).outcome == "as before"
    assert one(runs([40.0], environment=NEW_CODE)).outcome == "moved"
    alone = one(runs([60.6], environment=NEW_CODE), REFERENCE[:1])
    assert alone.outcome == "not comparable"
    assert "the noise is not known" in alone.reasons[0]
    assert exit_status([alone]) == 2


def test_equal_scores_of_all_seeds_do_not_count_as_free_of_noise() -> None:
    collapsed = runs([0.0] * 5)
    assert (
        one(runs([0.6], environment=NEW_CODE), collapsed).outcome == "as before"
    )  # one example of 200 is half a point
    assert one(runs([30.0], environment=NEW_CODE), collapsed).outcome == "moved"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"versions": {"task": 1, "method": 2}}, "version of the method was 1, is 2"),
        ({"fingerprints": {"data": "other", "model": "m"}}, "fingerprint of the data was d, is other"),
        ({"fingerprints": {"data": "d", "model": "other"}}, "fingerprint of the model was m, is other"),
        ({"environment": make_environment(precision="bf16")}, "precision was fp32, is bf16"),
        ({"preset": "small"}, "preset was quick, is small"),
        ({"protocol": "released"}, "protocol was clean, is released"),
        ({"config": {"model": "x", "method": {"training": {"lr": 1}}}}, "method.training.lr was None, is 1"),
    ],
)
def test_results_of_another_measurement_are_not_compared(changes: dict[str, Any], reason: str) -> None:
    cell = one(runs([60.0, 61.0], **changes))
    assert cell.outcome == "not comparable"
    assert reason in cell.reasons
    assert exit_status([cell]) == 2


def test_settings_without_effect_and_later_added_settings_do_not_prevent_a_comparison() -> None:
    later = replace(REFERENCE[0], config={"model": "the/same/weights", "curve": True, "drop_last": False})
    assert not refusals(later, REFERENCE[0])


def test_a_cell_that_was_not_run_or_has_no_reference_cannot_be_compared() -> None:
    assert one([]).reasons == ("it was not run",)
    assert one(REFERENCE, []).reasons == ("there is no reference",)
    assert exit_status([]) == 2


def test_a_cell_that_fails_has_moved() -> None:
    failed = runs([60.0], status="failed", reason="NonFiniteLossError: the loss is nan", metrics={})
    cell = one(failed)
    assert (cell.outcome, cell.reasons) == ("moved", ("seed 0 failed: NonFiniteLossError: the loss is nan",))


@pytest.mark.parametrize(("processor", "name"), [(AVX512, f"reference {AVX512}"), (None, "reference not recorded")])
def test_another_or_an_unknown_processor_is_named_and_proves_no_change(processor: Any, name: str) -> None:
    here, there = (make_environment(processor=each) for each in (AVX2, processor))
    references = [replace(each, environment=there) for each in REFERENCE]
    cell = one(runs([60.1, 60.9, 60.3], environment=here), references)
    assert cell.outcome == "as before"
    assert cell.stack == (f"another processor ({AVX2}, {name})",)
    assert f"The stack differs: another processor (AVX2 mkl oneDNN AuthenticAMD family 25 model 1, {name})" in (
        render_check([cell], "text", 400)
    )
    assert one(runs([60.1, 60.9, 60.3], environment=there), references).outcome == "moved"


def test_collapsed_cells_of_either_side_are_counted() -> None:
    candidates = runs([60.0, 0.0], bits="other", environment=NEW_CODE, collapsed=False)
    candidates[1] = replace(candidates[1], collapsed=True)
    cell = one([replace(each, identity=f"{each.seed}") for each in candidates])
    assert (cell.candidate_collapsed, cell.reference_collapsed) == (1, None)
    text = render_check([cell], "text", 400)
    assert "30.0 (n=2, 1 collapsed)" in text
    assert "60.2 (n=5)" in text


def test_the_same_bits_on_another_processor_are_the_same_bits() -> None:
    references = [replace(each, environment=make_environment(processor=AVX512)) for each in REFERENCE]
    (cell,) = check(REFERENCE[:1], references[:1], [CELL])
    assert (cell.outcome, cell.reasons) == ("same bits", ())
    assert cell.stack


def test_references_with_the_stack_of_the_candidate_are_preferred() -> None:
    elsewhere = runs([70.0, 71.0, 70.5], environment=NEW_STACK, finished="2026-06-01")
    cell = one(runs([60.1, 60.9], environment=NEW_CODE), [*REFERENCE, *elsewhere])
    assert cell.reference == [60.0, 61.0, 60.5, 59.5, 60.2]
    assert not cell.stack


def test_the_detectable_difference_has_the_stated_power() -> None:
    cell = one(runs([60.1, 60.9, 60.3], environment=NEW_CODE))
    assert cell.detectable_difference is not None
    assert cell.difference is not None
    noncentrality = cell.detectable_difference / cell.difference.error
    critical = stats.t.ppf(1 - LEVEL / 2, 6)
    power = stats.nct.sf(critical, 6, noncentrality) + stats.nct.cdf(-critical, 6, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("cells", [10, 40])
def test_a_shift_by_the_detectable_difference_is_found_in_four_of_five_simulated_checks(cells: int, seeds: int) -> None:
    tasks = [f"task{number}" for number in range(cells)]
    old = [result for task in tasks for result in runs([60.0, 61.0, 60.5, 59.5, 60.2], task=task)]
    new = [
        result
        for task in tasks
        for result in runs([60.1, 60.9, 60.3, 60.0, 60.5][:seeds], task=task, environment=NEW_CODE)
    ]
    first, *_ = check(new, old, [(task, "lora") for task in tasks])
    assert first.detectable_difference is not None
    assert first.difference is not None
    shift = first.detectable_difference / (first.difference.error / np.sqrt(1 / seeds + 1 / 5))  # in sd of a score
    rng = np.random.default_rng(0)
    references, candidates = rng.normal(size=(100_000, 5)), rng.normal(shift, size=(100_000, seeds))
    squares = sum(((side - side.mean(1, keepdims=True)) ** 2).sum(1) for side in (references, candidates))
    error = np.sqrt(squares / (seeds + 3) * (1 / seeds + 1 / 5))
    t = (candidates.mean(1) - references.mean(1)) / error
    found = 2 * stats.t.sf(abs(t), seeds + 3) < LEVEL / cells
    assert found.mean() == pytest.approx(0.8, abs=0.006)  # the standard error of the share is 0.0013


def test_re_runs_that_differ_only_by_noise_raise_few_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 re-runs of 10 cells with other code: three new seeds are compared with five reference seeds."""
    monkeypatch.setattr(gc, "collect", int)  # Holm's correction by statsmodels collects garbage at every call
    rng = np.random.default_rng(0)
    cells = [(f"task{number}", "lora") for number in range(10)]
    alarms = 0
    for _ in range(200):
        old, new = [], []
        for task, _ in cells:
            level, sd = rng.uniform(50, 90), rng.uniform(0.2, 4)
            old += runs(rng.normal(level, sd, 5).tolist(), task=task)
            new += runs(rng.normal(level, sd, 3).tolist(), task=task, environment=NEW_CODE)
        alarms += exit_status(check(new, old, cells))
    assert alarms <= 2


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"details": {"evaluation_repeats": False}}, "evaluating the same examples again gave different predictions"),
        ({"details": {"probe": {"cosine": -0.99, "size": 1.0}}}, "cosine of -0.99 with finite differences"),
        ({"details": {"probe": {"cosine": 1.0, "size": 0.0}}}, "0 times that of finite differences"),
        ({"details": {"selection": {"q": [0.5, 0.5], "v": [0.5, 0.5]}}}, "no selection variable has changed"),
        ({"config": {"method": {"target_rank": 2}}, "ranks": {"q": 3, "v": 3}}, "6 components are active"),
        ({"config": {"method": {"target_rank": 2}}, "ranks": {}}, "no component was ever pruned"),
    ],
)
def test_a_broken_invariant_is_found_without_any_reference(changes: dict[str, Any], clause: str) -> None:
    (found,) = violations(make_result(**changes))
    assert clause in found
    moved = one(runs([60.0, 61.0], **changes), REFERENCE)
    assert moved.outcome == "moved"
    assert clause in moved.reasons[0]


def test_a_sound_result_breaks_no_invariant() -> None:
    details = {"evaluation_repeats": True, "probe": {"cosine": 0.98, "size": 1.1}, "selection": {"q": [0.4, 0.6]}}
    assert not violations(make_result(details=details))
    assert not violations(make_result(config={"method": {"target_rank": 2}}, ranks={"q": 3, "v": 1}))


def test_the_command_prints_what_moved_and_its_exit_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def keep(folder: Path, results: Sequence[Result]) -> list[str]:
        for result in results:
            identity = f"{result.seed}".ljust(64, "0")
            Store(folder=folder).cell("cola", "lora", identity, result.environment.key).write_result(result, {})
        return [str(folder)]

    arguments = ["check", "--tasks", "cola", "--methods", "lora", "--reference", *keep(tmp_path / "old", REFERENCE)]
    same, moved = (
        ["--runs", *keep(tmp_path / name, results)]
        for name, results in (("same", REFERENCE), ("moved", runs([20.0, 21.0], environment=NEW_CODE)))
    )
    assert main([*arguments, *same]) == 0
    assert "1 same bits" in capsys.readouterr().out
    assert main([*arguments, *moved]) == 1
    printed = capsys.readouterr().out
    assert "20.5 instead of 60.2" in printed
    assert "The code differs: commit was cccccccccccc, is dddddddddddd." in printed
    assert main([*arguments, "--runs", str(tmp_path / "nothing")]) == 2
    assert main([*arguments, *moved, "--format", "json"]) == 1
    assert main([*arguments, *moved, "--seeds", "5,6"]) == 2
