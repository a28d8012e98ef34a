"""Data sets of labelled texts, read from the generator, the Hub, parquet files or TSV files."""

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
    """Sources of labelled texts, and the row counts in the paper."""

    hub: tuple[str, str]
    """The Hub's repository and configuration; the configuration's name is also that of the generator of embedded rows."""
    columns: Columns
    """The columns of a row."""
    tsv: TsvLayout
    """Layout of the official files."""
    evaluation_splits: tuple[str, ...] = ("validation",)
    """Splits besides "train", with the Hub's names."""
    paper_rows: Mapping[str, int] = field(default_factory=dict)
    """Split -> number of rows in the paper (Table 6); empty where the paper does not use the data set."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """"embedded" or "tsv" -> fingerprint of the complete official rows, where known; the Hub's rows are pinned by
    revision."""

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits to read, "train" first."""
        return ("train", *self.evaluation_splits)

    def load(self, data: str, *, partial: bool = False) -> TaskData:
        """Read the rows from "embedded", "hub" or a folder with the official TSV or the Hub's parquet files.

        A folder may contain the data set directly or in a collection: `DIR/CoLA` or `DIR/glue/CoLA`.

        Raises:
            InputError: the data are missing or malformed; or `partial` is not set, and the rows are a sample or differ
                from the official rows.
        """
        origin = Origin(
            name=self.hub[1],
            hub=lambda: read_hub(*self.hub, self.columns, self.splits),
            folder=lambda root: self._read_folder(root, partial=partial),
            count_notes=self._count_notes,
            fingerprints=self.fingerprints,
            from_generated=lambda row: self.columns.row([row[name] for name in self.columns.text], row["label"]),
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
        raise InputError(
            f"{root} does not contain {self.tsv.folder}: looked for TSV or parquet files in {', '.join(tried)}"
        )

    def _places(self, root: Path, name: str) -> Iterator[Path]:
        collection = self.hub[0].rpartition("/")[2]
        yield from (root / collection / name, root / name)

    def _count_notes(self, data: TaskData) -> Iterator[str]:
        for split, rows in data.splits.items():
            published = self.paper_rows.get(split)
            if split in data.partial:
                share = f"{len(rows):,} of {published:,}" if published else f"{len(rows):,}"
                yield f"{split} is a sample, {share} rows: its scores do not compare with published ones."
            elif published and len(rows) != published:
                yield f"{split} has {len(rows):,} rows; the paper's Table 6 says {published:,}."
