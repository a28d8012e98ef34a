"""Grouping of reference texts by record."""

from collections.abc import Iterable

from benchmarks.core.spec import Row


def grouped(pairs: Iterable[tuple[str, str]]) -> list[Row]:
    """Convert pairs (record, text) to one row with `record` and `texts` per distinct record, in order of first occurrence."""
    texts: dict[str, list[str]] = {}
    for record, text in pairs:
        texts.setdefault(record, []).append(text)
    return [{"record": record, "texts": group} for record, group in texts.items()]
