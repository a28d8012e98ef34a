"""IOB2 files and data sets of tagged sentences: valid content, and errors that name file and line."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.core.spec import InputError
from benchmarks.data.sources.iob2 import read_iob2, tags_of
from benchmarks.data.sources.tagged import TaggedDataSet

TYPES = ("x", "y")
NAMES = TaggedDataSet(
    name="names",
    hub="someone/names",
    types=TYPES,
    files={"train": "train.iob2", "test": "test.iob2"},
    official_rows={"train": 2, "test": 1},
)
TEXT = "###MEDLINE:1\n\nab\tB-x\nc\tI-x\nab\tB-x\n\nc\tO\n\n"
ROWS = [{"tokens": "ab c ab", "tags": ["B-x", "I-x", "B-x"]}, {"tokens": "c", "tags": ["O"]}]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def folder(root: Path) -> Path:
    write(root / "names" / "train.iob2", TEXT)
    write(root / "names" / "test.iob2", "c\tO\n")
    return root


def test_tags_are_in_the_hub_s_order() -> None:
    assert tags_of(("DNA", "protein"))[:5] == ["O", "B-DNA", "I-DNA", "B-protein", "I-protein"]


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), "\ufeff" + TEXT.rstrip("\n")])
def test_sentences_are_read_whatever_the_line_ends(text: str, tmp_path: Path) -> None:
    assert read_iob2(write(tmp_path / "f", text), TYPES) == ROWS


def test_a_token_that_looks_like_a_comment_is_a_token(tmp_path: Path) -> None:
    assert read_iob2(write(tmp_path / "f", "###MEDLINE:1\n\n###\tO\n"), TYPES) == [{"tokens": "###", "tags": ["O"]}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab\tB-x\nc\tB-z\n", "f:2: unknown tag 'B-z'; known tags: O, B-x, I-x, B-y, I-y"),
        ("ab\tB-x\n\nc\tI-x\n", "f:3: I-x follows the start of a sentence; an entity must begin with B-"),
        ("ab\tB-x\nc\tI-y\n", "f:2: I-y follows B-x"),
        ("ab B-x\n", "f:1: a line must be empty or a token, a tab and a tag; got 'ab B-x'"),
        ("ab\tB-x\tmore\n", "f:1: a line must be empty or a token"),
        ("a b\tB-x\n", "f:1: a token must not contain spaces; got 'a b'"),
        ("\n\n", "contains no sentences"),
    ],
)
def test_what_is_malformed_is_an_error_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_iob2(write(tmp_path / "f", text), TYPES)
    assert message in str(error.value)


def test_a_folder_contains_the_files_or_the_data_set_s_folder(tmp_path: Path) -> None:
    data = NAMES.load(str(folder(tmp_path)))
    assert (list(data.splits["train"]), data.source, data.notes) == (ROWS, "iob2 names", ())
    assert NAMES.load(str(tmp_path / "names")).splits == data.splits


def test_sentences_that_are_not_the_official_ones_are_refused_unless_allowed(tmp_path: Path) -> None:
    pinned = replace(NAMES, fingerprints={"iob2": NAMES.load(str(folder(tmp_path))).fingerprint})
    assert not pinned.load(str(tmp_path)).notes
    write(tmp_path / "names" / "test.iob2", "ab\tO\n\nc\tO\n")
    with pytest.raises(InputError, match="the rows are not the official ones: their fingerprint is"):
        pinned.load(str(tmp_path))
    notes = pinned.load(str(tmp_path), partial=True).notes
    assert notes[0] == "test has 2 sentences; the official files have 1."
    assert "not the official ones" in notes[1]


def test_a_folder_without_the_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not contain train\.iob2: looked in"):
        NAMES.load(str(tmp_path))
    with pytest.raises(InputError, match="there is no folder 'nowhere'"):
        NAMES.load("nowhere")
    write(tmp_path / "train.iob2", TEXT)
    with pytest.raises(InputError, match=r"test\.iob2 cannot be read"):
        NAMES.load(str(tmp_path))
