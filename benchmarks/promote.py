"""Copies results that can be relied on from a store to `results/reference/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.store import CellFolder, Store, read_predictions, read_result, write_predictions, write_result

SCORE_DIGITS = 6
"""Decimals kept of a logit."""


def promote(store: Store, reference: Path, wanted: Callable[[Result], bool]) -> tuple[list[Path], list[str]]:
    """Copy the wanted results, as PRESET/TASK/METHOD/IDENTITY-ENVIRONMENT/ with their predictions.

    Returns:
        The folders written, and why each of the other results was left out.
    """
    written, left_out = [], []
    for path in sorted(store.folder.glob("*/*/*/result.json")):
        result = read_result(path)
        if not wanted(result):
            continue
        if reason := objection(result):
            left_out.append(f"{path.parent.relative_to(store.folder)}: {reason}")
        else:
            target = reference / result.preset / path.parent.relative_to(store.folder)
            _copy(CellFolder(path.parent), CellFolder(target), result)
            written.append(target)
    return written, left_out


def objection(result: Result) -> str | None:
    """Why a result cannot become a reference, from its own record; None if it can."""
    if result.status != "done":
        return f"it failed: {result.reason}"
    if not result.environment.commit:
        return "the commit that made it is not known"
    if not result.environment.clean:
        return f"the code differed from commit {result.environment.commit[:12]}"
    return None


def _copy(source: CellFolder, target: CellFolder, result: Result) -> None:
    predictions = read_predictions(source.path / "predictions.json.gz")
    for split in predictions.values():
        split["scores"] = [[round(value, SCORE_DIGITS) for value in scores] for scores in split["scores"]]
    write_predictions(target.path / "predictions.json.gz", predictions)
    write_result(target.path / "result.json", replace(result, config=_without_folders(result.config)))


def _without_folders(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where data and models lie on one machine means nothing elsewhere; their fingerprints say what they were."""
    return {
        key: Path(value).name if key in ("data", "model") and Path(value).is_dir() else value
        for key, value in config.items()
    }
