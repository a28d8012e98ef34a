import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.report.figures import style
from benchmarks.report.figures.ranks import rank_heatmap, rank_stability, search_course
from benchmarks.report.rank_report import rank_report, role_of
from benchmarks.report.rank_tables import rank_grids, render_ranks
from benchmarks.store.published import authors_ranks
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support import fakes

NAMES = [f"encoder.layer.{block}.attention.self.{role}" for block in range(3) for role in ("query", "value")]


def searched(seed: int, ranks: list[int], **changes: Any) -> Result:
    by_name = dict(zip(NAMES, ranks, strict=True))
    history = [
        {
            "step": step,
            "valid_loss": 1 / step,
            "direct_norm": 1e-3,
            "second_order_norm": 1e-2,
            "second_order_share": 1e-4 * step,
            "spread": dict.fromkeys(NAMES, 0.01),
            "ranks": by_name,
        }
        for step in (1, 2, 3)
    ]
    return fakes.make_result(
        method="autolora",
        method_title="AutoLoRA",
        seed=seed,
        identity=f"{seed}" * 64,
        ranks=by_name,
        config={"model": "minilm", "method": {"search": {"max_rank": 8}, "retrain": {"scaling": "by-rank"}}},
        details={
            "would_stop": {"saved": 0.25 * seed, "same_ranks": 1.0},
            "selection": {name: [0.2, 0.1, 0.15, 0.05, 0.1, 0.1, 0.2, 0.1] for name in NAMES},
            "history": history,
        },
        **changes,
    )


def control(method: str, seed: int, score: float, scaling: str = "by-rank") -> Result:
    config = {"model": "minilm", "method": {"retrain": {"scaling": scaling}}}
    return fakes.scored(score, method=method, seed=seed, config=config, configuration=f"{method}{scaling}")


SEARCHES = [searched(0, [1, 2, 3, 4, 5, 6]), searched(1, [1, 3, 2, 4, 5, 6]), searched(2, [2, 1, 3, 4, 6, 5])]


def test_searches_of_one_task_are_compared_with_each_other_and_with_noise() -> None:
    (task,) = rank_report(SEARCHES).tasks
    assert task.by_role() == {"query": [4 / 3, 8 / 3, 16 / 3], "value": [2, 4, 17 / 3]}
    assert task.agreement is not None
    assert task.agreement.w > 0.8
    assert task.agreement.p < 0.05
    assert task.deviation == pytest.approx((0.6 + 0.2 + 0.2 + 0.6 + 0.2 + 0.2 + 0.6 + 0.2) / 8)
    assert task.share == pytest.approx(2e-4)
    assert 3 < task.noise_mean < 4


NO_NOISE = "not compared with noise"


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_selection_variables_without_a_logarithm_are_not_compared_with_noise(value: float, tmp_path: Path) -> None:
    searches = [searched(seed, [1, 2, 3, 4, 5, 6]) for seed in range(3)]
    searches[1].details["selection"][NAMES[2]][3] = value
    report = rank_report(searches)
    (task,) = report.tasks
    assert (task.noise_mean, task.layer_p) == (None, None)
    (row,) = rank_grids(report)[1].rows
    assert (row[3], row[7]) == ("-", "-")
    assert NO_NOISE in render_ranks(report, "text", 200)
    assert json.loads(render_ranks(report, "json", 200))["tasks"][0]["layer_p"] is None
    assert NO_NOISE not in render_ranks(rank_report(SEARCHES), "text", 200)
    rank_stability(report, tmp_path / "stability.png")


def test_selection_variables_that_no_softmax_made_are_not_compared_with_its_noise() -> None:
    search = searched(0, [1, 2, 3, 4, 5, 6])
    search.config["method"]["search"]["parameterisation"] = "sigmoid"
    (task,) = rank_report([search]).tasks
    assert (task.noise_mean, task.layer_p) == (None, None)


def test_searches_that_record_no_share_are_reported_without_one() -> None:
    betty = searched(0, [1, 2, 3, 4, 5, 6])
    for record in betty.details["history"]:
        record["second_order_share"] = None
    report = rank_report([betty])
    assert report.tasks[0].share is None
    assert "Are they learned?" in render_ranks(report, "text", 200)


def test_learned_ranks_are_compared_with_controls_of_the_same_scaling_and_seeds() -> None:
    others = [control("lora_shuffled_ranks", seed, 49.0 + seed) for seed in (0, 1, 2, 7)]
    constant = [
        control(method, seed, score + seed, "constant")
        for seed in (0, 1)
        for method, score in (("lora_learned_ranks", 60.0), ("lora_uniform_matched", 58.0))
    ]
    by_rank, with_constant = rank_report([*SEARCHES, *others, *constant]).controls
    assert (by_rank.scaling, by_rank.learned, by_rank.other) == ("by-rank", 50.0, 50.0)
    assert by_rank.difference is not None
    assert by_rank.seeds == 3
    assert (with_constant.scaling, with_constant.learned, with_constant.other) == ("constant", 60.5, 58.5)


def test_a_comparison_with_a_control_counts_the_collapsed_cells_of_its_seeds() -> None:
    searches = [replace(each, metrics={"validation": {"matthews": 50.0 + each.seed}}) for each in SEARCHES[:2]]
    controls = [
        replace(control("lora_shuffled_ranks", seed, score), identity=f"shuffled{seed}", collapsed=score == 0)
        for seed, score in enumerate((48.0, 0.0, 0.0))  # no search has the third seed
    ]
    report = rank_report([*searches, *controls])
    assert (report.controls[0].cells.number, report.controls[0].cells.collapsed) == (4, 1)
    assert "(n=2, 1 of 4 cells collapsed)" in render_ranks(report, "text", 200)


def test_correlations_between_tasks_separate_the_same_seed_from_other_seeds() -> None:
    elsewhere = [searched(0, [1, 2, 3, 4, 5, 6], task="rte"), searched(1, [6, 5, 4, 3, 2, 1], task="rte")]
    report = rank_report([*SEARCHES[:2], *elsewhere])
    assert report.same_seed is not None
    assert report.other_seed is not None
    text = render_ranks(report, "text", 200)
    assert "the same initial" in text
    assert "Kendall" in text
    assert "steps saved" in text


def test_one_search_alone_has_no_agreement() -> None:
    text = render_ranks(rank_report(SEARCHES[:1]), "text", 200)
    assert "Are they learned?" in text
    assert "worth" not in text


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_figures_are_drawn_in_the_format_of_their_name(ending: str, tmp_path: Path) -> None:
    searches = [searched(seed, [1, 2, 3, 4, 5, 6], task="qqp") for seed in range(2)]
    rank_heatmap(rank_report(searches), tmp_path / f"ranks.{ending}")
    search_course(searches, tmp_path / f"course.{ending}")
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert all((tmp_path / f"{name}.{ending}").read_bytes().startswith(start) for name in ("ranks", "course"))


def test_axis_labels_are_plain_numbers_and_titles_are_not_parsed_as_formulas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(style.STYLE, "svg.fonttype", "none")  # texts that can be read back
    odd = replace(searched(0, [1, 2, 3, 4, 5, 6]), task_title="$\\frac$")
    search_course([odd], tmp_path / "course.svg")
    drawn = (tmp_path / "course.svg").read_text("utf-8")
    assert "mathdefault" not in drawn
    assert re.search(r">0\.0*1<|>1e-0\d<", drawn)
    assert "$\\frac$" in drawn


def test_any_number_of_roles_is_reported_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six projections of four roles, of which one occurs in all three blocks and the others in one."""
    monkeypatch.setitem(style.STYLE, "svg.fonttype", "none")  # texts that can be read back
    roles = dict(zip(NAMES, ["o_proj", "query", "o_proj", "fc1", "o_proj", "value"], strict=True))
    found = searched(0, [1, 2, 3, 4, 5, 6])
    report = rank_report([replace(found, details={**found.details, "roles": roles})])
    assert report.tasks[0].by_role() == {"query": [2], "value": [6], "o_proj": [1, 3, 5], "fc1": [4]}
    assert list(report.tasks[0].by_role()) == ["query", "value", "o_proj", "fc1"]
    assert "number 3" in render_ranks(report, "text", 200)
    assert "block 3" in render_ranks(rank_report(SEARCHES), "text", 200)
    rank_heatmap(report, tmp_path / "ranks.svg")
    assert "o_proj" in (tmp_path / "ranks.svg").read_text("utf-8")
    rank_stability(report, tmp_path / "stability.svg")
    drawn = (tmp_path / "stability.svg").read_text("utf-8")
    assert all(f">{place}<" in drawn for place in ("o_proj 1", "q1", "o_proj 2", "fc1 1", "o_proj 3", "v1"))


def test_searches_of_older_results_without_every_field_are_drawn_too(tmp_path: Path) -> None:
    old = searched(0, [1, 2, 3, 4, 5, 6])
    for record in old.details["history"]:
        del record["second_order_norm"]
    search_course([old], tmp_path / "course.png")
    assert (tmp_path / "course.png").exists()


def test_the_authors_lists_have_a_rank_per_projection() -> None:
    lists = authors_ranks()
    assert len(lists) == 37
    assert {len(ranks) for ranks in lists.values()} == {24, 48, 96}
    assert sum(lists["cola second order"]) == 88
    assert sum(lists["mnli second order"]) == 72


def test_query_and_value_are_recognised_by_their_names() -> None:
    assert [role_of(name) for name in ("a.query", "b.q_proj", "e.wq", "e.wv", "c.attn.c_attn.value", "d.v")] == [
        "query",
        "query",
        "query",
        "value",
        "value",
        "value",
    ]


def test_without_a_search_there_is_nothing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fakes.scored(50.0)
    Store(folder=tmp_path).cell("cola", "lora", "a" * 64, "b" * 64).write_result(result, {})
    assert main(["report", "ranks", "--runs", str(tmp_path)]) == 2
    assert "no finished search" in capsys.readouterr().err


def test_steps_saved_by_convergence_are_shown_where_results_record_them() -> None:
    (task,) = rank_report(SEARCHES).tasks
    assert [stop.saved for stop in task.stops] == [0, 0.25, 0.5]
    old = searched(0, [1, 2, 3, 4, 5, 6])
    del old.details["would_stop"]
    assert "steps saved" not in render_ranks(rank_report([old]), "text", 200)
