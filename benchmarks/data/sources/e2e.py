"""E2E's restaurant records and their texts, from the official CSV files or the `mr||ref` files of LoRA's repository."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.records import grouped
from benchmarks.data.sources.text import lines_of

ATTRIBUTES: Mapping[str, str] = {
    "name": "name",
    "eatType": "Type",
    "food": "food",
    "priceRange": "price",
    "customer rating": "customer rating",
    "area": "area",
    "familyFriendly": "family friendly",
    "near": "near",
}
"""Official attribute name -> name in a linearised record."""
COLUMNS = ("mr", "ref")
_SLOT = re.compile(r"(?<![^\[\],])([^\[\],]+)\[([^\[\]]*)\]")
"""A match starts only where a name starts; otherwise a line without brackets would take quadratic time."""


def read_e2e(path: Path) -> list[Row]:
    """Read a file of records and texts: CSV if its name ends in ".csv", else lines of the form `mr||ref`.

    Returns:
        One row per distinct record, in order of first occurrence: `record`, linearised as
        "name : The Vaults | Type : pub", and `texts`, all texts of the record, with line breaks replaced by spaces.

    Raises:
        InputError: the file cannot be read, a column is missing, or a line has an unknown attribute, no attribute or no
            text; the message names file and line.
    """
    pairs = _from_csv(path) if path.suffix == ".csv" else _from_lines(path)
    rows = grouped(pairs)
    if not rows:
        raise InputError(f"{path} contains no records")
    return rows


def rows_of_hub(rows: Iterable[Row]) -> list[Row]:
    """Convert the Hub's rows (`meaning_representation`, `human_reference`) to the rows that `read_e2e` returns."""
    return grouped(
        (linearise(row["meaning_representation"], f"row {number}"), _text(row["human_reference"], f"row {number}"))
        for number, row in enumerate(rows)
    )


def linearise(record: str, where: str) -> str:
    """Linearise a meaning representation, "name[The Vaults], eatType[pub]", for the model. Raises: as `read_e2e`."""
    slots = [(name.strip(), value.strip()) for name, value in _SLOT.findall(record)]
    if not slots or _SLOT.sub("", record).strip(" ,"):
        raise InputError(
            f"{where}: a record must be attributes with values, as in name[The Vaults], eatType[pub]; got {record!r}"
        )
    return " | ".join(f"{_known(name, ATTRIBUTES, where)} : {value}" for name, value in slots)


def _from_csv(path: Path) -> Iterator[tuple[str, str]]:
    text = "\n".join(line for _, line in lines_of(path))
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = list(reader.fieldnames or ())
        if missing := [name for name in COLUMNS if name not in names]:
            raise InputError(f"{path}:1: the header line lacks {missing}; it has {names}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row:
                raise InputError(
                    f"{where}: more columns than the {len(names)} of the header line; put texts with commas in quotes"
                )
            yield linearise(row["mr"] or "", where), _text(row["ref"], where)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.reader.line_num}: {error}") from error


def _from_lines(path: Path) -> Iterator[tuple[str, str]]:
    known = dict.fromkeys(ATTRIBUTES.values(), "")
    for number, line in lines_of(path):
        where = f"{path}:{number}"
        record, separator, text = line.partition("||")
        if not separator:
            raise InputError(f"{where}: a line must be a record, || and a text; got {line!r}")
        for part in record.split(" | "):
            _known(part.partition(" : ")[0].strip(), known, where)
        yield record.strip(), _text(text, where)


def _known(name: str, attributes: Iterable[str], where: str) -> str:
    if name not in attributes:
        raise InputError(f"{where}: unknown attribute {name!r}; known attributes: {', '.join(attributes)}")
    return ATTRIBUTES.get(name, name)


def _text(text: str | None, where: str) -> str:
    if not (text or "").strip():
        raise InputError(f"{where}: the text is empty")
    return " ".join((text or "").splitlines()).strip()
