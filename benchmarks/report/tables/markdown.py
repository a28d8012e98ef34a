"""Texts as Markdown shows them: what would be markup, a link or another column is written as it stands."""

import re

_MARKUP = re.compile(r"[\\`<|]|(?<=\])\(")


def escaped(text: str) -> str:
    """A text of any number of lines, for a cell of a table or a paragraph."""
    return "<br>".join(_MARKUP.sub(r"\\\g<0>", line) for line in text.splitlines())
