"""MMLU's CSV files: headers, letters and numbers, subjects, and what is refused."""

from pathlib import Path

import pytest
from datasets import Dataset

from benchmarks.core import registry
from benchmarks.core.spec import InputError
from benchmarks.data.sources.mmlu import read_mmlu, rows_of_mmlu
from tests.support.paths import SHARED

DATA = SHARED / "data" / "llm"
ABOUT = "The following are multiple choice questions (with answers) about high school physics.\n\n"


def test_files_with_numbers_below_a_header_and_with_letters_alone_give_the_same_rows(tmp_path: Path) -> None:
    for name, text in (
        ("numbers", 'question,choice0,choice1,choice2,answer\n"Which,\nof: all?",a,"b, c",d,1\nHow?,1,2,3,2\n'),
        ("letters", '\ufeff"Which,\nof: all?",a,"b, c",d,B\nHow?,1,2,3,C\n'),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "high_school_physics_test.csv").write_text(text, "utf-8")
        assert read_mmlu(folder) == [
            {"question": f"{ABOUT}Which,\nof: all?", "choices": ["a", "b, c", "d"], "label": 1},
            {"question": f"{ABOUT}How?", "choices": ["1", "2", "3"], "label": 2},
        ]


def test_a_file_of_another_data_set_names_no_subject(tmp_path: Path) -> None:
    (tmp_path / "race.csv").write_text("Which?,a,b,c,d,D\n")
    assert [row["question"] for row in read_mmlu(tmp_path)] == ["Which?"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("Which?,x,y,E", "the answer must be one of A, 0, B, 1; got 'E'"),
        ("Which?,x,y,2", "the answer must be one of A, 0, B, 1; got '2'"),
        ("Which?,x,y,", "the answer must be one of"),
        (" ,x,y,A", "the question must be a text"),
        ("Which?,x, ,A", "the choices must be texts"),
        ("Which?,x,A", "two choices or more, and the answer; got 3 cells"),
        ("Which?,x,x,A", "at least two different choices"),
        ('"Which?,x,y,A', "unexpected end of data"),
    ],
)
def test_a_bad_line_is_an_error_with_file_and_line(tmp_path: Path, bad: str, message: str) -> None:
    (tmp_path / "a_test.csv").write_text(f'"Two\nlines?",x,y,A\n\n{bad}\n')
    with pytest.raises(InputError, match=rf"a_test.csv:4: .*{message}"):
        read_mmlu(tmp_path)


def test_a_folder_without_questions_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must contain CSV files with questions"):
        read_mmlu(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"a\.csv cannot be read"):
        read_mmlu(tmp_path)


def test_the_hubs_rows_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "high_school_physics_test.csv").write_text("How?,1,2,3,4,C\n")
    row = {"question": "How?", "subject": "high_school_physics", "choices": ["1", "2", "3", "4"], "answer": 2}
    assert rows_of_mmlu(iter(Dataset.from_list([row]))) == read_mmlu(tmp_path)
    assert rows_of_mmlu(iter([row | {"subject": ""}]))[0]["question"] == "How?"


def test_without_the_training_set_the_examples_of_each_subject_are_trained_on_and_a_note_says_so(
    tmp_path: Path,
) -> None:
    for split in ("dev", "test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        (tmp_path / "data" / split / f"law_{split}.csv").write_text(f"In {split}?,1,2,3,4,C\n")
    data = registry.task("mmlu").load(str(tmp_path))
    assert "In dev?" in data.splits["train"][0]["question"]
    assert data.notes[0] == "train has 1 questions; the official files have 99,842."
    (tmp_path / "data" / "auxiliary_train").mkdir()
    (tmp_path / "data" / "auxiliary_train" / "race.csv").write_text("In race?,1,2,3,4,C\n")
    assert registry.task("mmlu").load(str(tmp_path)).splits["train"][0]["question"] == "In race?"


@pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data/llm beside the repository")
def test_the_real_test_files_are_complete() -> None:
    data = registry.task("mmlu").load(str(DATA))
    assert data.notes == ("train has 285 questions; the official files have 99,842.",)
    assert {len(row["choices"]) for row in data.splits["test"]} <= {3, 4}
    assert "about high school physics" in "".join(row["question"] for row in data.splits["test"])
