"""A data set of tagged sentences in all the forms that it can be had in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.hub import CONVERTED, fetch
from benchmarks.data.sources.iob2 import check_tags, read_iob2, tags_of
from benchmarks.data.sources.origin import Origin, other_counts
from benchmarks.data.sources.rows import task_data


@dataclass(frozen=True, kw_only=True)
class TaggedDataSet:
    """Where the sentences are, and how many the official files hold."""

    name: str
    """Of the folder, and of the generator."""
    hub: tuple[str, str]
    """The Hub's repository and configuration; its `tags` are indices into `tags_of(types)`."""
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
        """Read the sentences from "embedded", "hub" or a folder with the official IOB2 files. Raises: as `Origin.load`."""
        origin = Origin(
            name=self.name,
            hub=self._read_hub,
            folder=self._read_folder,
            remark=lambda found: other_counts(found, self.official_rows, "sentences"),
            fingerprints=self.fingerprints,
        )
        return origin.load(data, partial=partial)

    def _read_folder(self, root: Path) -> TaskData:
        places = (root / self.name, root)
        folder = next((place for place in places if (place / self.files["train"]).is_file()), None)
        if folder is None:
            raise InputError(f"{root} holds no {self.files['train']}: looked in {', '.join(map(str, places))}")
        return task_data(
            {split: read_iob2(folder / name, self.types) for split, name in self.files.items()}, f"iob2 {folder.name}"
        )

    def _read_hub(self) -> TaskData:
        found = fetch(*self.hub, [self.hub_splits.get(split, split) for split in self.files])
        rows = {
            split: self._rows(dataset["tokens"][:], dataset["tags"][:], f"{self.hub[0]} {split}")
            for split, dataset in zip(self.files, found, strict=True)
        }
        return task_data(rows, f"hub {self.hub[0]}@{CONVERTED}")

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
