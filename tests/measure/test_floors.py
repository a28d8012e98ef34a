from dataclasses import replace

import pytest

from benchmarks.core.spec import TaskData
from benchmarks.measure.floors import floors, render
from benchmarks.run.cache import Materials
from tests.support.fakes import scored

ON_MINILM = {"data": "embedded", "partial": False, "model": "minilm", "max_length": 64}
ON_DECODER = ON_MINILM | {"model": "decoder"}


class FewRows(Materials):
    """The first rows of every split."""

    def __init__(self, count: int = 120) -> None:
        super().__init__()
        whole = self.data

        def few(task: str, data: str, partial: bool) -> TaskData:  # noqa: FBT001
            rows = whole(task, data, partial)
            return replace(rows, splits={split: found[:count] for split, found in rows.splits.items()})

        self.data = few  # type: ignore[assignment]


@pytest.fixture(scope="module")
def materials() -> Materials:
    return FewRows()


def test_the_majority_class_scores_its_share(materials: Materials) -> None:
    rows = materials.data("qqp", "embedded", False).splits["validation"]
    share = 100 * sum(row["label"] == 0 for row in rows) / len(rows)
    found = floors("qqp", materials, ON_MINILM)
    assert found["majority class"] == pytest.approx(share)
    assert set(found) == {"majority class", "bag of words", "frozen encoder"}


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
    assert floors("sst2", simple, ON_MINILM)["bag of words"] == 100


def test_a_constant_knows_nothing_of_scores(materials: Materials) -> None:
    assert floors("stsb", materials, ON_MINILM)["majority class"] == 0


def test_the_table_has_a_row_per_task_and_says_where_nothing_was_trained(materials: Materials) -> None:
    table = render({"sst2": ON_MINILM}, [], materials)
    assert "SST-2" in table.splitlines()[-1]
    assert table.split("|")[-2].strip() == "-"


def test_the_mean_of_full_fine_tuning_counts_its_collapsed_cells(materials: Materials) -> None:
    results = [
        scored(score, task="sst2", method="full", seed=seed, identity=f"{seed}", collapsed=score == 0)
        for seed, score in enumerate((80.0, 0.0))
    ]
    table = render({"sst2": ON_MINILM}, results, materials)
    assert table.split("|")[-2].strip() == "40.0 (n=2, 1 collapsed)"


def test_a_word_has_its_most_frequent_tag_and_its_place_a_better_one() -> None:
    rows = {
        "train": [
            {"tokens": "the gene acts", "tags": ["O", "B-DNA", "O"]},
            {"tokens": "the gene acts", "tags": ["O", "B-DNA", "O"]},
            {"tokens": "a gene product", "tags": ["O", "B-protein", "I-protein"]},
        ],
        "test": [{"tokens": "a gene product binds", "tags": ["O", "B-protein", "I-protein", "O"]}],
    }
    simple = FewRows()
    simple.data = lambda *_: TaskData(splits=rows, fingerprint="", source="embedded")  # type: ignore[assignment]
    found = floors("bionlp2004", simple, ON_MINILM)
    assert found["word"] == 0  # B-DNA and I-protein: neither is an entity of the sentence
    assert found["word between neighbours"] == 100


def test_questions_have_the_floors_of_chance_of_length_and_of_the_pretrained_model() -> None:
    rows = [
        {"question": "Which?", "choices": ["a", "longer"], "label": 1},
        {"question": "Which?", "choices": ["a", "b", "longer", "d"], "label": 0},
    ]
    simple = FewRows()
    splits = {"train": rows, "test": rows}
    simple.data = lambda *_: TaskData(splits=splits, fingerprint="", source="embedded")  # type: ignore[assignment]
    found = floors("arc_easy", simple, ON_DECODER)
    assert found["chance"] == pytest.approx(100 * (1 / 2 + 1 / 4) / 2)
    assert found["longest choice"] == 50
    assert found["frozen decoder"] in (0, 50, 100)


def test_generated_answers_have_the_floors_of_the_most_frequent_answer_and_of_the_pretrained_model() -> None:
    train, test = (
        [{"question": "How many?", "solution": f"#### {answer}", "answer": answer} for answer in answers]
        for answers in (["2", "1", "2"], ["2", "1", "1", "3"])
    )
    simple = FewRows()
    splits = {"train": train, "test": test}
    simple.data = lambda *_: TaskData(splits=splits, fingerprint="", source="embedded")  # type: ignore[assignment]
    found = floors("gsm8k", simple, ON_DECODER)
    assert found.keys() == {"most frequent answer", "frozen decoder"}
    assert found["most frequent answer"] == 25
    assert found["frozen decoder"] in (0, 25, 50, 75, 100)


def test_texts_and_questions_have_tables_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure.floors.floors", lambda name, *_: {f"floor of {name}": 1.0})
    tables = render({"e2e": ON_DECODER, "arc_easy": ON_DECODER}, [], FewRows())
    assert len(tables.split("\n\n")) == 2


@pytest.mark.slow
def test_a_decoder_says_more_of_a_record_than_the_record_itself() -> None:
    found = floors("e2e", FewRows(8), ON_DECODER)
    assert 0 < found["record"] < found["frozen decoder"] < 100


def test_tasks_of_another_kind_have_a_table_of_their_own(materials: Materials) -> None:
    table = render({"sst2": ON_MINILM, "bionlp2004": ON_MINILM}, [], materials)
    classes, tags = table.split("\n\n")
    assert "frozen encoder" in classes
    assert "word between neighbours" in tags
