"""A data set of records with texts in all the forms that it can be had in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from datasets import load_dataset
from datasets.exceptions import DatasetsError

from benchmarks.sources.rows import pin_notes, task_data
from benchmarks.sources.tagged import PARQUET
from benchmarks.spec import InputError, Row, TaskData


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
        """Read the records from "embedded", "hub" or a folder with the official files.

        Raises:
            InputError: there are no such data, they are malformed, or other ones than the official and `partial` is
                not set.
        """
        if data == "embedded":
            found = self._generate()
        else:
            found = self._read_hub() if data == "hub" else self._read_folder(data)
        counts = self._count_notes(found) if data != "embedded" else ()
        return replace(found, notes=(*counts, *pin_notes(found, self.fingerprints, partial=partial)))

    def _generate(self) -> TaskData:
        from benchmarks.embedded import generate  # noqa: PLC0415  only who asks for generated rows pays for them

        return task_data(generate(self.name), "embedded")

    def _read_folder(self, data: str) -> TaskData:
        root = Path(data).expanduser()
        if not root.is_dir():
            raise InputError(f"--data is embedded, hub or a folder; there is no folder {data!r}")
        tried = [(place, form) for place in (root / self.name, root) for form in self.forms]
        for place, form in tried:
            if (place / form.files["train"]).exists():
                splits = {split: self.read(place / name) for split, name in form.files.items()}
                return task_data(splits, f"{form.name} {place.name}")
        looked = ", ".join(str(place / form.files["train"]) for place, form in tried)
        raise InputError(f"{data} holds no {self.name}: looked for {looked}")

    def _read_hub(self) -> TaskData:
        hub = self.hub
        try:
            found = load_dataset(hub.repository, hub.configuration, revision=PARQUET, split=list(hub.splits.values()))
        except (OSError, ValueError, DatasetsError) as error:
            raise InputError(
                f"{hub.repository} cannot be had from the Hub: {error}; use --data DIR with the official files"
            ) from error
        splits = {split: hub.read(iter(rows)) for split, rows in zip(hub.splits, found, strict=True)}
        return task_data(splits, f"hub {hub.repository}@{PARQUET}")

    def _count_notes(self, data: TaskData) -> Iterator[str]:
        for split, rows in data.splits.items():
            if len(rows) != (due := self.official_rows[split]):
                yield f"{split} has {len(rows):,} records; the official files have {due:,}."
