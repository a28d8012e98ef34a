"""Result files that somebody else made, or a disk has damaged, are refused by name."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.core.nested import plain
from benchmarks.core.spec import InputError
from benchmarks.store.store import read_predictions, read_result
from tests.support.fakes import make_environment, make_result

GOOD = plain(make_result())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": plain(make_environment()) | {"packages": {}}}, "packages must contain torch and its version"),
        ({"rows": {}}, "rows must give positive numbers of examples"),
        ({"rows": {"train": 8}}, "rows must give positive numbers"),
        ({"rows": {"train": 8, "validation": 0}}, "rows must give positive numbers"),
        ({"schema": []}, r"has schema \[\]"),
        ({"schema": {}}, r"has schema \{\}"),
    ],
)
def test_a_result_that_could_not_be_reported_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(GOOD | changes), "utf-8")
    with pytest.raises(InputError, match=message) as refused:
        read_result(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(GOOD | {"metrics": {"validation": {"matthews": float("nan")}}}),
        json.dumps(GOOD | {"task_title": "\ud800"}),
        json.dumps(GOOD).replace("50.0", "1e999"),
        "[" * 100_000,
    ],
    ids=["not a number", "half a surrogate pair", "not a finite number", "nested without end"],
)
def test_a_result_that_could_not_be_written_again_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"result\.json is not a valid result"):
        read_result(path)


def test_a_result_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "result.json").mkdir()
    with pytest.raises(InputError, match=r"result\.json cannot be read"):
        read_result(tmp_path / "result.json")


PACKED = gzip.compress(b'{"validation": {"labels": [1], "predictions": [1], "scores": []}}')


@pytest.mark.parametrize(
    "content",
    {
        "cut off": PACKED[:-1],
        "overwritten": PACKED[:12] + b"\xff" * 20 + PACKED[32:],
        "empty": b"",
        "a number": gzip.compress(b"5"),
        "a text": gzip.compress(b'"ab"'),
        "pairs": gzip.compress(b"[[1, 2]]"),
        "a number for a split": gzip.compress(b'{"a": 1}'),
        "no predictions": gzip.compress(b'{"a": {"labels": []}}'),
        "nested without end": gzip.compress(b"[" * 100_000),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_damaged_predictions_are_refused(content: tuple[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "predictions.json.gz"
    path.write_bytes(PACKED)
    assert read_predictions(path)["validation"]["labels"] == [1]
    path.write_bytes(content[1])
    with pytest.raises(InputError, match=r"predictions\.json\.gz cannot be read"):
        read_predictions(path)
