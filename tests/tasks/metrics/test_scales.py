"""The scales of metrics agree with the digits that the paper prints and with the values that the metrics reach."""

import pytest

from benchmarks.store.published import published_table, score_tables
from benchmarks.tasks.metrics.scales import POINTS, SCALES, scale_of
from tests.support.fakes import make_result


def test_the_paper_prints_the_decimals_of_each_metric_s_scale() -> None:
    tables = [published_table(number) for number in score_tables()]
    printed = {(table.scale(column), table.decimals.get(column, 1)) for table in tables for column in table.columns}
    assert {scale for scale, _ in printed} == {POINTS, *SCALES.values()}
    assert all(scale.decimals == decimals for scale, decimals in printed)


def test_half_a_point_is_a_difference_in_the_metric_s_own_unit() -> None:
    margins = {metric: scale_of(metric).of_points(0.5) for metric in ("bleu", "accuracy", "nist", "cider", "ter")}
    assert margins == {"bleu": 0.5, "accuracy": 0.5, "nist": 0.05, "cider": 0.05, "ter": 0.005}


def test_a_part_of_a_split_has_the_scale_of_the_whole() -> None:
    assert scale_of("ter_unseen") == scale_of("ter")
    assert scale_of("rouge_l") == scale_of("a metric of another package") == POINTS


@pytest.mark.parametrize(("metric", "weight"), [("bleu", 0.5), ("ter", 0.005), ("nist", 0.05)])
def test_the_weight_of_one_example_is_on_the_metric_s_scale(metric: str, weight: float) -> None:
    result = make_result(metric=metric, rows={"train": 8, "validation": 200})
    assert result.resolution == pytest.approx(weight)
