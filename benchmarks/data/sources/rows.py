"""Rows of a data set in one format for all sources, and their fingerprint."""

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
    """The columns that a task reads, with the Hub's names, and the allowed values of `label`."""

    text: tuple[str, ...]
    """The one or two text columns, in the order of the model's input."""
    labels: tuple[str, ...] = ()
    """Class names, in the order of their indices; empty if the label is a score."""
    score_range: tuple[float, float] = (0.0, 5.0)
    """Lowest and highest score; used if `labels` is empty."""

    def row(self, texts: Sequence[Any], label: Any) -> Row:
        """Validate texts and label, and return them as a row: the text columns and `label`.

        Args:
            texts: one text per column of `text`.
            label: a class index or score, as a number or a string, or the name of a class.

        Raises:
            ValueError: all texts are empty, one is not a string, or the label is invalid.
        """
        if not all(isinstance(text, str) for text in texts) or not any(text.strip() for text in texts):
            raise ValueError(f"{' and '.join(self.text)} must contain text; got {texts!r}")
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
        # Rounded to float32 and its shortest decimal, so that "3.8" in a text file equals the Hub's float32 value.
        return float(str(np.float32(score)))


def fingerprint(splits: Mapping[str, Sequence[Row]]) -> str:
    """sha256, in hex, over the name of each split and its rows as canonical JSON, in order."""
    digest = hashlib.sha256()
    for split, rows in splits.items():
        digest.update(f"{split}\n".encode())
        for row in rows:
            digest.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def task_data(
    splits: Mapping[str, Sequence[Row]], source: str, *, partial: tuple[str, ...] = (), notes: tuple[str, ...] = ()
) -> TaskData:
    """Bundle splits with their fingerprint."""
    return TaskData(splits=splits, fingerprint=fingerprint(splits), source=source, partial=partial, notes=notes)


def fingerprint_notes(data: TaskData, fingerprints: Mapping[str, str], *, partial: bool) -> Iterator[str]:
    """Verify the fingerprint of rows; yields a note if they are accepted although they are not the official rows.

    Args:
        data: the rows.
        fingerprints: kind of source ("embedded", "tsv") -> fingerprint of the complete official rows, where known.
        partial: accept rows that are not the official ones.

    Raises:
        InputError: the rows are not the official ones, and `partial` is not set.
    """
    expected = fingerprints.get(data.source.split()[0], data.fingerprint)
    if data.fingerprint == expected or data.partial:
        return
    if not partial:
        raise InputError(
            f"{data.source}: the rows are not the official ones: their fingerprint is {data.fingerprint}, but the "
            f"official one is {expected}. Get the official files again, or use --partial to accept these rows"
        )
    yield f"The rows are not the official ones: their fingerprint is {data.fingerprint[:12]}, not {expected[:12]}."
