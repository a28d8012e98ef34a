"""Questions with worked solutions: GSM8K's and AQuA-RAT's lines, the real files, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from benchmarks.core import registry
from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.solutions import aqua_row, gsm8k_row, plain_number, read_lines
from tests.support.paths import SHARED

DATA = SHARED / "data" / "llm"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data/llm beside the repository")
GSM8K = {"question": "How many\nducks?", "answer": "There are 3 + 4 = <<3+4=7>>7.\n#### 7"}
AQUA = {"question": "How far?", "options": ["A)5 m", "B)(6) m"], "rationale": "It is 6.", "correct": "B"}


def test_the_answer_to_a_question_of_gsm8k_is_the_number_after_the_mark() -> None:
    assert gsm8k_row(GSM8K) == {"question": GSM8K["question"], "solution": GSM8K["answer"], "answer": "7"}
    for end, answer in (("#### 1,250", "1250"), ("####-3", "-3"), ("#### 2.50", "2.5"), ("a #### b\n#### 0 ", "0")):
        assert gsm8k_row(GSM8K | {"answer": end})["answer"] == answer


def test_the_options_of_aqua_are_part_of_the_question_and_the_solution_ends_with_the_letter() -> None:
    assert aqua_row(AQUA) == {
        "question": "How far? Answer Choices: (A) 5 m (B) (6) m",
        "solution": "It is 6.\nThe answer is (B).",
        "answer": "B",
    }
    assert aqua_row(AQUA | {"rationale": ""})["solution"] == "The answer is (B)."


@pytest.mark.parametrize(("digits", "plain"), [("1,000,000", "1000000"), ("0.50", "0.5"), ("-0", "0"), ("100", "100")])
def test_a_number_has_one_form(digits: str, plain: str) -> None:
    assert plain_number(digits) == plain


@pytest.mark.parametrize(
    ("row", "bad", "message"),
    [
        (gsm8k_row, [], "`question` must be a text"),
        (gsm8k_row, GSM8K | {"question": " "}, "`question` must be a text"),
        (gsm8k_row, GSM8K | {"answer": "It is 7."}, "must end with '#### ' and a number"),
        (gsm8k_row, GSM8K | {"answer": "#### seven"}, "must end with '#### ' and a number"),
        (aqua_row, AQUA | {"correct": "C"}, "the answer must be one of A, B; got 'C'"),
        (aqua_row, AQUA | {"correct": "AB"}, "the answer must be one of A, B"),
        (aqua_row, AQUA | {"options": ["A)5 m"]}, "list of two texts or more"),
        (aqua_row, AQUA | {"options": ["A)5 m", "C)6 m"]}, r"must start with A\), B\)"),
        (aqua_row, AQUA | {"options": ["A)5 m", "6 m"]}, r"must start with A\), B\)"),
        (aqua_row, AQUA | {"rationale": None}, "`rationale` must be a text"),
    ],
)
def test_what_is_malformed_is_refused_with_its_file_and_line(
    row: Callable[[Any], Row], bad: Any, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "test.jsonl"
    good = GSM8K if row is gsm8k_row else AQUA
    path.write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    with pytest.raises(InputError, match=rf"test\.jsonl:2: .*{message}"):
        read_lines(path, row=row)


def test_lines_that_are_no_json_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps(GSM8K) + "\n{")
    with pytest.raises(InputError, match=r"test\.jsonl:2"):
        read_lines(path, row=gsm8k_row)
    path.write_text("")
    with pytest.raises(InputError, match=r"test\.jsonl:1"):
        read_lines(path, row=gsm8k_row)


@pytest.mark.parametrize(("name", "entry"), [("gsm8k", GSM8K), ("aqua", AQUA)])
def test_the_hubs_files_give_the_same_rows(name: str, entry: dict[str, Any], tmp_path: Path) -> None:
    lines, parquet = tmp_path / "lines", tmp_path / "parquet"
    for folder in (lines, parquet):
        folder.mkdir()
    form = registry.task(name).dataset.forms[0]  # type: ignore[attr-defined]
    for split, file in form.files.items():
        (lines / file).write_text(json.dumps(entry))
        Dataset.from_list([entry]).to_parquet(parquet / f"{split}-00000-of-00001.parquet")
    ours, theirs = (registry.task(name).load(str(folder)) for folder in (lines, parquet))
    assert ours.splits == theirs.splits
    assert (ours.source, theirs.source) == (f"{form.name} lines", "parquet parquet")


@needs_data
def test_the_real_files_are_complete() -> None:
    assert registry.task("gsm8k").load(str(DATA)).notes == ()
    assert registry.task("aqua").load(str(DATA)).notes == ("train has 254 questions; the official files have 97,467.",)


@needs_data
def test_the_questions_of_aqua_are_those_of_llm_adapters() -> None:
    """Its file has white space before some options that the official one lacks."""
    ours = {
        "".join(row["question"].split()): row["answer"] for row in registry.task("aqua").load(str(DATA)).splits["test"]
    }
    theirs = json.loads((DATA / "llm_adapters" / "AQuA" / "test.json").read_text("utf-8"))
    equal = sum(ours.get("".join(each["instruction"].split())) == each["answer"] for each in theirs)
    assert equal == len(theirs) == 254
