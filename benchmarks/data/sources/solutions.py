"""Questions with worked solutions, as JSON lines and as the Hub's rows: GSM8K and AQuA-RAT."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from benchmarks.core.spec import InputError, Row
from benchmarks.core.untrusted import read_json
from benchmarks.data.sources.text import lines_of

FINAL = "####"
"""Stands before the answer at the end of a solution of GSM8K."""
_FINAL_NUMBER = re.compile(FINAL + r"\s*(?P<number>-?[\d,]*\.?\d+)\s*")
_OPTION = re.compile(r"\s*\(?(?P<letter>[A-Z])\s*\)\s*(?P<text>.*)", re.DOTALL)


def gsm8k_row(entry: Any) -> Row:
    """A row with `question`, `solution` (its last line is "#### " and a number) and `answer`, that number.

    Source of the layout: Cobbe et al., arXiv:2110.14168.

    Raises:
        ValueError: question or solution are no texts, or the solution has no number at its end.
    """
    question, solution = _text(entry, "question"), _text(entry, "answer")
    found = _FINAL_NUMBER.fullmatch(solution, solution.rfind(FINAL)) if FINAL in solution else None
    if not found:
        raise ValueError(f"the solution must end with '{FINAL} ' and a number; it ends with {solution[-80:]!r}")
    return {"question": question, "solution": solution, "answer": plain_number(found["number"])}


def aqua_row(entry: Any) -> Row:
    """A row with `question` (the options are part of it), `solution` and `answer`, the letter of the right option.

    The question has the form of LLM-Adapters: "... Answer Choices: (A) ... (B) ..."; the solution is the rationale and, in
    a line of its own, "The answer is (A)."

    Source of the layout: Ling et al., arXiv:1705.04146.

    Raises:
        ValueError: a text is missing, an option has no letter of its own, or the answer is none of the options.
    """
    question, correct = _text(entry, "question"), _text(entry, "correct")
    options, rationale = entry.get("options"), entry.get("rationale")
    if not isinstance(rationale, str):
        raise ValueError(f"`rationale` must be a text, which may be empty; got {rationale!r}")  # noqa: TRY004  one kind for all
    if not isinstance(options, list) or len(options) < 2 or not all(isinstance(option, str) for option in options):
        raise ValueError(f"`options` must be a list of two texts or more; got {options!r}")
    found = [_OPTION.fullmatch(option) for option in options]
    letters = "".join(match["letter"] if match else "?" for match in found)
    if letters != ascii_uppercase[: len(options)]:
        raise ValueError(f"the options must start with A), B), ...; got {options!r}")
    if len(correct) != 1 or correct not in letters:
        raise ValueError(f"the answer must be one of {', '.join(letters)}; got {correct[:80]!r}")
    listed = " ".join(f"({match['letter']}) {match['text'].strip()}" for match in found if match)
    return {
        "question": f"{question} Answer Choices: {listed}",
        "solution": f"{rationale.strip()}\nThe answer is ({correct}).".strip(),
        "answer": correct,
    }


def plain_number(digits: str) -> str:
    """A decimal number without thousands separators and zeros at the end of its decimals: "1,250.50" becomes "1250.5"."""
    value = Decimal(digits.replace(",", ""))
    return f"{value.normalize():f}" if value else "0"


def read_lines(path: Path, *, row: Callable[[Any], Row]) -> list[Row]:
    """Read a file with a JSON object in each line.

    Args:
        path: the file.
        row: converts an object to a row; raises ValueError where it is malformed.

    Raises:
        InputError: the file cannot be read or is empty, or a line is malformed; the message has its number.
    """
    rows = []
    for number, line in lines_of(path):
        try:
            rows.append(row(read_json(line.encode())))
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
    return rows


def rows_of_hub(rows: Iterator[Row], *, row: Callable[[Any], Row]) -> list[Row]:
    """Convert the Hub's rows, which have the fields of the files. Raises InputError: a row is malformed."""
    converted = []
    for number, each in enumerate(rows):
        try:
            converted.append(row(each))
        except ValueError as error:
            raise InputError(f"row {number}: {error}") from None
    return converted


def _text(entry: Any, name: str) -> str:
    """Raises ValueError: the entry has no text of this name."""
    text = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"`{name}` must be a text; got {text!r}")
    return text.strip()
