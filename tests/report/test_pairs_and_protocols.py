"""Comparison of two methods, and runs of one method scored by other rules; both from result files."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import main
from benchmarks.core.spec import Prediction
from benchmarks.report.protocol_report import Measured, protocol_rows, render_protocol_effects
from benchmarks.store.result import Result
from benchmarks.store.store import Store
from tests.support.fakes import make_result


def keep(folder: Path, right: dict[str, int], **changes: Any) -> Result:
    """A stored result with 20 examples per split, of which the first `right[split]` are predicted correctly."""
    predictions = {
        split: Prediction(
            labels=[1.0] * 20, predictions=[float(place < known) for place in range(20)], scores=[[0.0, 0.0]] * 20
        )
        for split, known in right.items()
    }
    result = make_result(
        **{
            "metric": "accuracy",
            "split": next(iter(right)),
            "metrics": {split: {"accuracy": 5.0 * known} for split, known in right.items()},
            "rows": {"train": 8, **dict.fromkeys(right, 20)},
        }
        | changes
    )
    store = Store(folder=folder)
    store.cell(result.task, result.method, result.identity, result.environment.key).write_result(result, predictions)
    return result


def test_runs_are_scored_by_one_other_rule_at_a_time(tmp_path: Path) -> None:
    results = [
        keep(tmp_path, {"matched": 18, "mismatched": 10}, task="mnli", task_title="MNLI"),
        keep(
            tmp_path,
            {"validation": 8},
            identity="e" * 64,
            curve={"1": {"validation": {"accuracy": 50.0}}, "2": {"validation": {"accuracy": 40.0}}},
        ),
        keep(tmp_path, {"validation": 12}, identity="f" * 64, configuration="r" * 64, protocol="released"),
    ]
    mnli, cola = protocol_rows(results, Store(folder=tmp_path).predictions)
    assert mnli.score == 90
    assert mnli.rescored == {"last batch dropped": 100.0, "splits pooled": 70.0, "best epoch": None}
    assert cola.rescored == {"last batch dropped": 50.0, "splits pooled": None, "best epoch": 50.0}
    assert (dict(mnli.measured), dict(cola.measured)) == (
        {},
        {"released": Measured(score=60.0, seeds=1, collapsed=None)},
    )
    text, markdown = (render_protocol_effects([mnli, cola], form, 200) for form in ("text", "markdown"))
    assert "+10.00" in text
    assert "-20.00" in text
    assert "| protocol released " in markdown
    assert json.loads(render_protocol_effects([cola], "json", 200))[0]["measured"] == {
        "released": {"score": 60.0, "seeds": 1, "collapsed": None}
    }


def test_collapsed_cells_are_counted_under_every_protocol(tmp_path: Path) -> None:
    results = [
        keep(tmp_path, {"validation": 8}, collapsed=False),
        keep(tmp_path, {"validation": 12}, seed=1, identity="e" * 64, collapsed=True),
        keep(tmp_path, {"validation": 12}, identity="f" * 64, protocol="released", collapsed=True),
    ]
    rows = protocol_rows(results, Store(folder=tmp_path).predictions)
    (line,) = [line for line in render_protocol_effects(rows, "markdown", 200).splitlines() if "LoRA" in line]
    assert "| 2, 1 collapsed |" in line
    assert "+10.00 (n=1, 1 collapsed)" in line
    (plain,) = json.loads(render_protocol_effects(rows, "json", 200))
    assert plain["collapsed"] == plain["measured"]["released"]["collapsed"] == 1


def test_generated_texts_are_not_scored_by_other_rules(tmp_path: Path) -> None:
    result = make_result(task="e2e", metric="bleu", split="test", metrics={"test": {"bleu": 50.0}}, rows={"test": 2})
    store = Store(folder=tmp_path)
    written = Prediction(labels=[["a pub", "one pub"], ["a bar"]], predictions=["a pub", "a"], scores=[])
    store.folder_of(result).write_result(result, {"test": written})
    (row,) = protocol_rows([result], store.predictions)
    assert set(row.rescored.values()) == {None}


def test_a_report_shows_what_the_protocol_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "protocols", "--runs", "results/reference/small"]) == 0
    assert "last batch dropped" in capsys.readouterr().out


def test_a_comparison_that_rests_on_collapsed_cells_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, right in enumerate((18, 10)):
        keep(tmp_path, {"validation": right}, seed=seed, identity=f"a{seed}".ljust(64, "0"), method="autolora")
        keep(tmp_path, {"validation": 10}, seed=seed, identity=f"b{seed}".ljust(64, "0"), collapsed=seed == 1)
    arguments = ["judge", "compare", "--methods", "autolora,lora", "--runs", str(tmp_path), "--format"]
    assert main([*arguments, "markdown"]) == 0
    assert "| CoLA   | 2, 1 of 4 cells collapsed |" in capsys.readouterr().out
    assert main([*arguments, "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"][0]["cells"] == {"number": 4, "collapsed": 1}


def test_two_methods_are_compared_by_seeds_and_by_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, (mine, theirs) in enumerate([(18, 10), (17, 10)]):
        keep(tmp_path, {"validation": mine}, seed=seed, identity=f"a{seed}".ljust(64, "0"), method="autolora")
        keep(tmp_path, {"validation": theirs}, seed=seed, identity=f"b{seed}".ljust(64, "0"))
    assert main(["judge", "compare", "--methods", "autolora,lora", "--runs", str(tmp_path), "--format", "json"]) == 0
    (pairs,) = json.loads(capsys.readouterr().out)
    (row,) = pairs["rows"]
    assert (row["first"], row["second"], row["seeds"]) == (87.5, 50.0, [0, 1])
    assert row["difference"]["value"] == 37.5
    assert row["with_examples"]["error"] > row["difference"]["error"]
    assert row["mcnemar"] == pytest.approx([2 / 2**8, 2 / 2**7])  # only one method is correct on 8 and 7 examples


def test_only_results_that_have_both_methods_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        for method, name in (("autolora", "a"), ("lora", "b")):
            keep(tmp_path, {"validation": 10}, seed=seed, identity=f"{name}{seed}".ljust(64, "0"), method=method)
    keep(tmp_path, {"validation": 10}, identity="c".ljust(64, "0"), model_title="Another")
    compare = ["judge", "compare", "--runs", str(tmp_path), "--methods"]
    assert main([*compare, "autolora,lora"]) == 0
    assert "Another" not in capsys.readouterr().out
    assert main([*compare, "lora,full"]) == 2
    assert "no task has results of both lora and full at the same seed" in capsys.readouterr().err


def test_a_comparison_needs_two_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "compare", "--methods", "lora"]) == 2
    assert "compare takes two methods" in capsys.readouterr().err
