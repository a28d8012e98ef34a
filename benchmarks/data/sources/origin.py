"""Where a data set comes from: it is generated, or read from the Hub or from a folder."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.rows import pin_notes, task_data


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How the rows of one data set are had."""

    name: str
    """Of the generator of embedded rows."""
    hub: Callable[[], TaskData]
    folder: Callable[[Path], TaskData]
    """Reads the official files below a folder."""
    remark: Callable[[TaskData], Iterable[str]]
    """What is to be said of rows that are not generated: counts that differ, and the like."""
    fingerprints: Mapping[str, str]
    """First word of a source -> fingerprint of the complete official rows, where they have been seen."""
    checked: Callable[[Row], Row] = dict
    """What makes a row of the data set of a generated one."""

    def load(self, data: str, *, partial: bool) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder.

        Raises:
            InputError: there are no such data, they are malformed, or other ones than the official and `partial` is
                not set.
        """
        found = self._read(data)
        remarks = self.remark(found) if data != "embedded" else ()
        return replace(found, notes=(*found.notes, *remarks, *pin_notes(found, self.fingerprints, partial=partial)))

    def _read(self, data: str) -> TaskData:
        if data == "embedded":
            from benchmarks.data.synthetic import generate  # noqa: PLC0415  only who asks for generated rows pays for them

            generated = generate(self.name)
            return task_data({split: list(map(self.checked, rows)) for split, rows in generated.items()}, "embedded")
        if data == "hub":
            return self.hub()
        root = Path(data).expanduser()
        if not root.is_dir():
            raise InputError(f"--data is embedded, hub or a folder; there is no folder {data!r}")
        return self.folder(root)


def other_counts(data: TaskData, official: Mapping[str, int], unit: str) -> Iterable[str]:
    """A sentence for every split that has more or fewer rows than the official file; unit names a row, in the plural."""
    for split, rows in data.splits.items():
        if len(rows) != (due := official[split]):
            yield f"{split} has {len(rows):,} {unit}; the official files have {due:,}."
