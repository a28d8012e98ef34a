"""What is fuzzed: each reader of files, with well-formed files and words to start from."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.core.nested import build, plain
from benchmarks.core.spec import InputError, Prediction, Row
from benchmarks.data.sources.choices import read_json_lines, read_llm_adapters
from benchmarks.data.sources.e2e import read_e2e
from benchmarks.data.sources.iob2 import read_iob2
from benchmarks.data.sources.rows import Columns, fingerprint
from benchmarks.data.sources.tsv import TsvLayout, read_tsv
from benchmarks.data.sources.webnlg import read_webnlg
from benchmarks.store.result import Environment, Result
from benchmarks.store.store import Store, read_predictions, read_result, write_result

LAYOUT = TsvLayout(folder="pairs", text=("question", "sentence"), label="label")
COLUMNS = Columns(text=("question", "sentence"), labels=("yes", "no"))
SCORES = Columns(text=("question", "sentence"))
TSV = b"index\tquestion\tsentence\tlabel\r\n0\tWho?\tA man.\tyes\n1\tWhy?\t\t1\n"
CSV = b'mr,ref\n"name[The Vaults], eatType[pub]","A ""pub"",\nhere."\nname[Zizzi],Zizzi.\n'
BARS = b"name : Zizzi | price : cheap||Zizzi is cheap .\n"
IOB2 = b"###MEDLINE:1\n\nab\tB-DNA\nc\tI-DNA\r\n\nc\tO\n"
XML = b"""<?xml version="1.0" encoding="utf-8"?><benchmark><entries><entry category="A" eid="Id1"><modifiedtripleset>
<mtriple>a | b | c</mtriple></modifiedtripleset><lex comment="good">One &amp; two.</lex></entry></entries></benchmark>"""
TRIPLE = b'{"subject": "a", "property": "b", "object": "c"}'
TEXT = b'{"comment": "good", "lex": "One."}'
JSON = b'{"entries": [{"1": {"category": "A", "modifiedtripleset": [%s], "lexicalisations": [%s]}}]}' % (TRIPLE, TEXT)
CHOICES = b"""[{"instruction": "Please choose the correct answer to the question: Which?\\n\\nAnswer1: a Answer2: b\\n\\n\
Answer format: answer1/answer2", "answer": "answer2"}]"""
LINE = b"""{"question": "Which?", "choices": {"label": ["A", "B"], "text": ["a", "b"]}, "answerKey": "B"}
{"question": {"stem": "How?", "choices": [{"label": "A", "text": "c"}, {"label": "B", "text": "d"}]}, "answerKey": "A"}"""
RESULT = Result(
    status="done",
    task="cola",
    method="lora",
    seed=0,
    preset="quick",
    protocol="clean",
    task_title="CoLA",
    method_title="LoRA",
    metric="matthews",
    split="validation",
    config={"method": {"rank": 4}},
    identity="a" * 64,
    configuration="b" * 64,
    versions={"task": 1, "method": 1},
    fingerprints={"data": "c", "model": "d", "predictions": "e"},
    model_title="MiniLM-L6",
    model_parameters=1,
    data_source="embedded",
    rows={"train": 8, "validation": 4},
    metrics={"validation": {"matthews": 50.5}},
    curve={"1": {"validation": {"matthews": None}}},
    ranks={"query": 4},
    seconds={"total": 1.5},
    resumed=False,
    environment=Environment(
        python="3.11.7",
        packages={"torch": "2.13.0"},
        device="cpu",
        device_name="A CPU",
        threads=1,
        precision="fp32",
        commit=None,
        clean=None,
    ),
    finished="2026-01-01T00:00:00+00:00",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader of one kind of file."""

    file: str
    """The file's name, which some readers go by."""
    read: Callable[[Path], None]
    """Reads a file and uses what it held. Raises InputError where it is malformed."""
    seeds: Sequence[bytes]
    """Well-formed files."""
    words: Sequence[str] = ()
    """What may stand in such a file."""


def run(target: Target, content: bytes, folder: Path) -> bool:
    """Whether a reader takes a file of these bytes, which is left in the folder; one that it refuses must be named."""
    path = folder / target.file
    path.write_bytes(content)
    try:
        target.read(path)
    except InputError as error:
        assert str(path) in str(error), error  # noqa: PT017  whatever else is raised is a finding
        return False
    return True


def _tsv(columns: Columns) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        for row in read_tsv(path.parent, LAYOUT, columns, ["train"]).splits["train"]:
            assert any(row[name].strip() for name in columns.text)
            assert row["label"] in range(len(columns.labels)) or columns.score_range[0] <= row["label"]

    return read


def _iob2(path: Path) -> None:
    rows = read_iob2(path, ("DNA", "protein"))
    _check(rows, texts="tags")
    assert all(len(row["tokens"].split(" ")) == len(row["tags"]) for row in rows)


def _records(read: Callable[[Path], list[Row]], texts: str = "texts") -> Callable[[Path], None]:
    return lambda path: _check(read(path), texts=texts)


def _check(rows: Sequence[Row], texts: str) -> None:
    assert rows
    assert all(isinstance(text, str) for row in rows for text in row[texts])
    assert json.dumps(rows, ensure_ascii=False).encode()  # a tokenizer takes nothing that UTF-8 does not have
    assert fingerprint({"train": rows})


def _result(path: Path) -> None:
    result = read_result(path)
    store = Store(folder=path.parent / "store")
    assert store.folder_of(result).path.resolve().is_relative_to(store.folder.resolve())
    assert result.score is None or isinstance(result.score, float)
    assert result.resolution > 0
    write_result(path, result)
    assert read_result(path) == result


def _predictions(path: Path) -> None:
    """As JSON: packed, hardly a changed byte would come to be read."""
    path.write_bytes(gzip.compress(path.read_bytes(), 1))
    for split, values in read_predictions(path).items():
        assert build(Prediction, values, split)


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "tsv": Target(file="train.tsv", read=_tsv(COLUMNS), seeds=[TSV], words=["label", "question", "no"]),
        "scores": Target(
            file="train.tsv", read=_tsv(SCORES), seeds=[TSV.replace(b"yes", b"2.5")], words=["1e1", "nan"]
        ),
        "csv": Target(file="a.csv", read=_records(read_e2e), seeds=[CSV], words=["near[", "area[", "]", '""']),
        "bars": Target(file="a.txt", read=_records(read_e2e), seeds=[BARS], words=["area : ", " | ", "||"]),
        "xml": Target(
            file="a.xml",
            read=_records(read_webnlg),
            seeds=[XML],
            words=[
                "<!DOCTYPE b [",
                "<!ENTITY",
                "encoding=",
                "utf-16",
                "latin-1",
                "utf-7",
                "<![CDATA[",
                "&#0;",
                "<lex>",
            ],
        ),
        "json": Target(file="a.json", read=_records(read_webnlg), seeds=[JSON], words=["null", "\\ud800", "[[[["]),
        "choices": Target(
            file="a.json",
            read=_records(read_llm_adapters, "choices"),
            seeds=[CHOICES],
            words=["Answer3: ", "answer3", "/", "\\n\\n", "Please", "true/false", "null", "[", "\\ud800"],
        ),
        "lines": Target(
            file="a.jsonl",
            read=_records(read_json_lines, "choices"),
            seeds=[LINE],
            words=["null", "stem", "choices", "answerKey", "[[[[", "\\ud800"],
        ),
        "iob2": Target(file="a.iob2", read=_iob2, seeds=[IOB2], words=["B-protein", "I-protein", "###", "\\t"]),
        "result": Target(
            file="result.json",
            read=_result,
            seeds=[json.dumps(plain(RESULT)).encode()],
            words=["null", "NaN", "1e999", "\\ud800", "../", "[[[[", "{}", "[]", "schema", "failed", "reason", "true"],
        ),
        "predictions": Target(
            file="predictions.json",
            read=_predictions,
            seeds=[b'{"validation": {"labels": [1], "predictions": [0], "scores": [[0.5, -0.5]]}}'],
            words=["null", "NaN", "parts"],
        ),
    }
)
