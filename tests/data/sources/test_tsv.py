from pathlib import Path

import pytest

from benchmarks.core.spec import InputError, TaskData
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout, read_tsv

LAYOUT = TsvLayout(folder="QNLI", text=("question", "sentence"), label="label")
COLUMNS = Columns(text=("question", "sentence"), labels=("entailment", "not_entailment"))
HEADER = b"index\tquestion\tsentence\tlabel\n"
GOOD = HEADER + b'0\tWho?\tA "quoted" man.\tentailment\n1\tWhy?\tTea \xe2\x80\xa8 too.\tnot_entailment\n'


def read(folder: Path, content: bytes, layout: TsvLayout = LAYOUT) -> TaskData:
    (folder / "train.tsv").write_bytes(content)
    return read_tsv(folder, layout, COLUMNS, ["train"])


def test_rows_have_the_hubs_column_names_and_label_indices(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).splits == {
        "train": [
            {"question": "Who?", "sentence": 'A "quoted" man.', "label": 0},
            {"question": "Why?", "sentence": "Tea \u2028 too.", "label": 1},
        ]
    }


def test_columns_are_found_by_the_header_not_by_position(tmp_path: Path) -> None:
    moved = b"label\tsentence\tquestion\nentailment\tA man.\tWho?\n"
    assert read(tmp_path, moved).splits["train"] == [{"question": "Who?", "sentence": "A man.", "label": 0}]


def test_files_without_a_header_line_take_the_layouts_names(tmp_path: Path) -> None:
    headerless = TsvLayout(folder="X", text=("q", "s"), label="l", header=("l", "q", "s"))
    rows = read(tmp_path, b"1\tWho?\tA man.\n", headerless).splits["train"]
    assert rows == [{"question": "Who?", "sentence": "A man.", "label": 1}]


@pytest.mark.parametrize(
    "harmless",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.removesuffix(b"\n"),
        GOOD + b"\n\n",
        b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
    ],
    ids=["byte order mark", "CRLF", "no last line end", "blank lines at the end", "all of it"],
)
def test_harmless_differences_change_nothing(harmless: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, harmless) == read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + b"2\tWhen?\tentailment\n", r"train\.tsv:4: 3 columns instead of 4"),
        (GOOD + b"2\tWhen?\tTo\tday.\tentailment\n", r"train\.tsv:4: 5 columns instead of 4"),
        (GOOD + b"\n" + b"2\tWhen?\tToday.\tentailment\n", r"train\.tsv:4: 1 columns instead of 4"),
        (GOOD + b"2\tWhen?\tToday.\tmaybe\n", r"train\.tsv:4: label must be one of .*not_entailment.*; got 'maybe'"),
        (GOOD + b"2\tWhen?\tToday.\t2\n", r"train\.tsv:4: label must be one of .*; got '2'"),
        (GOOD + b"2\t\t \tentailment\n", r"train\.tsv:4: question and sentence must contain text"),
        (GOOD + b"2\tWhen?\tCaf\xe9.\tentailment\n", r"train\.tsv:4: not UTF-8 \(byte 0xe9 after 11 bytes\)"),
        (GOOD.decode().encode("utf-16"), r"train\.tsv:1: not UTF-8"),
        (GOOD.replace(b"question", b"query"), r"train\.tsv:1: the header line lacks \['question'\]"),
        (b"", r"train\.tsv:1: the header line lacks"),
        (HEADER, r"train\.tsv contains no rows"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.tsv is missing; put the data set's official file there"):
        read_tsv(tmp_path, LAYOUT, COLUMNS, ["train"], partial=True)


def test_a_partial_file_is_used_only_if_allowed_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "train.partial.tsv").write_bytes(GOOD)
    with pytest.raises(InputError, match=r"only a sample, train\.partial\.tsv, is there; use --partial"):
        read_tsv(tmp_path, LAYOUT, COLUMNS, ["train"])
    assert read_tsv(tmp_path, LAYOUT, COLUMNS, ["train"], partial=True).partial == ("train",)


def test_a_whole_file_is_preferred_to_a_partial_one(tmp_path: Path) -> None:
    (tmp_path / "train.partial.tsv").write_bytes(HEADER)
    (tmp_path / "train.tsv").write_bytes(GOOD)
    data = read_tsv(tmp_path, LAYOUT, COLUMNS, ["train"], partial=True)
    assert (len(data.splits["train"]), data.partial) == (2, ())


def test_broken_rows_are_skipped_and_reported_where_the_official_files_have_them(tmp_path: Path) -> None:
    torn = TsvLayout(folder="QQP", text=("question", "sentence"), label="label", broken_rows=True)
    data = read(tmp_path, GOOD + b"2\tWhen\n\tis it?\tentailment\n3\tHow?\tSo.\tentailment\n", torn)
    assert [row["question"] for row in data.splits["train"]] == ["Who?", "Why?", "How?"]
    assert data.notes == ("train: 2 broken rows of train.tsv lack columns and are left out.",)
