"""A data set of records with texts in all the forms that it can be had in."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.hub import CONVERTED, fetch, has_parquet, read_shards
from benchmarks.data.sources.origin import Origin, other_counts
from benchmarks.data.sources.rows import task_data


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of the official files."""

    name: str
    """In a source: "csv"."""
    files: Mapping[str, str]
    """Split -> file or folder of files, below the data set's folder."""


@dataclass(frozen=True, kw_only=True)
class HubForm:
    """Where the Hub has it, and how a row of it is read."""

    repository: str
    configuration: str
    splits: Mapping[str, str]
    """Our split -> the Hub's."""
    read: Callable[[Iterator[Row]], list[Row]]
    """The Hub's rows -> ours."""


@dataclass(frozen=True, kw_only=True)
class DescribedDataSet:
    """Where the records are, and how many the official files hold."""

    name: str
    """Of the folder, and of the generator."""
    hub: HubForm
    forms: Sequence[Form]
    """The first one that a folder holds is read."""
    read: Callable[[Path], list[Row]]
    official_rows: Mapping[str, int]
    """Split -> distinct records."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or a form's name -> fingerprint of the complete rows."""

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the records from "embedded", "hub" or a folder with official or parquet files. Raises: as `Origin.load`."""
        origin = Origin(
            name=self.name,
            hub=self._read_hub,
            folder=self._read_folder,
            remark=lambda found: other_counts(found, self.official_rows, "records"),
            fingerprints=self.fingerprints,
        )
        return origin.load(data, partial=partial)

    def _read_folder(self, root: Path) -> TaskData:
        places = (root / self.name, root)
        tried = [(place, form) for place in places for form in self.forms]
        for place, form in tried:
            if (place / form.files["train"]).exists():
                splits = {split: self.read(place / name) for split, name in form.files.items()}
                return task_data(splits, f"{form.name} {place.name}")
        for place in places:
            if has_parquet(place):
                found = {split: read_shards(place, name) for split, name in self.hub.splits.items()}
                return task_data(self._of_hub(found), f"parquet {place.name}")
        looked = ", ".join(str(place / form.files["train"]) for place, form in tried)
        raise InputError(f"{root} holds no {self.name}: looked for {looked} and the Hub's parquet files")

    def _read_hub(self) -> TaskData:
        found = fetch(self.hub.repository, self.hub.configuration, list(self.hub.splits.values()))
        splits = self._of_hub(dict(zip(self.hub.splits, found, strict=True)))
        return task_data(splits, f"hub {self.hub.repository}@{CONVERTED}")

    def _of_hub(self, splits: Mapping[str, Iterable[Row]]) -> dict[str, list[Row]]:
        try:
            return {split: self.hub.read(iter(rows)) for split, rows in splits.items()}
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"{self.hub.repository}: a row is not of the expected form: {error!r}") from error
