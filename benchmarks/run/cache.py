"""A per-process cache of data, backbones and tokenised splits; it keeps the last of each kind for the next cell."""

import warnings
from functools import lru_cache

import transformers

from benchmarks.core import registry
from benchmarks.core.spec import InputError, Prepared, TaskData
from benchmarks.data.models import backbones
from benchmarks.run.machine.environment import configure_process
from benchmarks.run.machine.memory import freeze_imported_objects
from benchmarks.tasks.families.answering import Answering, answered_with


def open_materials(threads: int) -> "Materials":
    """Configure this process to compute on a number of threads, and return an empty cache."""
    configure_process(threads)
    freeze_imported_objects()
    _silence_libraries()
    return Materials()


class Materials:
    """Loads data sets, backbones and tokenised splits by name, and keeps the last of each."""

    def __init__(self) -> None:
        self.backbone = lru_cache(maxsize=1)(backbones.open_backbone)
        self.data = lru_cache(maxsize=1)(_load)
        self.prepared = lru_cache(maxsize=1)(self._prepare)

    def _prepare(
        self,
        task: str,
        data: str,
        partial: bool,  # noqa: FBT001  key of a cache
        model: str,
        max_length: int,
        *,
        answers: Answering | None = None,
    ) -> Prepared:
        rows, backbone = self.data(task, data, partial), self.backbone(model)
        if max_length > backbone.positions:
            raise InputError(
                f"max_length is {max_length}, but {backbone.title} has {backbone.positions} positions: set a smaller run.max_length"
            )
        return answered_with(registry.task(task), answers).prepare(rows, backbone.tokenizer, max_length)


def _load(task: str, data: str, partial: bool) -> TaskData:  # noqa: FBT001  key of a cache
    return registry.task(task).load(data, partial=partial)


def _silence_libraries() -> None:
    """Suppress the warnings that every cell would repeat, such as those about newly initialised heads and adapters."""
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")
