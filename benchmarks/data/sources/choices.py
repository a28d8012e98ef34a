"""Questions with choices: LLM-Adapters' JSON files, JSON lines, and the Hub's rows."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.core.spec import InputError, Row
from benchmarks.core.untrusted import read_json

_INSTRUCTION = re.compile(r"Please [^:]*: (?P<question>.*)\n\nAnswer format: (?P<names>[^\n]+)", re.DOTALL)
_NUMBERED = re.compile(r"(?P<word>\D+)(?P<number>\d{1,2})")


def choice_row(question: Any, choices: Sequence[Any], label: int) -> Row:
    """A row with `question`, `choices` and `label`, the index of the right choice.

    Where the right choice occurs again, as in one question of CommonsenseQA's, it is kept once; wrong ones may occur twice.

    Raises:
        ValueError: question or choices are not texts, there are fewer than two choices, or `label` is no index of them.
    """
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"the question must be a text; got {question!r}")
    if not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise ValueError(f"the choices must be texts; got {choices!r}")
    stripped = [choice.strip() for choice in choices]
    if not 0 <= label < len(stripped):
        raise ValueError(f"the answer must be one of {len(stripped)} choices; it is number {label + 1}")
    right = stripped[label]
    first = stripped.index(right)
    kept = [choice for index, choice in enumerate(stripped) if choice != right or index == first]
    if len(kept) < 2:
        raise ValueError(f"a question must have at least two different choices; got {stripped!r}")
    return {"question": question.strip(), "choices": kept, "label": first}


def read_llm_adapters(path: Path) -> list[Row]:
    """Read a JSON list of objects with `instruction` (question, choices and answer format in one text) and `answer`.

    The answer format names the choices: numbered words, such as answer1/answer2 or solution1/solution2, which also
    introduce the choices in the instruction ("Solution1: ..."), or the choices themselves, as in true/false.

    Source of the layout: Hu et al., LLM-Adapters (arXiv:2304.01933).

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


def read_json_lines(path: Path) -> list[Row]:
    """Read CommonsenseQA's own files, or the Hub's rows as JSON lines: one question per line.

    A question is an object with `stem` and `choices`, or its text beside `choices` with lists `label` and `text`.

    Raises:
        InputError: the file cannot be read, or a line is malformed; the message has its number.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.extend(rows_of_hub(iter([_flat(read_json(line))]), question="question"))
        except (InputError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}:{number}: not a question with choices and answerKey: {error}") from None
    if not rows:
        raise InputError(f"{path} must contain a question per line; it is empty")
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


def _flat(question: Any) -> Row:
    """The Hub's form of a line of CommonsenseQA. Raises TypeError or KeyError: it is in neither form."""
    inner = question["question"]
    if isinstance(inner, str):
        return dict(question)
    choices = {name: [choice[name] for choice in inner["choices"]] for name in ("label", "text")}
    return {"question": inner["stem"], "choices": choices, "answerKey": question["answerKey"]}


def _of_instruction(entry: Any) -> Row:
    """Raises ValueError: the entry is malformed."""
    instruction, answer = (entry.get("instruction"), entry.get("answer")) if isinstance(entry, dict) else (None, None)
    if not isinstance(instruction, str) or not isinstance(answer, str):
        raise ValueError("an entry must have the texts `instruction` and `answer`")  # noqa: TRY004  one kind of error for all
    found = _INSTRUCTION.fullmatch(instruction.strip())
    if not found:
        raise ValueError(
            "the instruction must have the question and 'Answer format: ...', as in LLM-Adapters; "
            f"got {instruction[:80]!r}"
        )
    names = [name.strip() for name in found["names"].split("/")]
    numbered = _NUMBERED.fullmatch(names[0])
    question, choices = (
        _split(found["question"], numbered["word"], len(names)) if numbered else (found["question"], names)
    )
    if answer.strip() not in names:
        raise ValueError(f"the answer must be one of {', '.join(names)}; got {answer[:80]!r}")
    return choice_row(question, choices, names.index(answer.strip()))


def _split(text: str, word: str, number: int) -> tuple[str, list[str]]:
    """The question before "Word1: ", and the choices that the numbered words introduce. Raises ValueError: one is missing."""
    parts, rest = [], text
    for following in range(1, number + 1):
        part, separator, rest = rest.partition(f"{word.capitalize()}{following}: ")
        if not separator:
            raise ValueError(f"{word.capitalize()}{following} of {number} is missing")
        parts.append(part)
    return parts[0], [*parts[1:], rest]


def _first_lines(text: str) -> Iterator[int]:
    """The number of the line on which each element of a valid JSON list starts."""
    decoder = json.JSONDecoder()
    position, line, counted = text.index("[") + 1, 1, 0
    while (position := re.compile(r"[\s,]*").match(text, position).end()) < len(text) and text[position] != "]":  # type: ignore[union-attr]
        line += text.count("\n", counted, position)
        counted = position
        yield line
        _, position = decoder.raw_decode(text, position)
