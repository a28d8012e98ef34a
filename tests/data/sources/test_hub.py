from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from huggingface_hub import DatasetInfo, HfApi
from huggingface_hub.errors import OfflineModeIsEnabled

from benchmarks.core.spec import InputError
from benchmarks.data.sources import hub
from benchmarks.data.sources.described import DescribedDataSet, HubForm
from benchmarks.data.sources.hub import httpx
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tagged import TaggedDataSet

COLUMNS = Columns(text=("sentence",), labels=("unacceptable", "acceptable"))
ROWS = [{"sentence": "Fine.", "label": 1}, {"sentence": "Is bad it.", "label": 0}]


def hub_table(rows: list[dict[str, Any]], names: tuple[str, ...] = COLUMNS.labels) -> Dataset:
    """Rows in the Hub's schema: with an `idx` column and a ClassLabel feature."""
    features = {"sentence": Value("string"), "label": ClassLabel(names=list(names)), "idx": Value("int32")}
    return Dataset.from_list([{**row, "idx": index} for index, row in enumerate(rows)], features=Features(features))


def test_parquet_files_in_the_hubs_schema_are_read(tmp_path: Path) -> None:
    hub_table(ROWS).to_parquet(tmp_path / "train-00000-of-00001.parquet")
    assert hub.has_parquet(tmp_path)
    assert hub.read_parquet(tmp_path, COLUMNS, ["train"]).splits == {"train": ROWS}


def test_shards_are_joined_in_order_and_must_be_complete(tmp_path: Path) -> None:
    hub_table(ROWS[:1]).to_parquet(tmp_path / "train-00000-of-00002.parquet")
    with pytest.raises(InputError, match="contains 1 of 2 files train-"):
        hub.read_parquet(tmp_path, COLUMNS, ["train"])
    hub_table(ROWS[1:]).to_parquet(tmp_path / "train-00001-of-00002.parquet")
    assert hub.read_parquet(tmp_path, COLUMNS, ["train"]).splits == {"train": ROWS}


def test_a_missing_split_is_an_error(tmp_path: Path) -> None:
    hub_table(ROWS).to_parquet(tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="contains 0 of 1 files validation-"):
        hub.read_parquet(tmp_path, COLUMNS, ["train", "validation"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            hub_table(ROWS).rename_column("sentence", "text"),
            r"columns \['sentence'\] are missing; the columns are \['text'",
        ),
        (hub_table(ROWS, ("acceptable", "unacceptable")), "classes must be .* they are .'acceptable', 'unacceptable'"),
        (hub_table([{"sentence": "No label.", "label": -1}]), "row 0: label must be one of .* got -1"),
        (hub_table([{"sentence": None, "label": 1}]), "row 0: sentence must contain text"),
        (hub_table(ROWS).select([]), "contains no rows"),
    ],
)
def test_parquet_that_is_not_as_expected_is_refused(table: Dataset, message: str, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match=message):
        hub.read_parquet(tmp_path, COLUMNS, ["train"])


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"index\tsentence\n")
    with pytest.raises(InputError, match="cannot be read as parquet"):
        hub.read_parquet(tmp_path, COLUMNS, ["train"])


def test_the_hub_is_read_at_the_pinned_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(path: str, name: str, *, revision: str, split: list[str]) -> list[Dataset]:
        assert (path, name) == ("nyu-mll/glue", "cola")
        assert revision == "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
        return [hub_table(ROWS[:number]) for number, _ in enumerate(split, start=1)]

    monkeypatch.setattr(hub, "load_dataset", load_dataset)
    data = hub.read_hub("nyu-mll/glue", "cola", COLUMNS, ["train", "validation"])
    assert data.splits == {"train": ROWS[:1], "validation": ROWS}
    assert data.source == "hub nyu-mll/glue@bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


def answer(commits: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the Hub's answer on branches, and what is loaded; returns the revisions that are loaded from then on."""
    loaded: list[str] = []

    def dataset_info(_: HfApi, repository: str, *, revision: str) -> DatasetInfo:
        if revision not in commits:
            raise OfflineModeIsEnabled("no network")
        return DatasetInfo(id=repository, sha=commits[revision], tags=[])

    def load_dataset(path: str, name: str, *, revision: str, split: list[str]) -> list[Dataset]:
        assert path.startswith("somebody/")
        assert name == "cola"
        loaded.append(revision)
        return [hub_table(ROWS) for _ in split]

    monkeypatch.setattr(HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(hub, "load_dataset", load_dataset)
    return loaded


@pytest.mark.parametrize(("commits", "read"), [({"main": "c" * 40}, "c" * 40), ({}, "main")])
def test_a_repository_that_is_not_pinned_is_read_at_its_current_commit_which_the_source_names(
    commits: dict[str, str], read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = answer(commits, monkeypatch)
    data = hub.read_hub("somebody/texts", "cola", COLUMNS, ["train"])
    assert data.splits == {"train": ROWS}
    assert data.source == f"hub somebody/texts@{read}"
    assert loaded == [read]


def test_records_with_texts_are_read_at_the_commit_which_the_source_names(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = answer({hub.CONVERTED: "d" * 40}, monkeypatch)
    read = DescribedDataSet(
        name="texts",
        hub=HubForm(repository="somebody/texts", configuration="cola", splits={"train": "train"}, read=list),
        forms=(),
        read=lambda _: [],
        official_rows={},
    ).read_hub()
    assert read.source == "hub somebody/texts@" + "d" * 40
    assert loaded == ["d" * 40]


def test_tagged_sentences_are_read_at_the_commit_which_the_source_names(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = answer({hub.CONVERTED: "e" * 40}, monkeypatch)
    table = Dataset.from_list([{"tokens": ["one", "two"], "tags": [0, 1]}])
    monkeypatch.setattr(hub, "load_dataset", lambda *_, revision, **__: loaded.append(revision) or [table])
    names = TaggedDataSet(
        name="names", hub=("somebody/names", "cola"), types=("x",), files={"train": "a"}, official_rows={}
    )
    read = names.read_hub()
    assert read.splits == {"train": [{"tokens": "one two", "tags": ["O", "B-x"]}]}
    assert read.source == "hub somebody/names@" + "e" * 40
    assert loaded == ["e" * 40]


def test_an_interrupted_download_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*_: Any, **__: Any) -> None:
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    monkeypatch.setattr(hub, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=r"cannot be loaded from the Hub: peer closed .* --data DIR"):
        hub.read_hub("nyu-mll/glue", "cola", COLUMNS, ["train"])


def test_the_error_without_a_network_names_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"cannot be loaded from the Hub: .* --data DIR .*, or --data embedded"):
        hub.read_hub("nyu-mll/glue", "cola", COLUMNS, ["train"])
