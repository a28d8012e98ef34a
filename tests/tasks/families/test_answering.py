"""Questions with choices as instructions whose answer is generated."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.core import registry
from benchmarks.core.identity import settings_that_count
from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.choices import read_llm_adapters
from benchmarks.tasks.families.answering import answered_with
from benchmarks.tasks.families.generated_answer import GeneratedAnswer
from benchmarks.tasks.families.instruction import Instruction
from benchmarks.tasks.families.multiple_choice import MultipleChoice
from tests.support.paths import SHARED

DATA = SHARED / "data" / "llm" / "llm_adapters"
ROW: Row = {"question": "Which?", "choices": ["x", "y", "z"], "label": 2}
CHOICES = [name for name in registry.task_names() if isinstance(registry.task(name), MultipleChoice)]


def test_the_choices_are_numbered_with_a_word_and_the_answer_is_one_of_the_names() -> None:
    assert Instruction(word="ending").row(ROW) == {
        "question": "Please choose the correct ending to the question: Which?\n\nEnding1: x Ending2: y Ending3: z\n\n"
        "Answer format: ending1/ending2/ending3",
        "solution": "the correct answer is ending3",
        "answer": "ending3",
    }


def test_names_that_are_words_must_be_as_many_as_the_choices() -> None:
    boolq = registry.task("boolq").instruction  # type: ignore[attr-defined]
    assert boolq.row({"question": "Question: is it?", "choices": ("no", "yes"), "label": 1})["answer"] == "true"
    with pytest.raises(InputError, match=r"must have the choices false, true; got \['x', 'y', 'z'\]"):
        boolq.row(ROW)


@pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data/llm beside the repository")
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("arc_easy", "ARC-Easy/test.json"),
        ("arc_challenge", "ARC-Challenge/test.json"),
        ("openbookqa", "openbookqa/test.json"),
        ("piqa", "piqa/test.json"),
        ("boolq", "boolq/test.json"),
    ],
)
def test_the_instructions_are_those_of_llm_adapters_files(name: str, file: str) -> None:
    task = registry.task(name)
    rows = registry.task(name).dataset.read(DATA / file)  # type: ignore[attr-defined]
    ours = [task.instruction.row(row) for row in rows]  # type: ignore[attr-defined]
    theirs = json.loads((DATA / file).read_text("utf-8"))
    assert len(ours) == len(theirs) > 400
    assert [row["answer"] for row in ours] == [entry["answer"] for entry in theirs]
    assert [row["solution"] for row in ours] == [entry["output"] for entry in theirs]
    # White space at the ends of questions and choices is removed; BoolQ's "question" has a capital letter here.
    assert [_plain(row["question"]) for row in ours] == [_plain(entry["instruction"]) for entry in theirs]


def _plain(text: str) -> str:
    return "".join(text.split()).lower()


@pytest.mark.parametrize("name", CHOICES)
def test_every_task_with_choices_can_be_answered_by_generation(name: str) -> None:
    task = registry.task(name)
    generated = answered_with(task, "generated")
    assert isinstance(generated, GeneratedAnswer)
    number = 2 if name in {"boolq", "piqa"} else 4
    row = generated.row({"question": "Which?", "choices": ["a", "b", "c", "d"][:number], "label": 1})
    assert generated.extract(row["solution"]) == row["answer"]
    assert generated.extract("I do not know") == ""
    kept = (generated.metric, generated.evaluation_splits, generated.version, generated.dataset)
    assert kept == (task.metric, task.evaluation_splits, task.version, task.dataset)  # type: ignore[attr-defined]


def test_tasks_without_choices_refuse_the_setting() -> None:
    with pytest.raises(InputError, match="GSM8K has none"):
        answered_with(registry.task("gsm8k"), "generated")


def test_the_setting_is_part_of_the_identity_and_its_default_is_not() -> None:
    assert settings_that_count({"answers": "generated"}) == {"answers": "generated"}
    assert settings_that_count({"answers": None}) == {}


def test_read_rows_give_the_choices_back(tmp_path: Path) -> None:
    rows = [ROW, replace_label(0)]
    entries = [
        {"instruction": each["question"], "output": each["solution"], "answer": each["answer"]}
        for each in map(Instruction().row, rows)
    ]
    path = tmp_path / "train.json"
    path.write_text(json.dumps(entries))
    assert read_llm_adapters(path) == rows


def replace_label(label: int) -> Row:
    return {**ROW, "label": label}


def test_the_choices_may_be_separated_by_lines() -> None:
    apart = replace(Instruction(), between="\n\n").row(ROW)["question"]
    assert "Answer1: x\n\nAnswer2: y\n\nAnswer3: z\n\nAnswer format" in apart
