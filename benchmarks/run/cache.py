"""A per-process cache of data, backbones and tokenised splits: neighbouring cells share the latest of each kind."""

import warnings
from functools import lru_cache

import transformers

from benchmarks.core import registry
from benchmarks.core.spec import InputError, Prepared, TaskData
from benchmarks.data.models import backbones
from benchmarks.run.machine.environment import use_machine
from benchmarks.run.machine.memory import set_imports_apart


def open_materials(threads: int) -> "Materials":
    """An empty cache, in a process that is set up to compute on that many threads."""
    use_machine(threads)
    set_imports_apart()
    _quieten()
    return Materials()


class Materials:
    """Data sets, backbones and tokenised splits by name; the latest of each is kept."""

    def __init__(self) -> None:
        self.backbone = lru_cache(maxsize=1)(backbones.open_backbone)
        self.data = lru_cache(maxsize=1)(_load)
        self.prepared = lru_cache(maxsize=1)(self._prepare)

    def _prepare(self, task: str, data: str, partial: bool, model: str, max_length: int) -> Prepared:  # noqa: FBT001  a cache's key
        rows, backbone = self.data(task, data, partial), self.backbone(model)
        if max_length > backbone.positions:
            raise InputError(
                f"max_length is {max_length}, but {backbone.title} reads at most {backbone.positions} tokens: set run.max_length"
            )
        return registry.task(task).prepare(rows, backbone.tokenizer, max_length)


def _load(task: str, data: str, partial: bool) -> TaskData:  # noqa: FBT001  a cache's key
    return registry.task(task).load(data, partial=partial)


def _quieten() -> None:
    """New heads and adapters are meant to be untrained; no library has to say so at every cell."""
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")
