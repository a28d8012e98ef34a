"""Questions with choices: LLM-Adapters' JSON files, the Hub's rows, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from benchmarks.core import registry
from benchmarks.core.spec import InputError
from benchmarks.data.sources.choices import read_llm_adapters
from tests.support.paths import SHARED

DATA = SHARED / "data" / "llm"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data/llm beside the repository")


def entry(question: str, choices: list[str], answer: Any) -> dict[str, Any]:
    numbered = " ".join(f"Answer{number}: {choice}" for number, choice in enumerate(choices, start=1))
    layout = "/".join(f"answer{number}" for number in range(1, len(choices) + 1))
    return {
        "instruction": f"Please choose the correct answer to the question: {question}\n\n{numbered}\n\n"
        f"Answer format: {layout}",
        "input": "",
        "output": f"the correct answer is {answer}",
        "answer": answer,
    }


def written(folder: Path, *entries: Any) -> Path:
    path = folder / "a.json"
    path.write_text(json.dumps(entries, indent=4))
    return path


def test_questions_have_line_breaks_and_choices_have_colons(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        entry("Read this:\n\nit rains. Why?", ["a: b", " c ", "ratio 1: 2"], "answer3"),
        entry("Which?", ["x", "y"], "answer1"),
    )
    assert read_llm_adapters(path) == [
        {"question": "Read this:\n\nit rains. Why?", "choices": ["a: b", "c", "ratio 1: 2"], "label": 2},
        {"question": "Which?", "choices": ["x", "y"], "label": 0},
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry("Which?", ["x", "y"], "answer3"), "the answer must be one of 2 choices; it is number 3"),
        (entry("Which?", ["x", "y"], "answer0"), "it is number 0"),
        (entry("Which?", ["x", "y", "x"], "answer1"), "the right choice must occur once"),
        (entry("Which?", ["x"], "answer1"), "at least two choices"),
        (entry("Which?", ["x", " "], "answer1"), "the choices must be texts"),
        (entry(" ", ["x", "y"], "answer1"), "the question must be a text"),
        (entry("Which?", ["x", "y"], "true"), "the answer must be answerN"),
        (entry("Which?", ["x", "y"], 1), "the texts `instruction` and `answer`"),
        ("a text", "the texts `instruction` and `answer`"),
        ({"instruction": "Which? x or y", "answer": "answer1"}, "the instruction must have the question"),
        (entry("Which?", ["x", "y"], "answer1") | {"instruction": "Please choose the correct answer to the question: "
         "Which?\n\nAnswer1: x\n\nAnswer format: answer1/answer2"}, "Answer2 of 2 is missing"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_an_error_with_file_and_line(tmp_path: Path, bad: Any, message: str) -> None:
    good = entry("Which?", ["x", "y"], "answer1")  # six lines
    path = written(tmp_path, good, good, bad)
    with pytest.raises(InputError, match=f"a.json:14: .*{message}"):
        read_llm_adapters(path)


def test_a_wrong_choice_may_occur_twice(tmp_path: Path) -> None:
    (row,) = read_llm_adapters(written(tmp_path, entry("Which?", ["x", "y", "x"], "answer2")))
    assert row["choices"] == ["x", "y", "x"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "[1", "[NaN]"])
def test_a_file_without_a_list_of_questions_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json"):
        read_llm_adapters(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("task", "column", "folder"), [("arc_easy", "question", "ARC-Easy"), ("openbookqa", "question_stem", "main")]
)
def test_the_hubs_parquet_files_are_read(task: str, column: str, folder: str, tmp_path: Path) -> None:
    copy = tmp_path / {"main": "openbookqa/main"}.get(folder, folder)
    copy.mkdir(parents=True)
    rows = [
        {"id": "1", column: "Which?", "choices": {"text": ["x", "y", "z"], "label": ["A", "B", "C"]}, "answerKey": "B"},
        {"id": "2", column: "How?", "choices": {"text": ["v", "w"], "label": ["1", "2"]}, "answerKey": "1"},
    ]
    for split in ("train", "test"):
        Dataset.from_list(rows).to_parquet(copy / f"{split}-00000-of-00001.parquet")
    data = registry.task(task).load(str(tmp_path))
    assert data.splits["test"] == [
        {"question": "Which?", "choices": ["x", "y", "z"], "label": 1},
        {"question": "How?", "choices": ["v", "w"], "label": 0},
    ]
    assert data.notes[0].startswith("train has 2 questions; the official files have")
    Dataset.from_list([rows[0] | {"answerKey": "D"}]).to_parquet(copy / "test-00000-of-00001.parquet")
    with pytest.raises(InputError, match="row 0, with the answer 'D': the answer must be one of 3 choices"):
        registry.task(task).load(str(tmp_path))


@needs_data
@pytest.mark.parametrize(
    ("task", "folder", "numbers"), [("arc_easy", "ARC-Easy", {3, 4, 5}), ("openbookqa", "openbookqa", {4})]
)
def test_the_real_files_are_complete_wherever_data_points(task: str, folder: str, numbers: set[int]) -> None:
    found = [
        registry.task(task).load(str(root)) for root in (DATA, DATA / "llm_adapters", DATA / "llm_adapters" / folder)
    ]
    assert len({data.fingerprint for data in found}) == 1
    assert {data.notes for data in found} == {()}
    assert {len(row["choices"]) for rows in found[0].splits.values() for row in rows} == numbers
