"""Data sets of records with reference texts, or of questions with choices, read from the generator, the Hub or one of several file formats."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.hub import CONVERTED, commit_of, fetch, has_parquet, read_shards
from benchmarks.data.sources.origin import load_official
from benchmarks.data.sources.rows import task_data


@dataclass(frozen=True, kw_only=True)
class Form:
    """One file format of the official data."""

    name: str
    """Name of the format, used in `TaskData.source`: "csv"."""
    files: Mapping[str, str]
    """Split -> file, or folder of files, below the data set's folder."""


@dataclass(frozen=True, kw_only=True)
class HubForm:
    """Location of the data set on the Hub, and conversion of the Hub's rows."""

    repository: str
    configuration: str
    splits: Mapping[str, str]
    """Split -> name of the split on the Hub."""
    read: Callable[[Iterator[Row]], list[Row]]
    """Function from the Hub's rows to rows of the data set."""


@dataclass(frozen=True, kw_only=True)
class DescribedDataSet:
    """Sources of records or questions, and the properties of the official files."""

    name: str
    """Name of the folder and of the generator."""
    hub: HubForm
    forms: Sequence[Form]
    """File formats; the first one found in a folder is read."""
    read: Callable[[Path], list[Row]]
    """Function that reads a file, or a folder of files, of any of the formats."""
    official_rows: Mapping[str, int]
    """Split -> number of distinct records or questions."""
    folders: Sequence[str] = ()
    """Folders below that of --data in which the files may lie as well."""
    unit: str = "records"
    """Plural noun for rows in notes."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or the name of a format -> fingerprint of the complete rows."""

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder with official or parquet files. Raises: as `Origin.load`."""
        return load_official(self, data, self.unit, partial=partial)

    def read_folder(self, root: Path) -> TaskData:
        """Read official files, or else the Hub's parquet files. Raises InputError: a folder has neither."""
        places = (*(root / folder for folder in (self.name, *self.folders)), root)
        tried = [(place, form) for place in places for form in self.forms]
        for place, form in tried:
            if (place / form.files["train"]).exists():
                splits = {split: self.read(place / name) for split, name in form.files.items()}
                return task_data(splits, f"{form.name} {place.name}")
        for place in places:
            if has_parquet(place):
                datasets = {split: read_shards(place, name) for split, name in self.hub.splits.items()}
                return task_data(self._from_hub(datasets), f"parquet {place.name}")
        looked = ", ".join(str(place / form.files["train"]) for place, form in tried)
        raise InputError(f"{root} does not contain {self.name}: looked for {looked} and the Hub's parquet files")

    def read_hub(self) -> TaskData:
        """Read the Hub's conversion of the repository to parquet. Raises InputError: as `fetch`."""
        commit = commit_of(self.hub.repository, CONVERTED)
        datasets = fetch(self.hub.repository, self.hub.configuration, list(self.hub.splits.values()), revision=commit)
        splits = self._from_hub(dict(zip(self.hub.splits, datasets, strict=True)))
        return task_data(splits, f"hub {self.hub.repository}@{commit}")

    def _from_hub(self, splits: Mapping[str, Iterable[Row]]) -> dict[str, list[Row]]:
        try:
            return {split: self.hub.read(iter(rows)) for split, rows in splits.items()}
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"{self.hub.repository}: a row does not have the expected form: {error!r}") from error
