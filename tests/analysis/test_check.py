"""The regression check: outcomes as before, moved and not comparable."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.analysis.regression.comparison import LEVEL, CellCheck, check, exit_status
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
    assert re.fullmatch(r"50.4 instead of 60.2 \(p \S+\), a drop by 9.8 points", far.reasons[0])
    assert one(runs([70.1, 70.9, 70.3], environment=environment)).reasons[0].endswith("a rise by 10.2 points")
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
    assert one(runs([60.6, 60.1, 60.3], environment=NEW_CODE), REFERENCE[:1]).reasons == alone.reasons


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


OTHER_MODEL = replace(AVX2, model="GenuineIntel family 6 model 85")


@pytest.mark.parametrize(
    ("processor", "name"), [(OTHER_MODEL, f"reference {OTHER_MODEL}"), (None, "reference not recorded")]
)
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


def test_scores_of_another_capability_of_the_processor_are_refused_and_both_are_named() -> None:
    here, there = make_environment(processor=AVX2), make_environment(processor=AVX512)
    elsewhere = [replace(each, environment=there) for each in REFERENCE]
    new = runs([60.1, 60.9], environment=here)
    cell = one(new, elsewhere)
    assert (cell.outcome, cell.reasons) == ("not comparable", ("there is no reference for AVX2, only for AVX512",))
    assert exit_status([cell]) == 2
    older = [replace(each, environment=replace(here, threads=1), finished="2025-01-01") for each in REFERENCE]
    assert one(new, [*elsewhere, *older]).outcome == "as before"


def test_the_processor_of_a_gpus_host_may_be_another() -> None:
    here, there = (make_environment(device="cuda", processor=each) for each in (AVX2, AVX512))
    assert one(runs([60.1, 60.9], environment=here), [replace(each, environment=there) for each in REFERENCE]).p


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


def test_one_collapsed_seed_of_three_is_not_hidden_by_the_spread_that_it_causes() -> None:
    assert one(runs([60.1, 40.0, 60.3], environment=NEW_CODE)).outcome == "moved"


def quiet_cells(cells: int) -> list[Result]:
    """A reference of so many cells whose five scores have standard deviations of 0.6 to 1.9 points."""
    noise, sds = (
        np.random.default_rng(0).normal(size=(cells, 5)),
        np.random.default_rng(1).uniform(0.8, 1.4, (cells, 1)),
    )
    return [result for number, row in enumerate(80 + sds * noise) for result in runs([*row], task=f"task{number}")]


@pytest.mark.parametrize(("seeds", "drop"), [(1, 9.0), (3, 6.0)])
def test_a_drop_in_one_of_40_cells_is_found_by_the_noise_of_all_of_them(seeds: int, drop: float) -> None:
    """A t test of each cell by itself needs 20 and 13 points."""
    reference = quiet_cells(40)
    scope = [(f"task{number}", "lora") for number in range(40)]
    new = [
        result
        for task, _ in scope
        for result in runs([80.0 - drop * (task == "task7")] * seeds, task=task, environment=NEW_CODE)
    ]
    checks = check(new, reference, scope)
    assert [place for place, each in enumerate(checks) if each.outcome == "moved"] == [7]


def test_a_check_of_one_cell_takes_its_noise_from_the_whole_reference() -> None:
    reference, new = quiet_cells(40), runs([80.0], task="task7", environment=NEW_CODE)
    alone, among, others = (
        check(new, known, [("task7", "lora")])[0].difference
        for known in (
            [each for each in reference if each.task == "task7"],
            reference,
            [replace(each, protocol="released") if each.task != "task7" else each for each in reference],
        )
    )
    assert alone is not None
    assert among is not None
    assert (alone.degrees_of_freedom, among.degrees_of_freedom > 6) == (4, True)
    assert others == alone


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_detectable_difference_has_the_stated_power_given_the_reference(seeds: int) -> None:
    """Variance and mean of the reference's cell are drawn from their posterior distribution, then new scores."""
    scope = [(f"task{number}", "lora") for number in range(40)]
    new = [result for task, _ in scope for result in runs([80.0] * seeds, task=task, environment=NEW_CODE)]
    cell, *_ = check(new, quiet_cells(40), scope)
    assert cell.difference is not None
    assert cell.detectable_difference is not None
    freedom, per_sd = cell.difference.degrees_of_freedom, np.sqrt(1 / seeds + 1 / 5)
    rng = np.random.default_rng(0)
    sds = cell.difference.error / per_sd * np.sqrt(freedom / rng.chisquare(freedom, 100_000))
    true_mean = mean(cell.reference) + rng.normal(0, sds / np.sqrt(5))
    new_mean = true_mean - cell.detectable_difference + rng.normal(0, sds / np.sqrt(seeds))
    t = (new_mean - mean(cell.reference)) / cell.difference.error
    found = 2 * stats.t.sf(abs(t), freedom) < LEVEL / 40
    assert found.mean() == pytest.approx(0.8, abs=0.006)  # the standard error of the share is 0.0013


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
