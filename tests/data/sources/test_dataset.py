from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset, Features, Value

from benchmarks.core.spec import InputError
from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout

STSB = DataSet(
    hub=("nyu-mll/glue", "stsb"),
    columns=Columns(text=("sentence1", "sentence2"), score_range=(0.0, 5.0)),
    tsv=TsvLayout(folder="STS-B", text=("sentence1", "sentence2"), label="score"),
    paper_rows={"train": 2, "validation": 5},
)
TSV = "index\tsentence1\tsentence2\tscore\n0\tA plane.\tA jet.\t3.800\n1\tA man.\tA dog.\t1.714\n"
ROWS = [
    {"sentence1": "A plane.", "sentence2": "A jet.", "label": 3.8},
    {"sentence1": "A man.", "sentence2": "A dog.", "label": 1.714},
]


def write_tsv(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text(TSV)


def write_parquet(folder: Path) -> None:
    folder.mkdir(parents=True)
    text, score = Value("string"), Value("float32")
    features = Features({"sentence1": text, "sentence2": text, "label": score, "idx": Value("int32")})
    table = Dataset.from_list([{**row, "idx": index} for index, row in enumerate(ROWS)], features=features)
    for split in ("train", "validation"):
        table.to_parquet(folder / f"{split}-00000-of-00001.parquet")


@pytest.mark.parametrize("place", ["STS-B", "glue/STS-B"])
def test_a_folder_contains_the_data_sets_or_the_collection(place: str, tmp_path: Path) -> None:
    write_tsv(tmp_path / place)
    assert STSB.load(str(tmp_path)).splits == {"train": ROWS, "validation": ROWS}


def test_the_same_rows_have_the_same_fingerprint_whatever_their_format(tmp_path: Path) -> None:
    write_tsv(tmp_path / "a" / "STS-B")
    write_parquet(tmp_path / "b" / "glue" / "stsb")
    from_tsv, from_parquet = STSB.load(str(tmp_path / "a")), STSB.load(str(tmp_path / "b"))
    assert from_tsv.splits == from_parquet.splits
    assert from_tsv.fingerprint == from_parquet.fingerprint


def test_parquet_is_preferred_to_tsv(tmp_path: Path) -> None:
    write_tsv(tmp_path / "STS-B")
    write_parquet(tmp_path / "stsb")
    assert STSB.load(str(tmp_path)).source == "parquet stsb"


def test_rows_that_are_not_the_official_ones_are_refused_unless_allowed(tmp_path: Path) -> None:
    write_tsv(tmp_path / "STS-B")
    official = STSB.load(str(tmp_path)).fingerprint
    pinned = replace(STSB, fingerprints={"tsv": official})
    assert pinned.load(str(tmp_path)).fingerprint == official
    (tmp_path / "STS-B" / "dev.tsv").write_text(TSV.replace("A dog.", "A cat."))
    with pytest.raises(
        InputError, match=f"their fingerprint is [0-9a-f]{{64}}, but the official one is {official}. Get the official"
    ):
        pinned.load(str(tmp_path))
    notes = pinned.load(str(tmp_path), partial=True).notes
    assert f"not {official[:12]}." in notes[-1]


def test_counts_that_differ_from_the_papers_are_reported(tmp_path: Path) -> None:
    write_tsv(tmp_path / "STS-B")
    assert STSB.load(str(tmp_path)).notes == ("validation has 2 rows; the paper's Table 6 says 5.",)


def test_a_sample_is_reported_with_its_share(tmp_path: Path) -> None:
    write_tsv(tmp_path / "STS-B")
    (tmp_path / "STS-B" / "dev.tsv").rename(tmp_path / "STS-B" / "dev.partial.tsv")
    with pytest.raises(InputError, match="--partial"):
        STSB.load(str(tmp_path))
    data = STSB.load(str(tmp_path), partial=True)
    assert data.partial == ("validation",)
    assert data.notes == ("validation is a sample, 2 of 5 rows: its scores do not compare with published ones.",)


def test_embedded_rows_are_generated_and_need_no_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    generated = {"train": [{**ROWS[0], "template": 7}], "validation": ROWS}
    monkeypatch.setattr("benchmarks.data.synthetic.generate", {"stsb": generated}.__getitem__)
    data = STSB.load("embedded")
    assert data.splits == {"train": ROWS[:1], "validation": ROWS}
    assert (data.source, data.notes) == ("embedded", ())


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"embedded, hub or a folder; there is no folder .*nowhere"):
        STSB.load(str(tmp_path / "nowhere"))


def test_a_folder_without_the_data_set_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not contain STS-B: looked .*glue/STS-B, .*glue/stsb"):
        STSB.load(str(tmp_path))
