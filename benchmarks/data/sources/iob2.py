"""Tagged sentences from IOB2 files: a token, a tab and a tag per line, and an empty line after each sentence."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.text import lines_of

COMMENT = "###"
"""Prefix of lines that name an abstract and belong to no sentence."""


def read_iob2(path: Path, types: Sequence[str]) -> list[Row]:
    """Read sentences.

    Args:
        path: the file; it may have CRLF line ends and a byte order mark, and may lack the last line end.
        types: allowed entity types.

    Returns:
        One row per sentence: `tokens`, joined by spaces, and `tags`, a list with one tag per token.

    Raises:
        InputError: the file is missing, or a line is malformed; the message names the line. A line is also malformed
            if its I- tag is not preceded by a B- or I- tag of the same type.
    """
    rows: list[Row] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in [*lines_of(path), (0, "")]:
        if line.startswith(COMMENT) and "\t" not in line:  # with a tab, the line is a token and its tag
            continue
        if not line.strip():
            if tokens:
                rows.append({"tokens": " ".join(tokens), "tags": tags})
            tokens, tags = [], []
            continue
        token, tag = _cells(line, f"{path}:{number}")
        _check(tag, tags, types, f"{path}:{number}")
        tokens.append(token)
        tags.append(tag)
    if not rows:
        raise InputError(f"{path} contains no sentences")
    return rows


def tags_of(types: Sequence[str]) -> list[str]:
    """All tags, in the order of their indices: O, then B- and I- of each type."""
    return ["O", *(f"{place}-{kind}" for kind in types for place in "BI")]


def check_tags(tags: Sequence[str], types: Sequence[str], where: str) -> None:
    """Raises InputError: a tag is unknown, or an I- tag does not continue an entity of its type."""
    for index, tag in enumerate(tags):
        _check(tag, tags[:index], types, where)


def _cells(line: str, where: str) -> tuple[str, str]:
    token, tab, tag = line.partition("\t")
    if not tab or not token.strip() or "\t" in tag:
        raise InputError(f"{where}: a line must be empty or a token, a tab and a tag; got {line!r}")
    if " " in token.strip():  # rows join tokens by spaces, so this token would be read back as two
        raise InputError(f"{where}: a token must not contain spaces; got {token!r}")
    return token.strip(), tag.strip()


def _check(tag: str, before: Sequence[str], types: Sequence[str], where: str) -> None:
    known = tags_of(types)
    if tag not in known:
        raise InputError(f"{where}: unknown tag {tag!r}; known tags: {', '.join(known)}")
    if tag.startswith("I-") and (not before or before[-1][2:] != tag[2:]):
        raise InputError(
            f"{where}: {tag} follows {before[-1] if before else 'the start of a sentence'}; an entity must begin with B-"
        )
