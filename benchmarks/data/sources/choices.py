"""Questions with choices, from LLM-Adapters' JSON files, and from the Hub's rows of ARC and OpenBookQA."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.core.spec import InputError, Row
from benchmarks.core.untrusted import read_json

_INSTRUCTION = re.compile(
    r"Please choose the correct answer to the question: (?P<question>.*)"
    r"\n\nAnswer1: (?P<choices>.*)\n\nAnswer format: (?:answer\d+/)*answer(?P<number>\d+)",
    re.DOTALL,
)


def choice_row(question: Any, choices: Sequence[Any], label: int) -> Row:
    """A row with `question`, `choices` and `label`, the index of the right choice.

    Raises:
        ValueError: question or choices are not texts, there are fewer than two choices, `label` is no index of them, or
            the right choice occurs twice; wrong ones do, in OpenBookQA's training set.
    """
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"the question must be a text; got {question!r}")
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise ValueError(f"the choices must be texts; got {choices!r}")
    stripped = [choice.strip() for choice in choices]
    if len(stripped) < 2:
        raise ValueError(f"a question must have at least two choices; got {stripped!r}")
    if not 0 <= label < len(stripped):
        raise ValueError(f"the answer must be one of {len(stripped)} choices; it is number {label + 1}")
    if stripped.count(stripped[label]) > 1:
        raise ValueError(f"the right choice must occur once; got {stripped[label]!r} among {stripped!r}")
    return {"question": question.strip(), "choices": stripped, "label": label}


def read_llm_adapters(path: Path) -> list[Row]:
    """Read a JSON list of objects with `instruction` (question, choices and answer format in one text) and `answer`.

    Source of the layout: Hu et al., LLM-Adapters (arXiv:2304.01933), for ARC and OpenBookQA.

    Raises:
        InputError: the file cannot be read, or an entry is malformed; the message has the entry's first line.
    """
    try:
        content = path.read_bytes()
        entries = read_json(content)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} must contain a list of questions")
    rows = []
    for entry, line in zip(entries, _first_lines(content.decode("utf-8-sig")), strict=True):
        try:
            rows.append(_of_instruction(entry))
        except ValueError as error:
            raise InputError(f"{path}:{line}: {error}") from None
    return rows


def rows_of_hub(rows: Iterator[Row], *, question: str) -> list[Row]:
    """Convert the Hub's rows: a question in the column of that name, `choices` with `text` and `label`, `answerKey`.

    Raises:
        InputError: a row is invalid.
    """
    converted = []
    for number, row in enumerate(rows):
        names = list(row["choices"]["label"])
        label = names.index(row["answerKey"]) if row["answerKey"] in names else len(names)
        try:
            converted.append(choice_row(row[question], list(row["choices"]["text"]), label))
        except ValueError as error:
            raise InputError(f"row {number}, with the answer {row['answerKey']!r}: {error}") from None
    return converted


def _of_instruction(entry: Any) -> Row:
    """Raises ValueError: the entry is malformed."""
    instruction, answer = (entry.get("instruction"), entry.get("answer")) if isinstance(entry, dict) else (None, None)
    if not isinstance(instruction, str) or not isinstance(answer, str):
        raise ValueError("an entry must have the texts `instruction` and `answer`")  # noqa: TRY004  one kind of error for all
    found = _INSTRUCTION.fullmatch(instruction.strip())
    number = re.fullmatch(r"answer(\d{1,2})", answer.strip())
    if not found or not number:
        raise ValueError(
            "the instruction must have the question, 'Answer1: ...' and 'Answer format: ...', and the answer must be "
            f"answerN; got {instruction[:80]!r} and {answer[:80]!r}"
        )
    choices, rest = [], found["choices"]
    for following in range(2, int(found["number"]) + 1):
        choice, separator, rest = rest.partition(f"Answer{following}: ")
        if not separator:
            raise ValueError(f"Answer{following} of {found['number']} is missing")
        choices.append(choice)
    return choice_row(found["question"], [*choices, rest], int(number[1]) - 1)


def _first_lines(text: str) -> Iterator[int]:
    """The number of the line on which each element of a valid JSON list starts."""
    decoder = json.JSONDecoder()
    position, line, counted = text.index("[") + 1, 1, 0
    while (position := re.compile(r"[\s,]*").match(text, position).end()) < len(text) and text[position] != "]":  # type: ignore[union-attr]
        line += text.count("\n", counted, position)
        counted = position
        yield line
        _, position = decoder.raw_decode(text, position)
