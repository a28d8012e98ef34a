"""Data sets of tagged sentences, read from the generator, the Hub or IOB2 files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.core.spec import InputError, Row, TaskData
from benchmarks.data.sources.hub import CONVERTED, commit_of, fetch
from benchmarks.data.sources.iob2 import check_tags, read_iob2, tags_of
from benchmarks.data.sources.origin import load_official
from benchmarks.data.sources.rows import task_data


@dataclass(frozen=True, kw_only=True)
class TaggedDataSet:
    """One data set of sentences with an entity tag per word: where it is read, and what the official files contain."""

    name: str
    """Name of the folder and of the generator."""
    hub: tuple[str, str]
    """The Hub's repository and configuration; its column `tags` has indices into `tags_of(types)`."""
    hub_splits: Mapping[str, str] = field(default_factory=dict)
    """Split -> the Hub's split or combination of splits ("train+validation"), where it differs."""
    types: tuple[str, ...]
    """Entity types, in the order of the Hub's tag indices."""
    files: Mapping[str, str]
    """Split -> name of the official file."""
    official_rows: Mapping[str, int]
    """Split -> number of sentences in the official file."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or "iob2" -> fingerprint of the complete rows."""

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the sentences from "embedded", "hub" or a folder with the official IOB2 files. Raises: as `Origin.load`."""
        return load_official(self, data, "sentences", partial=partial)

    def read_folder(self, root: Path) -> TaskData:
        """Read the official IOB2 files. Raises InputError: there are none, or one is malformed."""
        places = (root / self.name, root)
        folder = next((place for place in places if (place / self.files["train"]).is_file()), None)
        if folder is None:
            raise InputError(f"{root} does not contain {self.files['train']}: looked in {', '.join(map(str, places))}")
        return task_data(
            {split: read_iob2(folder / name, self.types) for split, name in self.files.items()}, f"iob2 {folder.name}"
        )

    def read_hub(self) -> TaskData:
        """Read the Hub's conversion of the repository to parquet. Raises InputError: as `fetch`."""
        commit = commit_of(self.hub[0], CONVERTED)
        datasets = fetch(*self.hub, [self.hub_splits.get(split, split) for split in self.files], revision=commit)
        rows = {
            split: self._rows(dataset["tokens"][:], dataset["tags"][:], f"{self.hub[0]} {split}")
            for split, dataset in zip(self.files, datasets, strict=True)
        }
        return task_data(rows, f"hub {self.hub[0]}@{commit}")

    def _rows(self, tokens: Sequence[Sequence[str]], tags: Sequence[Sequence[int]], where: str) -> list[Row]:
        names = tags_of(self.types)
        rows: list[Row] = []
        for number, (words, indices) in enumerate(zip(tokens, tags, strict=True)):
            place = f"{where}, row {number}"
            if len(words) != len(indices) or not all(0 <= index < len(names) for index in indices):
                raise InputError(
                    f"{place}: {len(words)} tokens with tags {list(indices)}; expected one tag per token, from 0 to {len(names) - 1}"
                )
            named = [names[index] for index in indices]
            check_tags(named, self.types, place)
            rows.append({"tokens": " ".join(words), "tags": named})
        return rows
