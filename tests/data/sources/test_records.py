"""Records and texts of E2E and WebNLG: official counts, equal rows from all formats, errors that name file and line."""

import gzip
import json
import re
from pathlib import Path

import pytest

from benchmarks.core import untrusted
from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.e2e import linearise, read_e2e
from benchmarks.data.sources.e2e import rows_of_hub as e2e_of_hub
from benchmarks.data.sources.webnlg import read_webnlg
from benchmarks.data.sources.webnlg import rows_of_hub as webnlg_of_hub
from tests.support.paths import SHARED

DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data beside the repository")
CSV = 'mr,ref\n"name[The Vaults], eatType[pub]",A pub.\n"name[The Vaults], eatType[pub]","The\nVaults."\nname[Zizzi],Zizzi.\n'
XML = """<?xml version="1.0"?>
<benchmark><entries>
<entry category="Airport" eid="Id1" size="1">
<modifiedtripleset><mtriple>A_B | city | C, "D"</mtriple></modifiedtripleset>
<lex comment="good" lid="Id1">One.</lex><lex comment="toFix" lid="Id2">Two.</lex>
</entry>
<entry category="Airport" eid="Id2" size="1">
<modifiedtripleset><mtriple>A_B | city | C, "D"</mtriple></modifiedtripleset>
<lex comment="good" lid="Id1">Three.</lex>
</entry></entries></benchmark>
"""
TRIPLE = '{"subject": "a", "property": "b", "object": "c"}'
TEXT = '{"comment": "good", "lex": "One."}'
ENTRIES = f'{{"entries": [{{"1": {{"category": "A", "modifiedtripleset": [{TRIPLE}], "lexicalisations": [{TEXT}]}}}}]}}'


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def counts(rows: list[Row]) -> tuple[int, int]:
    return len(rows), sum(len(row["texts"]) for row in rows)


@pytest.mark.parametrize("text", [CSV, CSV.replace("\n", "\r\n"), "\ufeff" + CSV.rstrip("\n")])
def test_texts_of_one_record_are_one_row(text: str, tmp_path: Path) -> None:
    assert read_e2e(write(tmp_path / "a.csv", text)) == [
        {"record": "name : The Vaults | Type : pub", "texts": ["A pub.", "The Vaults."]},
        {"record": "name : Zizzi", "texts": ["Zizzi."]},
    ]


def test_the_format_with_bars_is_read_as_well(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "name : Zizzi | price : cheap||Zizzi is cheap . \n")
    assert read_e2e(path) == [{"record": "name : Zizzi | price : cheap", "texts": ["Zizzi is cheap ."]}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "mr,text\na,b\n", "a.csv:1: the header line lacks ['ref']; it has ['mr', 'text']"),
        (
            "a.csv",
            "mr,ref\nname[A],A.\ncolour[red],B.\n",
            "a.csv:3: unknown attribute 'colour'; known attributes: name, eatType",
        ),
        ("a.csv", "mr,ref\nThe Vaults,A.\n", "a.csv:2: a record must be attributes with values"),
        ("a.csv", "mr,ref\nname[A],\n", "a.csv:2: the text is empty"),
        ("a.csv", "mr,ref\n", "contains no records"),
        ("a.csv", 'mr,"ref\nname[A],A.\n', "a.csv:2: unexpected end of data"),
        ("a.csv", "mr,ref\nname[A],A, too.\n", "a.csv:2: more columns than the 2 of the header line"),
        ("a.txt", "name : A|A.\n", "a.txt:1: a line must be a record, || and a text"),
        ("a.txt", "name : A||A.\ncolour : red||B.\n", "a.txt:2: unknown attribute 'colour'"),
    ],
)
def test_what_is_malformed_in_e2e_is_an_error_with_its_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_e2e(write(tmp_path / name, text))
    assert message in str(error.value)


def test_a_text_may_contain_brackets_and_commas() -> None:
    assert linearise("name[Café, Adriatic], near[The Mill]", "here") == "name : Café, Adriatic | near : The Mill"


def test_a_long_line_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="a record must be attributes with values"):
        linearise("a" * 1_000_000, "here")


def test_entries_with_the_same_triples_are_one_row_with_the_good_texts_only(tmp_path: Path) -> None:
    expected = [{"record": 'A_B : city : C, "D"', "texts": ["One.", "Three."], "category": "Airport"}]
    write(tmp_path / "a.xml", XML)
    assert read_webnlg(tmp_path / "a.xml") == read_webnlg(tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (XML.replace("</entry></entries>", ""), "a.xml:10: malformed XML"),
        (XML.replace("A_B | city | C", "A_B | C", 1), "entry Id1: a triple must be subject | property | object; got"),
        (XML.replace("One.", " "), "entry Id1: 1 texts of the entry are empty"),
        (XML.replace('category="Airport" eid="Id2"', 'eid="Id2"'), "entry Id2: an entry must have a category"),
        ("<benchmark/>", "contains no entries"),
        (XML.replace('"1.0"', '"1.0" encoding="utf-7"'), "a.xml: the file is not in the encoding that it declares"),
        (XML.replace('"1.0"', '"1.0" encoding="hex"'), "a.xml: the file is not in the encoding that it declares"),
        (
            XML.replace("<benchmark>", '<!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><benchmark>'),
            "entities and document type declarations are not allowed",
        ),
    ],
)
def test_what_is_malformed_in_webnlg_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_webnlg(write(tmp_path / "a.xml", text))
    assert message in str(error.value)


def test_an_incomplete_json_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file of WebNLG entries"):
        read_webnlg(write(tmp_path / "a.json", "[]"))
    with pytest.raises(InputError, match="entry 1: 'modifiedtripleset' is missing"):
        read_webnlg(write(tmp_path / "a.json", '{"entries": [{"1": {}}]}'))
    with pytest.raises(InputError, match="cannot be read"):
        read_webnlg(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            ENTRIES.replace('"One."', "1"),
            "entry 1: subjects, properties, objects, texts and category must be strings; got 1",
        ),
        (
            ENTRIES.replace('"A"', "null"),
            "entry 1: subjects, properties, objects, texts and category must be strings; got None",
        ),
        (ENTRIES.replace("One.", r"\ud800"), "surrogates not allowed"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_malformed_in_json_is_an_error(entries: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_webnlg(write(tmp_path / "a.json", entries))


def test_compressed_json_is_read_and_refused_if_damaged_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(ENTRIES.encode())
    path = tmp_path / "a.json.gz"
    path.write_bytes(packed)
    assert read_webnlg(path) == [{"record": "a : b : c", "texts": ["One."], "category": "A"}]
    monkeypatch.setattr(untrusted, "LARGEST_BYTES", 1000)
    bomb = gzip.compress(b" " * 1001)
    for damaged in (packed[:-9], packed[:20] + b"x" + packed[21:], ENTRIES.encode(), bomb):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.json\.gz is not a file of WebNLG entries"):
            read_webnlg(path)


@needs_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [("trainset.csv", (4862, 42061)), ("devset.csv", (547, 4672)), ("testset_w_refs.csv", (630, 4693))],
)
def test_the_official_e2e_files_have_their_counts(name: str, expected: tuple[int, int]) -> None:
    rows = read_e2e(DATA / "e2e" / name)
    assert counts(rows) == expected
    assert not any("\n" in text for row in rows for text in row["texts"])


@needs_data
@pytest.mark.parametrize(("name", "texts"), [("train", 42061), ("valid", 4672), ("test", 4693)])
def test_the_format_with_bars_has_the_official_counts(name: str, texts: int) -> None:
    assert counts(read_e2e(DATA / "e2e" / "lora_text" / f"{name}.txt"))[1] == texts


@needs_data
@pytest.mark.parametrize(("split", "texts"), [("train", 18025), ("dev", 2258), ("test", 4928)])
def test_webnlg_s_xml_and_json_files_give_the_same_rows(split: str, texts: int) -> None:
    folder = DATA / "webnlg" / "webnlg_challenge_2017" / split
    xml = read_webnlg(folder / "testdata_with_lex.xml" if split == "test" else folder)
    as_json = read_webnlg(DATA / "webnlg" / "lora_json" / f"{split}.json.gz")
    assert counts(xml)[1] == texts
    assert {row["record"]: sorted(row["texts"]) for row in xml} == {
        row["record"]: sorted(row["texts"]) for row in as_json
    }


def test_the_hub_s_rows_of_e2e_are_those_of_the_files(tmp_path: Path) -> None:
    pairs = [("name[The Vaults], eatType[pub]", "A pub."), ("name[The Vaults], eatType[pub]", "The\nVaults."),
             ("name[Zizzi]", "Zizzi.")]  # fmt: skip
    rows: list[Row] = [{"meaning_representation": record, "human_reference": text} for record, text in pairs]
    assert e2e_of_hub(rows) == read_e2e(write(tmp_path / "a.csv", CSV))
    with pytest.raises(InputError, match="row 1: unknown attribute 'nam'"):
        e2e_of_hub([rows[0], {"meaning_representation": "nam[x]", "human_reference": "x"}])


def test_the_hub_s_rows_of_webnlg_are_those_of_the_files(tmp_path: Path) -> None:
    triples = {"mtriple_set": [['A_B | city | C, "D"']]}
    told = [(["good", "toFix"], ["One.", "Two."]), (["good"], ["Three."])]
    rows: list[Row] = [
        {"category": "Airport", "modified_triple_sets": triples, "lex": {"comment": comments, "text": texts}}
        for comments, texts in told
    ]
    assert webnlg_of_hub(rows) == read_webnlg(write(tmp_path / "a.xml", XML))


@pytest.mark.parametrize("comment", ["good", ""])
def test_webnlg_s_xml_json_and_hub_rows_take_the_same_comments_for_valid(comment: str, tmp_path: Path) -> None:
    expected = [{"record": "A : b : C", "texts": ["One."], "category": "Airport"}]
    texts = [("One.", comment), ("Two.", "toFix")]
    lexes = "".join(f'<lex comment="{said}">{text}</lex>' for text, said in texts)
    triple = "<modifiedtripleset><mtriple>A | b | C</mtriple></modifiedtripleset>"
    xml = f'<benchmark><entries><entry category="Airport">{triple}{lexes}</entry></entries></benchmark>'
    assert read_webnlg(write(tmp_path / "a.xml", xml)) == expected
    fields = {"subject": "A", "property": "b", "object": "C"}
    told = [{"lex": text, "comment": said} for text, said in texts]
    entry = {"category": "Airport", "modifiedtripleset": [fields], "lexicalisations": told}
    assert read_webnlg(write(tmp_path / "a.json", json.dumps({"entries": [{"1": entry}]}))) == expected
    lex = {"text": [text for text, _ in texts], "comment": [said for _, said in texts]}
    row: Row = {"category": "Airport", "modified_triple_sets": {"mtriple_set": [["A | b | C"]]}, "lex": lex}
    assert webnlg_of_hub([row]) == expected


def test_a_webnlg_file_without_a_valid_text_is_an_error(tmp_path: Path) -> None:
    invalid = XML.replace('comment="good"', 'comment="toFix"')
    with pytest.raises(InputError, match=r"a\.xml contains no valid texts: none of its 2 entries"):
        read_webnlg(write(tmp_path / "a.xml", invalid))
