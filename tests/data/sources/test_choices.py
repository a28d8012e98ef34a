"""Questions with choices: LLM-Adapters' JSON files, the Hub's rows, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from benchmarks.core import registry
from benchmarks.core.spec import InputError
from benchmarks.data.sources.choices import read_json_lines, read_llm_adapters
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
        (entry("Which?", ["x", "y"], "answer3"), "the answer must be one of answer1, answer2; got 'answer3'"),
        (entry("Which?", ["x", "y"], "answer0"), "the answer must be one of answer1, answer2"),
        (entry("Which?", ["x", "x"], "answer1"), "at least two different choices"),
        (entry("Which?", ["x"], "answer1"), "at least two different choices"),
        (entry("Which?", ["x", " "], "answer1"), "the choices must be texts"),
        (entry(" ", ["x", "y"], "answer1"), "the question must be a text"),
        (entry("Which?", ["x", "y"], "true"), "the answer must be one of answer1, answer2"),
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


def test_the_choices_are_numbered_with_any_word_or_are_the_answer_format_itself(tmp_path: Path) -> None:
    def other(text: str, answer: str) -> dict[str, str]:
        return {"instruction": text, "answer": answer}

    path = written(
        tmp_path,
        other("Please choose the correct solution to the question: To dry: hair\n\nSolution1: towel\n\nSolution2: soap\n\n"
              "Answer format: solution1/solution2", "solution1"),
        other("Please choose the correct ending to complete the given sentence: He\n\nEnding1: a Ending2: b Ending3: c "
              "Ending4: d Ending5: e\n\nAnswer format: ending1/ending2/ending3/ending4/ending5", "ending5"),
        other("Please answer the following question with true or false, question: is it a/b?\n\n"
              "Answer format: true/false", "false"),
    )  # fmt: skip
    assert read_llm_adapters(path) == [
        {"question": "To dry: hair", "choices": ["towel", "soap"], "label": 0},
        {"question": "He", "choices": ["a", "b", "c", "d", "e"], "label": 4},
        {"question": "is it a/b?", "choices": ["true", "false"], "label": 1},
    ]


def test_a_wrong_choice_may_occur_twice_and_the_right_one_is_kept_once(tmp_path: Path) -> None:
    (twice,) = read_llm_adapters(written(tmp_path, entry("Which?", ["x", "y", "x", "z"], "answer3")))
    assert (twice["choices"], twice["label"]) == (["x", "y", "z"], 0)
    (row,) = read_llm_adapters(written(tmp_path, entry("Which?", ["x", "y", "x"], "answer2")))
    assert row["choices"] == ["x", "y", "x"]


def test_lines_of_json_are_commonsense_qas_own_or_the_hubs(tmp_path: Path) -> None:
    labelled = [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]
    lines = [
        {"answerKey": "B", "question": {"stem": "Which?", "choices": labelled, "question_concept": "c"}},
        {"answerKey": "A", "question": "How?", "choices": {"label": ["A", "B"], "text": ["v", "w"]}},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert read_json_lines(path) == [
        {"question": "Which?", "choices": ["x", "y"], "label": 1},
        {"question": "How?", "choices": ["v", "w"], "label": 0},
    ]
    for bad in (
        '{"answerKey": "C", "question": "?", "choices": {"label": ["A"], "text": ["v"]}}',
        "{}",
        "[1]",
        "x",
        "",
    ):
        path.write_text(f"{json.dumps(lines[0])}\n{bad}\n")
        with pytest.raises(InputError, match=r"a\.jsonl:2: not a question with choices and answerKey"):
            read_json_lines(path)
    path.write_text("")
    with pytest.raises(InputError, match="a question per line; it is empty"):
        read_json_lines(path)


def test_boolq_has_its_passage_from_the_hub_and_none_in_llm_adapters_files(tmp_path: Path) -> None:
    rows = [{"question": "is it so", "passage": "It is.", "answer": True}]
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    data = registry.task("boolq").load(str(tmp_path))
    expected = {"question": "It is.\nQuestion: is it so?", "choices": ["no", "yes"], "label": 1}
    assert data.splits["validation"] == [expected]
    instruction = (
        "Please answer the following question with true or false, question: is it so?\n\nAnswer format: true/false"
    )
    for name in ("train.json", "test.json"):
        (tmp_path / name).write_text(json.dumps([{"instruction": instruction, "answer": "true"}]))
    data = registry.task("boolq").load(str(tmp_path), partial=True)
    assert data.splits["validation"] == [{"question": "Question: is it so?", "choices": ["no", "yes"], "label": 1}]


def test_piqas_two_solutions_are_its_choices(tmp_path: Path) -> None:
    rows = [{"goal": "To rest", "sol1": "run", "sol2": "sleep", "label": 1}]
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    data = registry.task("piqa").load(str(tmp_path))
    assert data.splits["train"] == [{"question": "To rest", "choices": ["run", "sleep"], "label": 1}]


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
    ("task", "folder", "numbers"),
    [
        ("arc_easy", "ARC-Easy", {3, 4, 5}),
        ("arc_challenge", "ARC-Challenge", {3, 4, 5}),
        ("openbookqa", "openbookqa", {4}),
        ("boolq", "boolq", {2}),
    ],
)
def test_the_real_files_are_complete_wherever_data_points(task: str, folder: str, numbers: set[int]) -> None:
    found = [
        registry.task(task).load(str(root)) for root in (DATA, DATA / "llm_adapters", DATA / "llm_adapters" / folder)
    ]
    assert len({data.fingerprint for data in found}) == 1
    assert {data.notes for data in found} == {()}
    assert {len(row["choices"]) for rows in found[0].splits.values() for row in rows} == numbers
