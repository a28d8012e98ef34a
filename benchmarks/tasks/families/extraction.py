"""Answers found in generated texts: a number, the letter of an option, or the name of a choice."""

import re

from benchmarks.data.sources.solutions import FINAL, plain_number

_NUMBER = re.compile(
    r"(?P<minus>(?<![\w.)])-\s?)?\$?\s?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?![\d])"
)
_CONCLUSION = re.compile(r"answer\s*(?:is|:|-)\s*:?\s*\(?(?P<letter>[A-Z])\b")
_ALONE = re.compile(r"\b[A-Z]\b")


def last_number(text: str) -> str:
    """The number after GSM8K's mark "####", or else the last number of the text; "" where there is none.

    Numbers may have thousands separators, decimals, a minus sign and a dollar sign. They are returned without
    separators, signs of currency and zeros at the end of the decimals, so that equal numbers are equal texts.

    Source: "####" of Cobbe et al. (arXiv:2110.14168); the last number as in the code of LLM-Adapters (arXiv:2304.01933).
    """
    _, mark, after = text.partition(FINAL)
    marked = _NUMBER.search(after.partition("\n")[0]) if mark else None
    found = marked or next(iter([*_NUMBER.finditer(text)][-1:]), None)
    if not found:
        return ""
    sign = "-" if found["minus"] else ""
    return plain_number(sign + found["digits"])


def concluded_letter(text: str) -> str:
    """The letter after the last "answer is" or "answer:", or else the last capital letter that stands alone, or else "".

    Deviation from LLM-Adapters' code, which takes the first of the letters A to E anywhere in the text, also inside words.
    """
    concluded = [*_CONCLUSION.finditer(text)]
    if concluded:
        return concluded[-1]["letter"]
    alone = _ALONE.findall(text)
    return alone[-1] if alone else ""


def first_name(text: str, *, pattern: str) -> str:
    """The first occurrence of a choice's name, such as answer1 or true, as in the code of LLM-Adapters; "" without one.

    Args:
        text: the generated text.
        pattern: regular expression of the names; a name must be a whole word, in any case.
    """
    found = re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
    return found[0].lower() if found else ""
