import pytest

from benchmarks.data.sources.rows import Columns, fingerprint

ACCEPTABILITY = Columns(text=("sentence",), labels=("unacceptable", "acceptable"))
SIMILARITY = Columns(text=("sentence1", "sentence2"), score_range=(0.0, 5.0))


@pytest.mark.parametrize("label", ["acceptable", "1", 1])
def test_a_class_may_come_as_its_name_or_its_index(label: object) -> None:
    assert ACCEPTABILITY.row(["Fine."], label) == {"sentence": "Fine.", "label": 1}


@pytest.mark.parametrize("label", ["2", 2, "-1", -1, "", "good", None, "1.0", "²"])
def test_any_other_class_is_refused_with_the_known_ones(label: object) -> None:
    with pytest.raises(ValueError, match=r"0 \(unacceptable\), 1 \(acceptable\); got"):
        ACCEPTABILITY.row(["Fine."], label)


@pytest.mark.parametrize("label", ["5.1", "-0.1", "nan", "inf", "five", "", None])
def test_a_score_outside_its_range_is_refused(label: object) -> None:
    with pytest.raises(ValueError, match="from 0 to 5; got"):
        SIMILARITY.row(["A.", "B."], label)


def test_a_score_in_text_and_in_float32_is_the_same_number() -> None:
    float32_of_3_8 = 3.799999952316284
    assert SIMILARITY.row(["A.", "B."], "3.800") == SIMILARITY.row(["A.", "B."], float32_of_3_8)
    assert SIMILARITY.row(["A.", "B."], "3.800")["label"] == 3.8


def test_a_row_without_any_text_is_refused_but_one_of_a_pair_may_be_empty() -> None:
    with pytest.raises(ValueError, match="sentence1 and sentence2 must contain text"):
        SIMILARITY.row(["", "  "], 1)
    assert SIMILARITY.row(["", "B."], 1)["sentence2"] == "B."


def test_the_fingerprint_is_that_of_the_rows_and_their_order() -> None:
    first, second = {"sentence": "A.", "label": 1}, {"sentence": "B.", "label": 0}
    original = fingerprint({"train": [first, second]})
    assert original == fingerprint({"train": [{"label": 1, "sentence": "A."}, second]})
    assert original != fingerprint({"train": [second, first]})
    assert original != fingerprint({"train": [first], "validation": [second]})
    assert original != fingerprint({"train": [first, {**second, "label": 1}]})
