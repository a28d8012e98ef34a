"""Copying of reliable results from a store to `results/reference/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.store.cost_record import cost_runs, write_cost_run
from benchmarks.store.result import Environment, Result
from benchmarks.store.speed_record import speed_runs, write_speed_run
from benchmarks.store.store import (
    PREDICTIONS_FILE,
    RESULT_FILE,
    CellFolder,
    Store,
    read_predictions,
    read_result,
    result_bytes,
)


def promote(store: Store, reference: Path, wanted: Callable[[Result], bool]) -> tuple[list[Path], list[str]]:
    """Copy the wanted results, as PRESET/TASK/METHOD/IDENTITY-ENVIRONMENT/ with their predictions.

    Returns:
        The written folders, and for each rejected result the reason.
    """
    written, left_out = [], []
    for path in store.paths():
        result = read_result(path)
        if not wanted(result):
            continue
        if reason := objection_to_result(result):
            left_out.append(f"{path.parent.relative_to(store.folder)}: {reason}")
        else:
            target = reference / result.preset / path.parent.relative_to(store.folder)
            _copy(CellFolder(path.parent), CellFolder(target), result)
            written.append(target)
    return written, left_out


def promote_costs(store: Store, reference: Path, preset: str | None) -> tuple[list[Path], list[str]]:
    """Copy the cost runs of one preset, or of all presets; returns as `promote`, with files instead of folders."""
    written, left_out = [], []
    for run in cost_runs(store.folder):
        if preset and run.preset != preset:
            continue
        if reason := objection_to_code(run.environment):
            left_out.append(f"cost run of {run.finished}: {reason}")
        else:
            costs = tuple(replace(cost, config=_without_folders(cost.config)) for cost in run.costs)
            written.append(write_cost_run(reference / run.preset, replace(run, costs=costs)))
    return written, left_out


def promote_speed(store: Store, reference: Path) -> tuple[list[Path], list[str]]:
    """Copy the speed runs, which have no preset; returns as `promote_costs`."""
    written, left_out = [], []
    for run in speed_runs(store.folder):
        if reason := objection_to_code(run.environment):
            left_out.append(f"speed run of {run.finished}: {reason}")
        else:
            written.append(write_speed_run(reference, run))
    return written, left_out


def objection_to_result(result: Result) -> str | None:
    """Reason why a result cannot become a reference, judged by the result file alone; None if it can."""
    return f"it failed: {result.reason}" if result.status != "done" else objection_to_code(result.environment)


def objection_to_code(environment: Environment) -> str | None:
    """Reason why measurements made with an environment's code cannot become references; None if they can."""
    if not environment.commit:
        return "the commit that made it is not known"
    if not environment.clean:
        return f"the code differed from commit {environment.commit[:12]}"
    return None


def _copy(source: CellFolder, target: CellFolder, result: Result) -> None:
    """Copy the predictions bit for bit, so that their fingerprint stays true, and the result without local paths."""
    predictions, kept = source.path / PREDICTIONS_FILE, replace(result, config=_without_folders(result.config))
    read_predictions(predictions)
    target.write_files({PREDICTIONS_FILE: predictions.read_bytes(), RESULT_FILE: result_bytes(kept)})


def _without_folders(config: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce local paths of data and models to folder names: paths differ by machine, and fingerprints identify both."""
    return {
        key: Path(value).name if key in ("data", "model") and Path(value).is_dir() else value
        for key, value in config.items()
    }
