"""WebNLG 2017's sets of triples and their texts, from the challenge's XML files or the JSON files of LoRA's repository."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from benchmarks.core.spec import InputError, Row
from benchmarks.core.untrusted import read_json, unpack

VALID = ("good", "")
"""Comments of valid texts, as is no comment at all; texts with other comments are skipped."""


def read_webnlg(path: Path) -> list[Row]:
    """Read a JSON file, an XML file, or all XML files below a folder, in the order of their paths.

    Returns:
        One row per distinct set of triples, in order of first occurrence: `record`, the modified triples as
        "subject : property : object" joined by " | ", `texts`, the valid texts, and `category`.

    Raises:
        InputError: a file is missing, malformed or declares entities, an entry is incomplete, or no entry has a valid
            text; the message names the file and, if known, the line or the entry.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.xml"))
        entries = [entry for file in files for entry in _from_xml(file)]
    elif path.suffix in (".json", ".gz"):
        entries = list(_from_json(path))
    else:
        entries = list(_from_xml(path))
    if not entries:
        raise InputError(f"{path} contains no entries")
    if not any(entry["texts"] for entry in entries):
        raise InputError(f"{path} contains no valid texts: none of its {len(entries)} entries has one commented 'good'")
    return _distinct(entries)


def rows_of_hub(rows: Iterable[Row]) -> list[Row]:
    """Convert the Hub's rows to the rows that `read_webnlg` returns; the Hub writes triples "subject | property | object"."""
    return _distinct(_from_hub(row, f"row {number}") for number, row in enumerate(rows))


def _from_hub(row: Row, where: str) -> Row:
    triples = [_parts(triple, where) for triple in row["modified_triple_sets"]["mtriple_set"][0]]
    lexicalisations = zip(row["lex"]["text"], row["lex"]["comment"], strict=True)
    return _row(triples, [text for text, comment in lexicalisations if comment in VALID], row["category"], where)


def _distinct(entries: Iterable[Row]) -> list[Row]:
    """Merge entries with the same record into one row with the texts of all of them."""
    rows: dict[str, Row] = {}
    for entry in entries:
        row = rows.setdefault(entry["record"], {**entry, "texts": []})
        row["texts"].extend(entry["texts"])
    return list(rows.values())


def _from_xml(path: Path) -> Iterator[Row]:
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except ParseError as error:
        raise InputError(f"{path}:{error.position[0]}: malformed XML: {error}") from error
    except DefusedXmlException as error:
        raise InputError(f"{path}: entities and document type declarations are not allowed: {error}") from error
    except (ValueError, LookupError) as error:
        raise InputError(
            f"{path}: the file is not in the encoding that it declares: {error}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    for number, entry in enumerate(root.iter("entry"), start=1):
        where = f"{path}, entry {entry.get('eid') or number}"
        triples = [_parts(triple.text, where) for triple in entry.findall("modifiedtripleset/mtriple")]
        texts = [lex.text or "" for lex in entry.findall("lex") if lex.get("comment", "") in VALID]
        yield _row(triples, texts, entry.get("category"), where)


def _from_json(path: Path) -> Iterator[Row]:
    try:
        content = unpack(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        entries = [entry for numbered in read_json(content)["entries"] for entry in numbered.items()]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a file of WebNLG entries: {error!r}") from error
    for number, entry in entries:
        where = f"{path}, entry {number}"
        try:
            triples = [_fields(triple) for triple in entry["modifiedtripleset"]]
            texts = [lex["lex"] for lex in entry["lexicalisations"] if lex["comment"] in VALID]
            category = entry["category"]
        except (KeyError, TypeError) as error:
            raise InputError(f"{where}: {error} is missing") from error
        if invalid := [part for part in (*chain(*triples), *texts, category) if not isinstance(part, str)]:
            raise InputError(
                f"{where}: subjects, properties, objects, texts and category must be strings; got {invalid[0]!r}"
            )
        yield _row(triples, texts, category, where)


def _parts(triple: str | None, where: str) -> Sequence[str]:
    parts = [part.strip() for part in (triple or "").split(" | ")]
    if len(parts) != 3:
        raise InputError(f"{where}: a triple must be subject | property | object; got {triple!r}")
    return parts


def _fields(triple: Any) -> Sequence[str]:
    return [triple["subject"], triple["property"], triple["object"]]


def _row(triples: Sequence[Sequence[str]], texts: Sequence[str], category: str | None, where: str) -> Row:
    if not triples or not category:
        raise InputError(f"{where}: an entry must have a category and at least one triple")
    if blank := [text for text in texts if not text.strip()]:
        raise InputError(f"{where}: {len(blank)} texts of the entry are empty")
    record = " | ".join(" : ".join(triple) for triple in triples)
    return {"record": record, "texts": [text.strip() for text in texts], "category": category}
