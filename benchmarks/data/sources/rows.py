"""The rows of a data set, the same whichever file they came from."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.core.spec import InputError, Row, TaskData


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which of the Hub's columns a task reads, and what its `label` may be."""

    text: tuple[str, ...]
    """The one or two text columns, in the order that a model reads them in."""
    labels: tuple[str, ...] = ()
    """The classes, in the order of their indices; empty where the label is a score."""
    score_range: tuple[float, float] = (0.0, 5.0)
    """Lowest and highest score, where the label is one."""

    def row(self, texts: Sequence[Any], label: Any) -> Row:
        """One checked row: the text columns and `label`.

        Args:
            texts: one text per column of `text`.
            label: a class index or a score, as a number or in digits, or a class by its name.

        Raises:
            ValueError: no text at all, or a label that is none.
        """
        if not all(isinstance(text, str) for text in texts) or not any(text.strip() for text in texts):
            raise ValueError(f"{' and '.join(self.text)} must hold text; got {texts!r}")
        read = self._class_index if self.labels else self._score
        return {**dict(zip(self.text, texts, strict=True)), "label": read(label)}

    def _class_index(self, label: Any) -> int:
        if label in self.labels:
            return self.labels.index(label)
        digits = str(label)
        if digits.isascii() and digits.isdigit() and int(digits) < len(self.labels):
            return int(digits)
        known = ", ".join(f"{index} ({name})" for index, name in enumerate(self.labels))
        raise ValueError(f"label must be one of {known}; got {label!r}")

    def _score(self, label: Any) -> float:
        low, high = self.score_range
        try:
            score = float(label)
        except (TypeError, ValueError):
            score = math.nan
        if not low <= score <= high:
            raise ValueError(f"label must be a score from {low:g} to {high:g}; got {label!r}")
        # The shortest decimal of its float32: what "3.8" in a text file and the Hub's float32 column agree on.
        return float(str(np.float32(score)))


def fingerprint(splits: Mapping[str, Sequence[Row]]) -> str:
    """Hash rows by their content: sha256 over each split's name and its rows as canonical JSON, in order."""
    digest = hashlib.sha256()
    for split, rows in splits.items():
        digest.update(f"{split}\n".encode())
        for row in rows:
            digest.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def task_data(
    splits: Mapping[str, Sequence[Row]], source: str, *, partial: tuple[str, ...] = (), notes: tuple[str, ...] = ()
) -> TaskData:
    """The splits with their fingerprint."""
    return TaskData(splits=splits, fingerprint=fingerprint(splits), source=source, partial=partial, notes=notes)


def pin_notes(data: TaskData, fingerprints: Mapping[str, str], *, partial: bool) -> Iterator[str]:
    """Verify rows; says where they are not the official ones.

    Args:
        data: rows, from wherever they came.
        fingerprints: kind of source ("embedded", "tsv") -> fingerprint of the complete official rows, where known.
        partial: other rows are meant.

    Raises:
        InputError: they are other ones, and not meant.
    """
    expected = fingerprints.get(data.source.split()[0], data.fingerprint)
    if data.fingerprint == expected or data.partial:
        return
    if not partial:
        raise InputError(
            f"{data.source}: the rows are not the official ones, whose fingerprint is {expected}; theirs is "
            f"{data.fingerprint}. Get the official files again, or say --partial if these are meant"
        )
    yield f"The rows are not the official ones: their fingerprint is {data.fingerprint[:12]}, not {expected[:12]}."
