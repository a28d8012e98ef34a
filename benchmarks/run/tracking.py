"""Logs a cell's losses and scores to an experiment tracker, by accelerate's trackers; off by default."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker

from autolora.compute.runtime import Progress
from benchmarks.core.nested import flat
from benchmarks.core.spec import InputError
from benchmarks.run.plan import Cell
from benchmarks.store.result import Result

PROJECT = "autolora-bench"
FOLDER = "tracking"
"""Folder below the store's folder, for trackers that write files."""
OPTIONS: Mapping[str, Callable[[Cell, Path], dict[str, Any]]] = MappingProxyType(
    {
        "tensorboard": lambda cell, folder: {"run_name": cell.name.replace(" ", "-"), "logging_dir": folder},
        "wandb": lambda cell, folder: {
            "run_name": PROJECT,
            "name": cell.name,
            "dir": str(folder),
            "mode": os.environ.get("WANDB_MODE", "offline"),
        },
        "mlflow": lambda cell, folder: {"experiment_name": PROJECT, "run_name": cell.name, "logging_dir": str(folder)},
        "trackio": lambda cell, folder: {"run_name": PROJECT, "name": cell.name},  # noqa: ARG005  writes to its own folder
    }
)
"""Tracker -> arguments of its class in accelerate. No tracker uses the network unless its own settings say so."""


class Tracking:
    """Logs the loss of every step, and the scores at the end."""

    def __init__(self, tracker: GeneralTracker | None) -> None:
        self._tracker = tracker
        self._step = 0

    def step(self, progress: Progress) -> None:
        """Log the loss of a step."""
        self._step += 1
        if self._tracker and progress.loss is not None:
            self._tracker.log({f"{progress.stage}/loss": progress.loss}, step=self._step)

    def end(self, result: Result) -> None:
        """Log the scores and the seconds of a finished or failed cell."""
        if not self._tracker:
            return
        scores = flat(result.metrics) | {f"seconds.{name}": value for name, value in result.seconds.items()}
        self._tracker.log({name: value for name, value in scores.items() if value is not None}, step=self._step)
        self._tracker.finish()


def open_tracking(cell: Cell, folder: Path) -> Tracking:
    """The tracker that a cell's settings name. Raises InputError: its package is missing."""
    name = cell.config["track"]
    if not name:
        return Tracking(None)
    if find_spec(name) is None:
        raise InputError(f"run.track = {name} needs the package {name}: pip install {name}")
    folder = folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    tracker = LOGGER_TYPE_TO_CLASS[name](**OPTIONS[name](cell, folder))
    tracker.start()
    settings = {"task": cell.task, "method": cell.method, "seed": cell.seed, **flat(cell.config)}
    tracker.store_init_configuration(
        {key: value if isinstance(value, int | float | str) else str(value) for key, value in settings.items()}
    )
    return Tracking(tracker)
