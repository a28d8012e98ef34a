"""Generated miniature versions of the tasks for the `quick` preset: offline, and identical on every platform."""

import pkgutil
from importlib import import_module

from benchmarks.core.spec import InputError, Row

TASKS = tuple(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
"""Names of the embedded tasks: the modules of this folder, each with a function `generate`."""


def generate(task: str) -> dict[str, list[Row]]:
    """Generate one embedded task.

    Args:
        task: one of TASKS.

    Returns:
        split -> rows, by the Hub's names; "train" comes first, the headline split second.

    Raises:
        InputError: the task has no generator.
    """
    if task not in TASKS:
        raise InputError(
            f"{task} has no generated rows: give --data hub or a folder; the embedded tasks are {', '.join(TASKS)}"
        )
    return dict(import_module(f"{__name__}.{task}").generate())
