"""Loading of a data set from one of its sources: a generator, the Hub or a folder."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.rows import fingerprint_notes, task_data


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The sources of one data set."""

    name: str
    """Name of the generator of embedded rows."""
    hub: Callable[[], TaskData]
    folder: Callable[[Path], TaskData]
    """Function that reads the official files below a folder."""
    count_notes: Callable[[TaskData], Iterable[str]]
    """Function that returns notes on row counts; not called for generated rows."""
    fingerprints: Mapping[str, str]
    """First word of `TaskData.source` -> fingerprint of the complete official rows, where it is known."""
    from_generated: Callable[[Row], Row] = dict
    """Function that converts a generated row to a row of the data set."""

    def load(self, data: str, *, partial: bool) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder.

        Raises:
            InputError: the data are missing or malformed, or they differ from the official rows and `partial` is not
                set.
        """
        read = self._read(data)
        counts = self.count_notes(read) if data != "embedded" else ()
        fingerprints = fingerprint_notes(read, self.fingerprints, partial=partial)
        return replace(read, notes=(*read.notes, *counts, *fingerprints))

    def _read(self, data: str) -> TaskData:
        if data == "embedded":
            from benchmarks.data.synthetic import generate  # noqa: PLC0415  imported only if needed

            generated = generate(self.name)
            return task_data(
                {split: list(map(self.from_generated, rows)) for split, rows in generated.items()}, "embedded"
            )
        if data == "hub":
            return self.hub()
        root = Path(data).expanduser()
        if not root.is_dir():
            raise InputError(f"--data takes embedded, hub or a folder; there is no folder {data!r}")
        return self.folder(root)


class OfficialDataSet(Protocol):
    """A data set with official files whose numbers of rows are known."""

    @property
    def name(self) -> str:
        """Name of the generator of embedded rows."""
        ...

    @property
    def official_rows(self) -> Mapping[str, int]:
        """Split -> number of rows of the official file."""
        ...

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """See `Origin.fingerprints`."""
        ...

    def read_hub(self) -> TaskData:
        """Read the rows from the Hub."""
        ...

    def read_folder(self, root: Path) -> TaskData:
        """Read the rows from the files below a folder."""
        ...


def load_official(dataset: OfficialDataSet, data: str, unit: str, *, partial: bool) -> TaskData:
    """Read a data set from "embedded", "hub" or a folder, with notes on splits whose row counts are not the official ones.

    Args:
        dataset: the data set.
        data: "embedded", "hub" or a folder.
        unit: plural noun for rows in the notes, such as "sentences".
        partial: accept rows that are not the official ones.

    Raises:
        InputError: as `Origin.load`.
    """
    origin = Origin(
        name=dataset.name,
        hub=dataset.read_hub,
        folder=dataset.read_folder,
        count_notes=lambda found: _count_notes(found, dataset.official_rows, unit),
        fingerprints=dataset.fingerprints,
    )
    return origin.load(data, partial=partial)


def _count_notes(data: TaskData, official: Mapping[str, int], unit: str) -> Iterable[str]:
    for split, rows in data.splits.items():
        if len(rows) != (expected := official[split]):
            yield f"{split} has {len(rows):,} {unit}; the official files have {expected:,}."
