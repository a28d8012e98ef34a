# ruff: noqa: S603  the command is our own

import os
import subprocess
import sys
from collections import Counter
from importlib import import_module
from itertools import combinations
from statistics import mean

import pytest

from benchmarks.core import registry
from benchmarks.core.spec import InputError, Row
from benchmarks.data.synthetic import TASKS, generate
from benchmarks.data.synthetic.language.drawing import EVALUATION_ROWS, TRAIN_ROWS, sentences
from benchmarks.tasks.families.classification import TextClassification
from benchmarks.tasks.families.generation import TextGeneration
from benchmarks.tasks.families.multiple_choice import MultipleChoice
from tests.support.paths import ROOT

TEXTS = [task for task in TASKS if isinstance(registry.task(task), TextGeneration)]
QUESTIONS = [task for task in TASKS if isinstance(registry.task(task), MultipleChoice)]
GLUE = [task for task in TASKS if isinstance(registry.task(task), TextClassification)]

DIGEST = """
import hashlib, json
from benchmarks.data.synthetic import TASKS, generate
print([hashlib.sha256(json.dumps(generate(task), sort_keys=True).encode()).hexdigest()[:16] for task in TASKS])
"""


@pytest.fixture(scope="module")
def splits() -> dict[str, dict[str, list[Row]]]:
    return {task: generate(task) for task in TASKS}


REAL_ALONE = {"aqua", "arc_challenge", "boolq", "commonsense_qa", "gsm8k", "mmlu", "piqa"}
"""Tasks whose questions nothing resembles that is embedded."""


def test_every_task_of_the_benchmark_has_a_generator_or_says_that_it_has_none() -> None:
    assert set(TASKS) | REAL_ALONE == set(registry.task_names())
    for task in REAL_ALONE:
        with pytest.raises(InputError, match=f"{task} has no generated rows: give --data hub or a folder"):
            registry.task(task).load("embedded")


@pytest.mark.parametrize("task", TASKS)
def test_the_rows_are_the_same_everywhere(task: str) -> None:
    dataset = registry.task(task).dataset  # type: ignore[attr-defined]
    assert registry.task(task).load("embedded").fingerprint == dataset.fingerprints["embedded"]


def test_the_rows_do_not_depend_on_pythons_hash_seed() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("task", GLUE)
def test_splits_share_no_sentence_and_have_distinct_rows(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    texts = {split: [sentences(row) for row in rows] for split, rows in splits[task].items()}
    assert all(len(set(rows)) == len(rows) for rows in texts.values())
    for one, other in combinations(texts.values(), 2):
        assert not {text for row in one for text in row} & {text for row in other for text in row}


@pytest.mark.parametrize("task", GLUE)
def test_splits_have_their_size_and_the_columns_of_the_hub(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    columns = {*registry.task(task).dataset.columns.text, "label"}  # type: ignore[attr-defined]
    for split, rows in splits[task].items():
        assert len(rows) == (TRAIN_ROWS if split == "train" else EVALUATION_ROWS)
        assert all(set(row) == columns for row in rows)


@pytest.mark.parametrize("task", [task for task in GLUE if task != "stsb"])
def test_classes_are_as_frequent_in_every_split(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    shares = [
        {label: count / len(rows) for label, count in Counter(row["label"] for row in rows).items()}
        for rows in splits[task].values()
    ]
    assert set(shares[0]) == set(range(registry.task(task).num_labels))
    for share in shares:
        assert share == pytest.approx(shares[0], abs=0.01)
        assert min(share.values()) >= 0.3


def test_scores_lie_between_0_and_5(splits: dict[str, dict[str, list[Row]]]) -> None:
    scores = [row["label"] for row in splits["stsb"]["train"]]
    assert min(scores) == 0
    assert max(scores) == 5
    assert len(set(scores)) > 6


@pytest.mark.parametrize("task", [task for task in GLUE if task != "stsb"])
def test_length_does_not_predict_the_class(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    rows = splits[task]["train"]
    lengths = [
        [len(" ".join(sentences(row)).split()) for row in rows if row["label"] == label]
        for label in {row["label"] for row in rows}
    ]
    assert max(map(mean, lengths)) - min(map(mean, lengths)) < 0.6


@pytest.mark.parametrize("task", [task for task in TASKS if task not in TEXTS])
def test_sentences_are_short(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    words = [len(" ".join(sentences(row)).split()) for row in splits[task]["train"]]
    assert mean(words) < 19


@pytest.mark.parametrize("task", TEXTS)
def test_no_record_of_the_test_set_is_in_the_training_set(task: str, splits: dict[str, dict[str, list[Row]]]) -> None:
    records = [[row["record"] for row in rows] for rows in splits[task].values()]
    assert len(set().union(*records)) == sum(map(len, records))
    assert {len(row["texts"]) for rows in splits[task].values() for row in rows} == {3}


def test_a_text_mentions_the_restaurants_name_and_kind(splits: dict[str, dict[str, list[Row]]]) -> None:
    for row in splits["e2e"]["train"]:
        slots = dict(slot.split(" : ") for slot in row["record"].split(" | "))
        assert all(slots["name"] in text and slots["Type"] in text for text in row["texts"])
        assert 4 <= len(slots) <= 6


def test_a_text_mentions_every_triple(splits: dict[str, dict[str, list[Row]]]) -> None:
    for row in splits["webnlg"]["test"]:
        triples = [triple.split(" : ") for triple in row["record"].split(" | ")]
        for text in row["texts"]:
            assert all(word.replace("_", " ") in text for thing, _, value in triples for word in (thing, value))


def test_half_of_the_test_set_has_unseen_categories(splits: dict[str, dict[str, list[Row]]]) -> None:
    seen = {row["category"] for row in splits["webnlg"]["train"]}
    unseen = [row for row in splits["webnlg"]["test"] if row["category"] not in seen]
    assert len(unseen) == len(splits["webnlg"]["test"]) / 2
    assert len(seen) == 4


@pytest.mark.parametrize("task", QUESTIONS)
def test_questions_have_different_choices_and_the_right_one_at_any_place(
    task: str, splits: dict[str, dict[str, list[Row]]]
) -> None:
    for rows in splits[task].values():
        assert {len(row["choices"]) for row in rows} == {3, 4, 5}
        assert all(len({*row["choices"]}) == len(row["choices"]) for row in rows)
        first = mean(row["label"] == 0 for row in rows)
        assert first == pytest.approx(mean(1 / len(row["choices"]) for row in rows), abs=0.1)


@pytest.mark.parametrize("task", QUESTIONS)
def test_no_subject_of_the_test_set_is_asked_about_in_the_training_set(
    task: str, splits: dict[str, dict[str, list[Row]]]
) -> None:
    for relation in import_module(f"benchmarks.data.synthetic.{task}").RELATIONS:
        subjects = {
            split: {
                subject
                for subject in relation.facts
                for question in relation.questions
                if question.format(subject) in {row["question"] for row in rows}
            }
            for split, rows in splits[task].items()
        }
        assert subjects["train"] | subjects["test"] == {*relation.facts}
        assert subjects["train"].isdisjoint(subjects["test"])
        assert len({*relation.facts.values()}) >= 5
        assert subjects["test"]


def test_the_embedded_questions_are_answered_rightly(splits: dict[str, dict[str, list[Row]]]) -> None:
    answers = {row["question"]: row["choices"][row["label"]] for rows in splits["arc_easy"].values() for row in rows}
    assert answers["What is the capital of France?"] == "Paris"
    assert answers["How much is 7 plus 8?"] == "15"


def test_an_unknown_task_is_answered_with_the_nearest_known_ones() -> None:
    with pytest.raises(InputError, match="cola"):
        generate("colla")
