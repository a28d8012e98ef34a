"""Escapes texts for Markdown, so that they contain no markup, links or column separators."""

import re

_MARKUP = re.compile(r"[\\`<|]|(?<=\])\(")


def escaped(text: str) -> str:
    """Escape a text for a table cell or a paragraph; line breaks become `<br>`."""
    return "<br>".join(_MARKUP.sub(r"\\\g<0>", line) for line in text.splitlines())
