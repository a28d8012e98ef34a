import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tasks.metrics.local import LocalMetric
from tests.support.paths import SHARED

REFERENCE = SHARED / "metrics_reference" / "glue.json"
CASES = json.loads(REFERENCE.read_text())["cases"] if REFERENCE.is_file() else {}
OFFICIAL: dict[str, tuple[str, dict[str, Any]]] = {
    "accuracy": ("accuracy", {}),
    "f1": ("f1", {}),
    "f1_macro": ("f1", {"average": "macro"}),
    "matthews_correlation": ("matthews", {}),
    "pearson": ("pearson", {}),
    "spearman": ("spearman", {}),
}


@pytest.mark.skipif(not CASES, reason="no folder shared/metrics_reference beside the repository")
def test_the_official_scores_are_reproduced() -> None:
    compared = set()
    for case in CASES.values():
        for name in OFFICIAL.keys() & case["expected"].keys():
            metric, settings = OFFICIAL[name]
            computed = LocalMetric(metric).compute(
                predictions=case["predictions"], references=case["labels"], **settings
            )
            assert computed == {metric: pytest.approx(case["expected"][name], abs=1e-9)}
            compared.add(name)
    assert compared == set(OFFICIAL)


def test_the_scores_of_four_examples_are_those_worked_out_by_hand() -> None:
    inputs = {"predictions": [1, 1, 0, 0], "references": [1, 0, 0, 0]}  # TP 1, FP 1, FN 0, TN 2
    assert LocalMetric("accuracy").compute(**inputs) == {"accuracy": 3 / 4}
    assert LocalMetric("f1").compute(**inputs) == {"f1": pytest.approx(2 / 3)}
    assert LocalMetric("matthews").compute(**inputs) == {
        "matthews": pytest.approx((1 * 2 - 1 * 0) / (2 * 1 * 3 * 2) ** 0.5)
    }


def test_spearman_sees_order_alone_and_gives_ties_their_mean_rank() -> None:
    assert LocalMetric("spearman").compute(predictions=[1.0, 10.0, 100.0], references=[0.0, 1.0, 2.0]) == {
        "spearman": 1.0
    }
    tied = LocalMetric("spearman").compute(predictions=[1.0, 1.0, 2.0], references=[0.0, 1.0, 2.0])
    assert tied == {"spearman": pytest.approx(3**0.5 / 2)}  # ranks 1.5 1.5 3 against 1 2 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
def test_constant_predictions_correlate_with_nothing(metric: str) -> None:
    (value,) = LocalMetric(metric).compute(predictions=[1, 1, 1, 1], references=[0, 1, 1, 0]).values()
    assert value == 0.0


@pytest.mark.filterwarnings("error")
def test_f1_is_zero_for_a_class_that_is_neither_predicted_nor_there() -> None:
    assert LocalMetric("f1").compute(predictions=[0, 0], references=[0, 0]) == {"f1": 0.0}


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_correlation_with_constant_references_is_an_error(metric: str) -> None:
    with pytest.raises(ValueError, match=r"references must not all be equal; all 3 are 2\.5"):
        LocalMetric(metric).compute(predictions=[1.0, 2.0, 3.0], references=[2.5, 2.5, 2.5])


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_nan_is_never_correlated(metric: str) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        LocalMetric(metric).compute(predictions=[1.0, float("nan")], references=[2.5, 3.5])


def test_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", tmp_path)
    LocalMetric("accuracy").compute(predictions=[0, 1], references=[0, 1])
    assert list(tmp_path.iterdir()) == []
