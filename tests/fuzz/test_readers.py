"""Readers of files, for any bytes: rows, or an error that names the file; and what was written well comes back."""

import csv
import io
import json
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.core.untrusted import check_folder_names, printable, read_json
from benchmarks.data.sources.e2e import ATTRIBUTES, read_e2e
from benchmarks.data.sources.iob2 import read_iob2, tags_of
from benchmarks.data.sources.tsv import read_tsv
from benchmarks.data.sources.webnlg import read_webnlg
from tests.fuzz.mutating import mutate_json
from tests.fuzz.targets import COLUMNS, LAYOUT, TARGETS, run

few = settings(derandomize=True, max_examples=40, deadline=None, database=None)
"""The same examples every time; `nox -s fuzz` looks for others."""
names = pytest.mark.parametrize("name", TARGETS)
TYPES = ("DNA", "protein")
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), max_size=20)
words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=10)
sentences = lines.filter(str.strip)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@names
def test_a_well_formed_file_is_read(name: str, folder: Path) -> None:
    assert all(run(TARGETS[name], seed, folder) for seed in TARGETS[name].seeds)


@names
@few
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name: str, folder: Path, content: bytes) -> None:
    run(TARGETS[name], content, folder)


@names
@few
@given(data=st.data())
def test_a_file_that_is_cut_or_overwritten_is_read_or_refused(name: str, folder: Path, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(TARGETS[name].seeds))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    inserted = st.one_of(st.binary(max_size=9), st.sampled_from([word.encode() for word in TARGETS[name].words]))
    run(TARGETS[name], content[:start] + data.draw(inserted) + content[end:], folder)


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.file.endswith(".json")])
@few
@given(seed=st.integers(0, 2**32), times=st.integers(1, 3))
def test_json_with_other_values_is_read_or_refused(name: str, folder: Path, seed: int, times: int) -> None:
    content, random = TARGETS[name].seeds[0], Random(seed)
    for _ in range(times):
        content = mutate_json(content, random) or content
    run(TARGETS[name], content, folder)


@few
@given(rows=st.lists(st.tuples(sentences, lines, st.sampled_from(COLUMNS.labels)), min_size=1, max_size=5))
def test_rows_come_back_from_tsv(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    table = [("question", "sentence", "label"), *rows]
    (folder / "train.tsv").write_bytes("".join("\t".join(row) + "\n" for row in table).encode())
    assert read_tsv(folder, LAYOUT, COLUMNS, ["train"]).splits["train"] == [
        {"question": question, "sentence": sentence, "label": COLUMNS.labels.index(label)}
        for question, sentence, label in rows
    ]


@few
@given(
    texts=st.dictionaries(
        st.tuples(st.sampled_from(sorted(ATTRIBUTES)), words.filter(lambda word: not {*"[]"} & {*word})),
        st.lists(sentences, min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_records_come_back_from_csv(folder: Path, texts: dict[tuple[str, str], list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("mr", "ref"))
    writer.writerows((f"{name}[{value}]", text) for (name, value), told in texts.items() for text in told)
    (folder / "a.csv").write_bytes(out.getvalue().encode())
    assert read_e2e(folder / "a.csv") == [
        {"record": f"{ATTRIBUTES[name]} : {value}", "texts": [" ".join(text.splitlines()).strip() for text in told]}
        for (name, value), told in texts.items()
    ]


@few
@given(
    sentences=st.lists(
        st.lists(st.tuples(words, st.sampled_from([tag for tag in tags_of(TYPES) if tag[0] != "I"])), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_tagged_sentences_come_back_from_iob2(folder: Path, sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    (folder / "a.iob2").write_bytes(text.encode())
    assert read_iob2(folder / "a.iob2", TYPES) == [
        {"tokens": " ".join(word for word, _ in sentence), "tags": [tag for _, tag in sentence]}
        for sentence in sentences
    ]


@few
@given(triple=st.tuples(words, words, words).filter(lambda parts: "|" not in parts), text=words, category=words)
def test_entries_come_back_from_xml(folder: Path, triple: tuple[str, str, str], text: str, category: str) -> None:
    triples = f"<modifiedtripleset><mtriple>{escape(' | '.join(triple))}</mtriple></modifiedtripleset>"
    entry = f"<entry category={quoteattr(category)}>{triples}<lex>{escape(text)}</lex></entry>"
    (folder / "a.xml").write_bytes(f"<entries>{entry}</entries>".encode())
    assert read_webnlg(folder / "a.xml") == [{"record": " : ".join(triple), "texts": [text], "category": category}]


@few
@given(name=st.text(max_size=12) | st.sampled_from(["../a", "a/..", "..", ".", "/a", "C:\\a", "...", ". ."]))
def test_a_name_that_is_taken_stays_in_its_folder(name: str) -> None:
    try:
        check_folder_names(task=name)
    except ValueError:
        return
    assert Path("/store", name).resolve().parent == Path("/store")


@few
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_json_when_it_is_made_printable(text: str) -> None:
    shown = printable(json.dumps(text, ensure_ascii=False))
    assert not [sign for sign in shown if unicodedata.category(sign) == "Cc"]
    assert read_json(shown.encode()) == text
