"""Verdicts on published numbers, on cases computed by hand and on simulations with a known true difference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.analysis.collapse import Cells
from benchmarks.analysis.difference import Difference, against_published
from benchmarks.analysis.verdicts import AVERAGE, CellVerdict, Margin, decide, verdicts
from benchmarks.cli.main import main
from benchmarks.report.verdict_report import Judged, render_verdicts
from benchmarks.store.published import published_table
from benchmarks.store.result import Result
from tests.support.fakes import make_result

DRAWS = 2000
TABLE = published_table(1)
PAPER = {"config": {"model": "FacebookAI/roberta-base"}, "model_title": "RoBERTa-base", "data_source": "hub glue@1"}


def runs(task: str, scores: list[float], **changes: object) -> list[Result]:
    """Results of LoRA, one per score."""
    return [
        make_result(
            **PAPER
            | {
                "task": task,
                "method": "lora",
                "seed": seed,
                "metric": "accuracy",
                "rows": {"train": 8, "validation": 9000},
                "metrics": {"validation": {"accuracy": score}},
            }
            | changes
        )
        for seed, score in enumerate(scores)
    ]


def texts(**scores: list[float]) -> list[Result]:
    """Results of AutoLoRA with GPT-2 medium on E2E or WebNLG, one per seed, with a list of scores per metric."""
    metrics = [dict(zip(scores, of_seed, strict=True)) for of_seed in zip(*scores.values(), strict=True)]
    return [
        make_result(
            config={"model": "gpt2-medium"},
            data_source="hub",
            task="webnlg" if "ter" in scores else "e2e",
            method="autolora",
            seed=seed,
            metric="bleu",
            split="test",
            rows={"train": 8, "test": 1862},
            metrics={"test": of_seed},
        )
        for seed, of_seed in enumerate(metrics)
    ]


def verdict_on(cells: list[CellVerdict], column: str, method: str = "lora") -> CellVerdict:
    (cell,) = [cell for cell in cells if (cell.method, cell.column) == (method, column)]
    return cell


def test_an_interval_within_the_margin_reproduces_and_one_outside_deviates() -> None:
    close = [94.4, 94.5, 94.6, 94.5, 94.5]  # Table 1 prints 94.5
    assert verdict_on(verdicts(runs("sst2", close), TABLE, Margin()), "sst2").verdict == "reproduced"
    low = [score - 3 for score in close]
    assert verdict_on(verdicts(runs("sst2", low), TABLE, Margin()), "sst2").verdict == "deviates"
    wide = [92.0, 97.0, 94.0, 95.0, 94.5]
    assert verdict_on(verdicts(runs("sst2", wide), TABLE, Margin()), "sst2").verdict == "cannot be decided"


def test_a_margin_is_in_the_unit_of_the_metric() -> None:
    """Table 2 prints for AutoLoRA a TER of 0.44, a NIST of 8.68 and a CIDEr of 2.37."""
    table, margin = published_table(2), Margin(published_seeds=(5,))
    rates = verdicts(texts(ter=[0.60, 0.60, 0.61]), table, margin)
    assert verdict_on(rates, "webnlg_ter", "autolora").verdict == "deviates"
    found = verdicts(texts(nist=[8.681, 8.68, 8.679], cider=[2.55, 2.55, 2.551]), table, margin)
    assert verdict_on(found, "e2e_nist", "autolora").verdict == "reproduced"
    assert verdict_on(found, "e2e_cider", "autolora").verdict == "deviates"
    weight_of_one_example = 10 / 1862
    resolvable = 0.05 + 0.005 + 6.2053 * weight_of_one_example * np.sqrt(1 / 3 + 1 / 5)
    assert verdict_on(found, "e2e_cider", "autolora").resolvable == pytest.approx(resolvable, abs=1e-5)


def test_scores_are_printed_with_the_decimals_of_the_paper() -> None:
    cells = verdicts(texts(ter=[0.60, 0.60, 0.61], bleu=[50.0, 50.0, 51.0]), published_table(2), Margin())
    printed = render_verdicts([Judged(title="GPT-2", cells=cells)], Margin(), "csv", 120)
    assert 'AutoLoRA,WebNLG BLEU,50.8,50.3 (n=3),"-0.5 [' in printed
    assert 'AutoLoRA,WebNLG TER,0.44,0.60 (n=3),"+0.16 [' in printed
    assert "within 0.5 points, TER 0.005;" in render_verdicts(
        [Judged(title="GPT-2", cells=cells)], Margin(), "text", 999
    )


def test_a_verdict_must_hold_for_every_assumed_number_of_published_runs() -> None:
    cell = verdict_on(verdicts(runs("sst2", [94.2, 94.5, 94.8, 94.3, 94.7]), TABLE, Margin()), "sst2")
    assert cell.by_runs == {1: "cannot be decided", 3: "reproduced", 5: "reproduced"}
    assert cell.verdict == "cannot be decided"
    known = Margin(published_seeds=(3,))
    assert (
        verdict_on(verdicts(runs("sst2", [94.2, 94.5, 94.8, 94.3, 94.7]), TABLE, known), "sst2").verdict == "reproduced"
    )


def test_a_verdict_states_the_smallest_difference_that_would_deviate() -> None:
    cell = verdict_on(verdicts(runs("sst2", [94.0, 95.0, 94.5]), TABLE, Margin()), "sst2")
    assert cell.resolvable == pytest.approx(0.5 + 0.05 + 6.2053 * 0.5 * np.sqrt(1 / 3 + 1), abs=1e-3)
    assert verdict_on(verdicts(runs("sst2", [94.5]), TABLE, Margin()), "sst2").resolvable is None
    assert verdict_on(verdicts(runs("sst2", [94.5]), TABLE, Margin()), "sst2").verdict == "cannot be decided"


def test_another_backbone_or_other_data_decide_nothing() -> None:
    small = runs("sst2", [94.5, 94.5, 94.4], config={"model": "minilm"}, model_title="MiniLM-L6")
    cell = verdict_on(verdicts(small, TABLE, Margin()), "sst2")
    assert cell.verdict == "not comparable"
    assert "MiniLM-L6" in cell.reasons[0]
    assert not cell.differences
    generated = runs("sst2", [94.5, 94.5, 94.4], data_source="embedded")
    assert verdict_on(verdicts(generated, TABLE, Margin()), "sst2").verdict == "not comparable"


def test_the_average_gets_a_verdict_only_when_all_tasks_were_run() -> None:
    published = TABLE.row("lora")
    assert published is not None
    results = [
        result for task, score in published.scores.items() for result in runs(task, [score - 0.1, score, score + 0.1])
    ]
    cell = verdict_on(verdicts(results, TABLE, Margin()), AVERAGE)
    assert cell.scores == pytest.approx([84.7625, 84.8625, 84.9625])
    assert cell.verdict == "reproduced"
    some = [result for result in results if result.task != "rte"]
    assert verdict_on(verdicts(some, TABLE, Margin()), AVERAGE).verdict == "not run"


def test_a_verdict_that_rests_on_collapsed_cells_says_so() -> None:
    results = [
        replace(result, identity=f"{task}{result.seed}", collapsed=task == "rte" and result.seed == 0)
        for task in TABLE.columns
        for result in runs(task, [80.0, 80.2])
    ]
    cells = verdicts(results, TABLE, Margin())
    assert verdict_on(cells, "rte").cells == Cells(number=2, collapsed=1)
    assert verdict_on(cells, AVERAGE).cells == Cells(number=2 * len(TABLE.columns), collapsed=1)
    assert verdict_on(cells, "rte", "full").cells == Cells(number=0, collapsed=None)
    printed = render_verdicts([Judged(title="", cells=cells)], Margin(), "csv", 120)
    assert '"80.1 (n=2, 1 of 2 cells collapsed)"' in printed
    assert '"80.1 (n=2, 1 of 16 cells collapsed)"' in printed
    assert "80.1 (n=2)," in printed


def test_every_published_number_gets_a_verdict() -> None:
    cells = verdicts(runs("sst2", [94.5]), TABLE, Margin())
    assert len(cells) == len(TABLE.rows) * (len(TABLE.columns) + 1)
    assert sum(cell.verdict == "not run" for cell in cells) == len(cells) - 1


def test_rounding_of_the_published_number_widens_the_interval() -> None:
    exact = Difference(value=0.47, error=0.0, degrees_of_freedom=4)
    assert decide(exact, 0.5) == "reproduced"
    assert decide(exact, 0.5, rounding=0.05) == "cannot be decided"
    assert decide(Difference(value=0.53, error=0.0, degrees_of_freedom=4), 0.5) == "deviates"


@pytest.mark.parametrize("noise", [0.1, 2.0, 50.0])
@pytest.mark.parametrize("published_seeds", [1, 3, 5])
def test_a_number_within_the_margin_deviates_in_at_most_one_of_forty_cases_whatever_the_noise(
    noise: float, published_seeds: int
) -> None:
    """The true difference is the margin. With a spread far above it, a wrong verdict falls on both sides of it."""
    draws, rng = 5000, np.random.default_rng(published_seeds)
    for seeds in (2, 3, 5, 10):
        scores = rng.normal(0.5, noise, (draws, seeds))
        values = scores.mean(axis=1) - rng.normal(0, noise, (draws, published_seeds)).mean(axis=1)
        errors = scores.std(axis=1, ddof=1) * np.sqrt(1 / seeds + 1 / published_seeds)
        found = [
            decide(Difference(value=value, error=error, degrees_of_freedom=seeds - 1), 0.5)
            for value, error in zip(values.tolist(), errors.tolist(), strict=True)
        ]
        assert found.count("deviates") / draws <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / draws), seeds


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_rates_of_wrong_verdicts_stay_below_their_levels(seeds: int) -> None:
    """The true difference is the margin, where errors are most frequent: 5% for reproduced, 2.5% for deviates."""
    rng = np.random.default_rng(seeds)
    found = [_drawn_verdict(rng, seeds, sd=sd) for sd in (0.05, 0.2, 1.0) for _ in range(DRAWS)]
    for start in range(0, len(found), DRAWS):
        share = {kind: found[start : start + DRAWS].count(kind) / DRAWS for kind in ("reproduced", "deviates")}
        assert share["reproduced"] <= 0.05 + 0.012  # 2.5 standard errors of 2,000 draws
        assert share["deviates"] <= 0.025 + 0.009


def _drawn_verdict(rng: np.random.Generator, seeds: int, sd: float) -> str:
    """The verdict of one simulation in which the true difference is the margin of 0.5."""
    published = float(rng.normal(60, sd, 3).mean())
    difference = against_published(rng.normal(60.5, sd, seeds).tolist(), published, 3)
    assert difference is not None
    return decide(difference, 0.5)


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_verdicts_are_printed_in_every_form(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "verdicts", "--format", form]) == 0
    printed = capsys.readouterr().out
    assert "not comparable" in printed
    assert "RoBERTa-base" in printed


def test_a_folder_without_results_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "verdicts", "--runs", str(tmp_path)]) == 2
    assert "has no results" in capsys.readouterr().err
