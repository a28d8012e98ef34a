"""Records with their texts: one row per distinct record, whichever file they came from."""

from collections.abc import Iterable

from benchmarks.core.spec import Row


def grouped(pairs: Iterable[tuple[str, str]]) -> list[Row]:
    """Rows of `record` and `texts` from pairs of a record and one text of it, in the order of first records."""
    texts: dict[str, list[str]] = {}
    for record, text in pairs:
        texts.setdefault(record, []).append(text)
    return [{"record": record, "texts": found} for record, found in texts.items()]
