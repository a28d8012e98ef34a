"""Tagged sentences from files in IOB2: a token, a tab and its tag per line, an empty line after each sentence."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.core.spec import InputError, Row
from benchmarks.data.sources.text import lines_of

COMMENT = "###"
"""Lines that begin so name an abstract, and belong to no sentence."""


def read_iob2(path: Path, types: Sequence[str]) -> list[Row]:
    """Read sentences.

    Args:
        path: the file; CRLF, a byte order mark and a missing last line end change nothing.
        types: entity types that tags may have.

    Returns:
        One row per sentence: `tokens`, joined by blanks, and `tags`, a list of as many.

    Raises:
        InputError: the file is missing, or a line is malformed; the message names it. An I- tag that no B- or I- of
            its type precedes is one: there, a sentence was cut by an empty line, or a tag is wrong.
    """
    rows: list[Row] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in [*lines_of(path), (0, "")]:
        if line.startswith(COMMENT) and "\t" not in line:  # with a tab it is a token
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
        raise InputError(f"{path} holds no sentences")
    return rows


def tags_of(types: Sequence[str]) -> list[str]:
    """All tags, in the order of their indices: O, then B- and I- of each type."""
    return ["O", *(f"{place}-{kind}" for kind in types for place in "BI")]


def check_tags(tags: Sequence[str], types: Sequence[str], where: str) -> None:
    """Raises InputError: a tag is unknown, or an I- follows nothing that it could go on with."""
    for index, tag in enumerate(tags):
        _check(tag, tags[:index], types, where)


def _cells(line: str, where: str) -> tuple[str, str]:
    token, tab, tag = line.partition("\t")
    if not tab or not token.strip() or "\t" in tag:
        raise InputError(f"{where}: a line is a token, a tab and its tag, or empty; got {line!r}")
    if " " in token.strip():  # sentences are tokens joined by blanks: it would be two, with one tag
        raise InputError(f"{where}: a token has no blanks inside; got {token!r}")
    return token.strip(), tag.strip()


def _check(tag: str, before: Sequence[str], types: Sequence[str], where: str) -> None:
    known = tags_of(types)
    if tag not in known:
        raise InputError(f"{where}: unknown tag {tag!r}; known are {', '.join(known)}")
    if tag.startswith("I-") and (not before or before[-1][2:] != tag[2:]):
        raise InputError(
            f"{where}: {tag} follows {before[-1] if before else 'the start of a sentence'}: an entity begins with B-"
        )
