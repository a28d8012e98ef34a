"""A data set of tagged sentences in all the forms that it can be had in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from datasets import load_dataset
from datasets.exceptions import DatasetsError

from benchmarks.sources.iob2 import check_tags, read_iob2, tags_of
from benchmarks.sources.rows import pin_notes, task_data
from benchmarks.spec import InputError, Row, TaskData

PARQUET = "refs/convert/parquet"
"""Branch of the Hub's own conversion: the repository holds a script, which is not run."""


@dataclass(frozen=True, kw_only=True)
class TaggedDataSet:
    """Where the sentences are, and how many the official files hold."""

    name: str
    """Of the folder, and of the generator."""
    hub: str
    """The Hub's repository; its `tags` are indices into `tags_of(types)`."""
    hub_splits: Mapping[str, str] = field(default_factory=dict)
    """Split -> the Hub's, where it has another name, or is in parts: "train+validation"."""
    types: tuple[str, ...]
    """Entity types, in the order of the Hub's tags."""
    files: Mapping[str, str]
    """Split -> official file."""
    official_rows: Mapping[str, int]
    """Split -> sentences in those."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or "iob2" -> fingerprint of the complete rows."""

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the sentences from "embedded", "hub" or a folder with the official IOB2 files.

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
        places = (root / self.name, root)
        folder = next((place for place in places if (place / self.files["train"]).is_file()), None)
        if folder is None:
            raise InputError(f"{data} holds no {self.files['train']}: looked in {', '.join(map(str, places))}")
        return task_data(
            {split: read_iob2(folder / name, self.types) for split, name in self.files.items()}, f"iob2 {folder.name}"
        )

    def _read_hub(self) -> TaskData:
        try:
            found = load_dataset(
                self.hub, revision=PARQUET, split=[self.hub_splits.get(split, split) for split in self.files]
            )
        except (OSError, ValueError, DatasetsError) as error:
            raise InputError(
                f"{self.hub} cannot be had from the Hub: {error}; use --data DIR with the official IOB2 files"
            ) from error
        rows = {
            split: self._rows(dataset["tokens"][:], dataset["tags"][:], f"{self.hub} {split}")
            for split, dataset in zip(self.files, found, strict=True)
        }
        return task_data(rows, f"hub {self.hub}@{PARQUET}")

    def _rows(self, tokens: Sequence[Sequence[str]], tags: Sequence[Sequence[int]], where: str) -> list[Row]:
        names = tags_of(self.types)
        rows: list[Row] = []
        for number, (words, indices) in enumerate(zip(tokens, tags, strict=True)):
            place = f"{where}, row {number}"
            if len(words) != len(indices) or not all(0 <= index < len(names) for index in indices):
                raise InputError(
                    f"{place}: {len(words)} tokens and the tags {list(indices)}; known are 0 to {len(names) - 1}"
                )
            named = [names[index] for index in indices]
            check_tags(named, self.types, place)
            rows.append({"tokens": " ".join(words), "tags": named})
        return rows

    def _count_notes(self, data: TaskData) -> Iterator[str]:
        for split, rows in data.splits.items():
            if len(rows) != (due := self.official_rows[split]):
                yield f"{split} has {len(rows):,} sentences; the official file has {due:,}."
