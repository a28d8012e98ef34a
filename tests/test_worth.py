from dataclasses import replace

import pytest

from benchmarks.materials import Materials
from benchmarks.spec import TaskData
from benchmarks.worth import FLOORS, floors, render


class FewRows(Materials):
    """The first rows of every split."""

    def __init__(self) -> None:
        super().__init__()
        whole = self.data

        def few(task: str, data: str, partial: bool) -> TaskData:  # noqa: FBT001
            rows = whole(task, data, partial)
            return replace(rows, splits={split: found[:120] for split, found in rows.splits.items()})

        self.data = few  # type: ignore[assignment]


@pytest.fixture(scope="module")
def materials() -> Materials:
    return FewRows()


def test_the_majority_class_scores_its_share(materials: Materials) -> None:
    rows = materials.data("qqp", "embedded", False).splits["validation"]
    share = 100 * sum(row["label"] == 0 for row in rows) / len(rows)
    found = floors("qqp", materials, data="embedded", model="minilm")
    assert found["majority class"] == pytest.approx(share)
    assert set(found) == set(FLOORS)


def test_a_bag_of_words_sees_words() -> None:
    easy = TaskData(
        splits={
            "train": [{"sentence": word, "label": int(word == "good")} for word in ("good", "bad") * 20],
            "validation": [{"sentence": f"a {word} film", "label": int(word == "good")} for word in ("good", "bad")],
        },
        fingerprint="",
        source="embedded",
    )
    simple = FewRows()
    simple.data = lambda *_: easy  # type: ignore[assignment]
    assert floors("sst2", simple, data="embedded", model="minilm")["bag of words"] == 100


def test_a_constant_knows_nothing_of_scores(materials: Materials) -> None:
    assert floors("stsb", materials, data="embedded", model="minilm")["majority class"] == 0


def test_the_table_has_a_row_per_task_and_says_where_nothing_was_trained(materials: Materials) -> None:
    table = render(["sst2"], [], materials, data="embedded", model="minilm")
    assert "SST-2" in table.splitlines()[-1]
    assert table.split("|")[-2].strip() == "-"
