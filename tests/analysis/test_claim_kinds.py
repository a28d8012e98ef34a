"""The tests behind the paper's claims, each on results that support, contradict or leave open the claim."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.analysis.claims.best_of import partial_conjunction
from benchmarks.analysis.claims.claim import ClaimTest
from benchmarks.analysis.collapse import Cells
from benchmarks.store.cost_record import Cost, CostRun, Round, StageWork
from benchmarks.store.published import published_table
from benchmarks.store.result import Result
from benchmarks.store.speed_record import SpeedRun, Timing, speed_runs_like, write_speed_run
from tests.support.evidence import evidence, reason_untested, result_of, runs
from tests.support.fakes import make_environment, make_result

GLUE = list(published_table(1).columns)


def test_better_is_a_paired_test_of_the_means_over_tasks(tmp_path: Path) -> None:
    results = [
        *runs("cola", {"autolora": [60, 61, 63], "lora": [58, 59, 60]}),
        *runs("rte", {"autolora": [70, 70, 71], "lora": [69, 68, 70]}),
    ]
    result = result_of("better", evidence(tmp_path, results), table=1, method="autolora", against="lora")
    assert result.p_for == pytest.approx(0.0041, abs=1e-4)  # differences 1.5, 2, 2: t = 11, two degrees of freedom
    assert result.p_for + result.p_against == pytest.approx(1)
    assert result.effect.startswith("+1.83 points [+1.12, +2.55]; were the examples random too [")
    assert result.basis == "2 of 8 tasks (CoLA, RTE), 3 seeds"


def test_collapsed_cells_stay_in_a_test_which_counts_them(tmp_path: Path) -> None:
    settings = {"table": 1, "method": "autolora", "against": "lora"}
    scores = {"autolora": [60, 61, 63], "lora": [58, 0, 60, 0]}  # only LoRA has the fourth seed
    results = [*runs("cola", scores), *runs("rte", scores)]
    marked = [replace(result, collapsed=result.score == 0) for result in results]
    plain, counted = (
        result_of("better", evidence(tmp_path / name, each), **settings)
        for name, each in (("plain", results), ("marked", marked))
    )
    assert (plain.p_for, plain.effect) == (counted.p_for, counted.effect)
    assert plain.cells == Cells(number=12, collapsed=None)
    assert counted.cells == Cells(number=12, collapsed=2)


def test_a_cell_that_several_columns_show_is_counted_once(tmp_path: Path) -> None:
    metrics = {"bleu": 60.0, "nist": 8.0, "meteor": 40.0, "rouge_l": 70.0, "cider": 2.0}
    results = [
        replace(result, metric="bleu", metrics={"validation": metrics}, collapsed=result.method == "lora")
        for result in runs("e2e", {"autolora": [60.0, 61.0], "lora": [58.0, 59.0]})
    ]
    settings = {"table": 2, "method": "autolora", "against": ["lora"], "at_least": 3, "level": 0.0}
    assert result_of("best-of", evidence(tmp_path, results), **settings).cells == Cells(number=4, collapsed=2)


@pytest.mark.parametrize("kind", ["ranks-by-layer", "ranks-by-task"])
def test_claims_on_ranks_count_the_searches_of_collapsed_cells(tmp_path: Path, kind: str) -> None:
    results = [
        replace(result, ranks={name: place for place, name in enumerate("abcd")}, collapsed=result.seed == 1)
        for task in ("cola", "rte")
        for result in runs(task, {"autolora": [60.0, 0.0]})
    ]
    test = result_of(kind, evidence(tmp_path, results), method="autolora")
    assert test.cells == Cells(number=4, collapsed=2)


def test_seeds_that_one_method_lacks_are_left_out_and_one_seed_is_not_enough(tmp_path: Path) -> None:
    results = runs("cola", {"autolora": [60, 61, 63], "lora": [58]})
    reason = reason_untested("better", evidence(tmp_path, results), table=1, method="autolora", against="lora")
    assert reason == "autolora and lora have fewer than two seeds in common on their tasks"


def test_on_par_needs_the_difference_to_lie_within_the_margin(tmp_path: Path) -> None:
    settings = {"table": 1, "method": "autolora", "against": "full"}
    close = runs("cola", {"autolora": [60.0, 60.1, 60.2, 60.1], "full": [60.1, 60.1, 60.1, 60.1]})
    far = runs("cola", {"autolora": [60.0, 60.1, 60.2, 60.1], "full": [64.1, 64.1, 64.1, 64.1]})
    level, apart = (result_of("on-par", evidence(tmp_path / str(len(side)), side), **settings) for side in (close, far))
    assert level.p_for < 0.01
    assert level.p_against > 0.9
    assert apart.p_against < 0.01
    assert apart.p_for > 0.9


def test_best_on_enough_tasks_supports_the_claim_and_on_too_few_contradicts_it(tmp_path: Path) -> None:
    settings = {"table": 1, "method": "autolora", "against": ["lora"], "at_least": 6, "level": 0.0}
    ahead = {"autolora": [60.0, 60.1, 60.2, 60.1], "lora": [55.0, 55.1, 55.1, 55.0]}
    behind = {"autolora": ahead["lora"], "lora": ahead["autolora"]}

    def mixed(wins: int) -> ClaimTest:
        results = [result for task in GLUE[:wins] for result in runs(task, ahead)]
        results += [result for task in GLUE[wins:] for result in runs(task, behind)]
        return result_of("best-of", evidence(tmp_path / str(wins), results), **settings)

    assert mixed(6).p_for < 0.01 < mixed(6).p_against
    assert mixed(5).p_against < 0.01 < mixed(5).p_for
    assert mixed(6).effect == "won 6, lost 2 of 8 columns at the 5% level, one by one"


def test_a_level_is_in_the_unit_of_the_column(tmp_path: Path) -> None:
    """A level of one point is 0.01 of an edit rate, where lower is better: 0.49 is not level with 0.44, as 0.445 is."""
    settings = {"table": 2, "method": "autolora", "against": ["lora"], "at_least": 1, "columns": ["webnlg_ter"]}

    def against(rates: Sequence[float]) -> ClaimTest:
        of_method = {"autolora": rates, "lora": [0.440, 0.441, 0.439]}
        results = [
            replace(result, metrics={"validation": {"ter": result.score}}) for result in runs("webnlg", of_method)
        ]
        return result_of("best-of", evidence(tmp_path / str(rates[0]), results), level=1.0, **settings)

    assert against([0.490, 0.491, 0.489]).p_against < 0.01
    assert against([0.445, 0.446, 0.444]).p_for < 0.02


def test_a_mean_over_metrics_of_different_scales_is_not_tested(tmp_path: Path) -> None:
    results = [
        replace(result, metrics={"validation": {"bleu": 60.0 + result.seed, "nist": 8.0 + result.seed}})
        for result in runs("e2e", {"autolora": [60, 61], "lora": [60, 61]})
    ]
    reason = reason_untested("better", evidence(tmp_path, results), table=2, method="autolora", against="lora")
    assert reason == "E2E NIST are not in points, and have no mean with other columns"


def test_three_of_eight_tasks_can_support_no_claim_about_six(tmp_path: Path) -> None:
    ahead = {"autolora": [60.0, 60.1, 60.2, 60.1], "lora": [55.0, 55.1, 55.1, 55.0]}
    results = [result for task in GLUE[:3] for result in runs(task, ahead)]
    settings = {"table": 1, "method": "autolora", "against": ["lora"], "at_least": 6, "level": 0.0}
    assert result_of("best-of", evidence(tmp_path, results), **settings).p_for == 1


def test_a_claim_about_another_model_is_not_tested(tmp_path: Path) -> None:
    available = evidence(tmp_path, runs("mrpc", {"autolora": [60, 61], "lora": [58, 59]}))
    settings = {"table": 1, "model": "roberta-large", "method": "autolora", "against": ["lora"], "at_least": 1}
    assert "it is about roberta-large" in reason_untested("best-of", available, level=0.0, **settings)


def test_partial_conjunction_counts_the_false_hypotheses() -> None:
    assert partial_conjunction([0.001, 0.002, 0.6], 2) == pytest.approx(2 * 0.002)
    assert partial_conjunction([0.001, 0.002, 0.6], 3) == pytest.approx(0.6)
    assert partial_conjunction([0.5, 0.6, 0.7], 1) == 1


def test_partial_conjunction_keeps_its_level() -> None:
    """Two of four hypotheses are false by far: "at least three" is claimed wrongly in at most 5% of draws."""
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=(4000, 4)) * [1e-9, 1e-9, 1, 1]
    assert np.mean([partial_conjunction(draw.tolist(), 3) < 0.05 for draw in draws]) < 0.06


def counted(task: str, method: str, counts: Sequence[int]) -> list[Result]:
    """One result per seed with these numbers of trainable parameters."""
    results = runs(task, {method: [60.0] * len(counts)})
    return [replace(result, trainable_parameters=count) for result, count in zip(results, counts, strict=True)]


SETTINGS = {"table": 1, "method": "autolora", "against": "lora", "tolerance": 0.1}


def test_parameters_are_one_number_per_seed_the_mean_over_tasks(tmp_path: Path) -> None:
    results = [
        *(result for task in ("cola", "rte") for result in counted(task, "lora", [1000, 1000, 1000])),
        *counted("cola", "autolora", [980, 990, 1000]),
        *counted("rte", "autolora", [1010, 1020, 1000]),
    ]
    result = result_of("as-many-parameters", evidence(tmp_path, results), **SETTINGS)
    # -0.5, 0.5 and 0 percent at the three seeds: mean 0, standard error 0.5 / sqrt(3), t at 97.5% with 2 degrees 4.303
    assert result.effect.startswith("+0.00 percent [-1.24, +1.24]")
    assert result.basis == "3 seeds, each the mean over 2 tasks (CoLA, RTE)"
    assert result.p_for == pytest.approx(0.0004, abs=1e-4)  # t = 10 * sqrt(3) / 0.5 = 34.6
    narrow = SETTINGS | {"tolerance": 0.001}
    assert result_of("as-many-parameters", evidence(tmp_path, results), **narrow).p_for > 0.3


def test_equal_shares_of_parameters_at_all_seeds_are_not_tested(tmp_path: Path) -> None:
    results = [*counted("cola", "lora", [1000, 1000]), *counted("cola", "autolora", [980, 980])]
    reason = reason_untested("as-many-parameters", evidence(tmp_path, results), **SETTINGS)
    assert reason.startswith("autolora trains -2.00 percent more parameters than lora at each of 2 seeds")
    one_seed = [*counted("cola", "lora", [1000]), *counted("cola", "autolora", [980])]
    assert "fewer than two seeds" in reason_untested("as-many-parameters", evidence(tmp_path, one_seed), **SETTINGS)


def test_two_tasks_of_one_seed_are_one_number(tmp_path: Path) -> None:
    results = [
        *(result for task in ("cola", "rte") for result in counted(task, "lora", [1000])),
        *counted("cola", "autolora", [980]),
        *counted("rte", "autolora", [1010]),
    ]
    assert "fewer than two seeds" in reason_untested("as-many-parameters", evidence(tmp_path, results), **SETTINGS)


def test_costs_are_ratios_of_undisturbed_rounds(tmp_path: Path) -> None:
    def cost(method: str, *seconds: float) -> Cost:
        rounds = tuple(
            Round(seconds={"train": each}, peak_memory_bytes=None, watts=None, disturbed=each > 100) for each in seconds
        )
        work = {"train": StageWork(steps=10, tokens=8, padding=0, flops=1e9)}
        return Cost(
            task="sst2",
            task_title="SST-2",
            method=method,
            method_title=method,
            again=False,
            rounds=rounds,
            work=work,
            trainable_parameters=1,
            config={},
        )

    run = CostRun(
        preset="quick",
        protocol="clean",
        timed_steps=10,
        warmup_steps=2,
        matmul_flops_per_second=1e9,
        model_title="Tiny",
        model_parameters=1,
        data_sources={"sst2": "embedded"},
        costs=(cost("autolora", 1.8, 1.9, 1.85, 900), cost("adalora", 1, 1, 1, 1)),
        environment=make_environment(),
        finished="2026-01-01",
    )
    available = evidence(tmp_path, runs("sst2", {"lora": [60]}), costs=[run])
    settings = {"method": "autolora", "against": "adalora"}
    cheap = result_of("costs-at-most", available, **settings, times=2.0)
    assert cheap.effect.startswith("1.85 times, -0.15 from 2")
    assert cheap.p_for < 0.05
    assert result_of("costs-at-most", available, **settings, times=1.5).p_against < 0.05
    level = replace(run, costs=(cost("autolora", 2, 2), cost("adalora", 1, 1)))
    assert "equal ratios in all of them" in reason_untested(
        "costs-at-most",
        evidence(tmp_path / "level", runs("sst2", {"lora": [60]}), costs=[level]),
        **settings,
        times=3.0,
    )
    assert "no cost run has" in reason_untested(
        "costs-at-most", available, method="autolora", against="lora_grid", times=1.0
    )


def test_shared_ranks_differ_by_layer_and_ranks_of_each_task_differ_by_task(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def searches(task: str, pattern: Sequence[int] | None) -> list[Result]:
        return [
            result
            for seed in range(4)
            for result in [
                make_result(
                    task=task,
                    method="autolora",
                    seed=seed,
                    identity=f"{task}{seed}".ljust(64, "0"),
                    ranks={f"p{place}": int(rank) for place, rank in enumerate(pattern or rng.integers(1, 9, 12))},
                )
            ]
        ]

    one, other = [1, 8, 2, 7, 3, 6, 4, 5, 1, 8, 2, 7], [8, 1, 7, 2, 6, 3, 5, 4, 8, 1, 7, 2]
    learned = evidence(tmp_path / "learned", [*searches("cola", one), *searches("rte", other)])
    noise = evidence(tmp_path / "noise", [*searches("cola", None), *searches("rte", None)])
    alike = evidence(tmp_path / "alike", [*searches("cola", one), *searches("rte", one)])
    for kind, shown, not_shown in (("ranks-by-layer", learned, noise), ("ranks-by-task", learned, alike)):
        assert result_of(kind, shown, method="autolora").p_for < 0.15  # four seeds of two tasks have 16 orders
        assert result_of(kind, not_shown, method="autolora").p_for > 0.2
    assert result_of("ranks-by-layer", learned, method="autolora").p_for < 0.01
    assert "no task has two searches" in reason_untested("ranks-by-layer", learned, method="lora")


def inference(**changes: Any) -> SpeedRun:
    def timing(name: str, *seconds: float) -> Timing:
        return Timing(work="16 sentences", name=name, seconds=seconds, over=None, ratios=(), reach=None, met=None)

    run = SpeedRun(
        model_title="Tiny",
        steps=10,
        timings=(timing("LoRA, merged", 1.0, 1.0, 1.0), timing("Adapter", 1.2, 1.25, 1.22)),
        environment=make_environment(),
        finished="2026-01-01",
    )
    return replace(run, **changes)


def test_an_adapters_inference_is_timed_against_merged_lora(tmp_path: Path) -> None:
    available = evidence(tmp_path, runs("sst2", {"lora": [60]}), speeds=[inference()])
    settings = {"method": "Adapter", "against": "LoRA, merged"}
    assert result_of("slower-inference", available, **settings).p_for < 0.01
    without = evidence(tmp_path, runs("sst2", {"lora": [60]}))
    assert "`measure speed --only inference` measures it" in reason_untested("slower-inference", without, **settings)


def test_timings_of_another_backbone_are_not_used(tmp_path: Path) -> None:
    (result,) = runs("sst2", {"lora": [60]}, model_title="Tiny")
    folder = tmp_path / "quick"
    for place, title, day in ((folder, "Tiny", 3), (folder, "Huge", 2), (tmp_path, "Tiny", 1), (tmp_path, "Huge", 4)):
        write_speed_run(place, inference(model_title=title, finished=f"2026-01-0{day}"))
    assert [run.finished for run in speed_runs_like(folder, result)] == ["2026-01-01", "2026-01-03"]
