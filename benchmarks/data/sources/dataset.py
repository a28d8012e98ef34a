"""One data set in all the forms that it can be had in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.core.spec import InputError, TaskData
from benchmarks.data.sources.hub import has_parquet, read_hub, read_parquet
from benchmarks.data.sources.origin import Origin
from benchmarks.data.sources.rows import Columns
from benchmarks.data.sources.tsv import TsvLayout, read_tsv


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Where the rows are, and how many the paper counts."""

    hub: tuple[str, str]
    """The Hub's repository and configuration; the generator of embedded rows goes by the configuration's name."""
    columns: Columns
    """What a row is."""
    tsv: TsvLayout
    """The official files."""
    evaluation_splits: tuple[str, ...] = ("validation",)
    """Splits beside "train", by the Hub's names."""
    paper_rows: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of rows in the paper (Table 6); empty where the paper does not use the data set."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or "tsv" -> fingerprint of the complete official rows, where they have been seen; the Hub's are pinned
    by their revision."""

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits that are read, "train" first."""
        return ("train", *self.evaluation_splits)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder with the official TSV or the Hub's parquet files.

        A folder may hold the data sets themselves or a collection of them: `DIR/CoLA` or `DIR/glue/CoLA`.

        Raises:
            InputError: there are no such data, they are malformed; or `partial` is not set, and there are only samples
                of them, or other rows than the official ones.
        """
        origin = Origin(
            name=self.hub[1],
            hub=lambda: read_hub(*self.hub, self.columns, self.splits),
            folder=lambda root: self._read_folder(root, partial=partial),
            remark=self._count_notes,
            fingerprints=self.fingerprints,
            checked=lambda row: self.columns.row([row[name] for name in self.columns.text], row["label"]),
        )
        return replace(origin.load(data, partial=partial), published_rows=self.paper_rows)

    def _read_folder(self, root: Path, *, partial: bool) -> TaskData:
        for folder in self._places(root, self.hub[1]):
            if has_parquet(folder):
                return read_parquet(folder, self.columns, self.splits)
        for folder in self._places(root, self.tsv.folder):
            if folder.is_dir():
                return read_tsv(folder, self.tsv, self.columns, self.splits, partial=partial)
        tried = [str(folder) for name in (self.tsv.folder, self.hub[1]) for folder in self._places(root, name)]
        raise InputError(f"{root} holds no {self.tsv.folder}: looked for TSV or parquet files in {', '.join(tried)}")

    def _places(self, root: Path, name: str) -> Iterator[Path]:
        collection = self.hub[0].rpartition("/")[2]
        yield from (root / collection / name, root / name)

    def _count_notes(self, data: TaskData) -> Iterator[str]:
        for split, rows in data.splits.items():
            due = self.paper_rows.get(split)
            if split in data.partial:
                share = f"{len(rows):,} of {due:,}" if due else f"{len(rows):,}"
                yield f"{split} is a sample, {share} rows: its scores do not compare with published ones."
            elif due and len(rows) != due:
                yield f"{split} has {len(rows):,} rows; the paper's Table 6 says {due:,}."
