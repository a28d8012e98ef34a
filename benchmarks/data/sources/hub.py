"""Rows from the Hugging Face Hub or from a local copy of its parquet files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import ClassLabel, Dataset, concatenate_datasets, load_dataset
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # as `datasets` imports it

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.rows import Columns, task_data

CONVERTED = "refs/convert/parquet"
"""Branch with the Hub's conversion to parquet of repositories that contain a loading script; the script is not run."""
REVISIONS: Mapping[str, str] = {"nyu-mll/glue": "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"}
"""Repository -> commit that is read; pinned, so that the rows behind a result never change."""
BRANCH = "main"
"""Branch of repositories that are not pinned, such as those of other packages' tasks."""


def read_hub(repository: str, configuration: str, columns: Columns, splits: Sequence[str]) -> TaskData:
    """Read splits of one configuration ("cola") of a repository, at its pinned revision or else at its current one.

    Raises:
        InputError: the Hub cannot be reached and the data are not cached, or the data are not as expected.
    """
    revision = REVISIONS.get(repository) or commit_of(repository, BRANCH)
    named = zip(splits, fetch(repository, configuration, splits, revision=revision), strict=True)
    rows = {split: _rows(dataset, columns, f"{repository} {configuration} {split}") for split, dataset in named}
    return task_data(rows, f"hub {repository}@{revision}")


def commit_of(repository: str, branch: str) -> str:
    """The commit that a branch of a data set's repository is at; the branch's name where the Hub does not answer."""
    try:
        return HfApi().dataset_info(repository, revision=branch).sha or branch
    except (OSError, ValueError, httpx.HTTPError):  # the rows may be cached; if not, `fetch` says what is wrong
        return branch


def fetch(repository: str, configuration: str, splits: Sequence[str], *, revision: str) -> list[Dataset]:
    """Splits of one configuration of a repository at a commit or branch.

    Raises:
        InputError: the Hub cannot be reached and the data are not cached, or they are not a data set of this form.
    """
    try:
        return list(load_dataset(repository, configuration, revision=revision, split=list(splits)))
    except (OSError, ValueError, DatasetsError, httpx.HTTPError) as error:
        raise InputError(
            f"{repository} ({configuration}) cannot be loaded from the Hub: {error}; "
            "use --data DIR with a copy of the data set, or --data embedded"
        ) from error


def has_parquet(folder: Path) -> bool:
    """Whether a folder contains the parquet files of a train split."""
    return bool(_shards(folder, "train"))


def read_parquet(folder: Path, columns: Columns, splits: Sequence[str]) -> TaskData:
    """Read splits from parquet files in the Hub's schema, with the Hub's file names: "train-00000-of-00001.parquet".

    Raises:
        InputError: a file is missing or unreadable, or its content is not as expected.
    """
    rows = {split: _rows(read_shards(folder, split), columns, f"{folder / split}-*.parquet") for split in splits}
    return task_data(rows, f"parquet {folder.name}")


def _shards(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}-[0-9]*-of-[0-9]*.parquet"))


def read_shards(folder: Path, split: str) -> Dataset:
    """Read one split of a local copy. Raises InputError: a file is missing or unreadable."""
    shards = _shards(folder, split)
    expected = int(shards[0].stem.rsplit("-", 1)[1]) if shards else 1
    if len(shards) != expected:
        raise InputError(
            f"{folder} contains {len(shards)} of {expected} files {split}-*-of-*.parquet; copy the missing ones"
        )
    parts = []
    for path in shards:
        try:
            parts.append(Dataset(pq.read_table(path)))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} cannot be read as parquet: {error}") from error
    return concatenate_datasets(parts)


def _rows(dataset: Dataset, columns: Columns, where: str) -> list[Row]:
    names = (*columns.text, "label")
    missing = [name for name in names if name not in dataset.features]
    if missing:
        raise InputError(f"{where}: the columns {missing} are missing; the columns are {list(dataset.features)}")
    _check_classes(dataset.features["label"], columns, where)
    rows = []
    for number, (*texts, label) in enumerate(zip(*(dataset[name][:] for name in names), strict=True)):
        try:
            rows.append(columns.row(texts, label))
        except ValueError as error:
            raise InputError(f"{where}, row {number}: {error}") from None
    if not rows:
        raise InputError(f"{where} contains no rows")
    return rows


def _check_classes(feature: Any, columns: Columns, where: str) -> None:
    if isinstance(feature, ClassLabel) and tuple(feature.names) != columns.labels:
        raise InputError(f"{where}: the label's classes must be {list(columns.labels)}; they are {feature.names}")
