"""What cells are made from. The latest of each kind is kept, since neighbouring cells share it."""

from functools import lru_cache

from benchmarks import models, registry
from benchmarks.spec import Prepared, TaskData


class Materials:
    """Rows, backbones and tokenised examples by name, opened once for all neighbours that ask for the same."""

    def __init__(self) -> None:
        self.backbone = lru_cache(maxsize=1)(models.open_backbone)
        self.data = lru_cache(maxsize=1)(_load)
        self.prepared = lru_cache(maxsize=1)(self._prepare)

    def _prepare(self, task: str, data: str, partial: bool, model: str, max_length: int) -> Prepared:  # noqa: FBT001  a cache's key
        rows = self.data(task, data, partial)
        return registry.task(task).prepare(rows, self.backbone(model).tokenizer, max_length)


def _load(task: str, data: str, partial: bool) -> TaskData:  # noqa: FBT001  a cache's key
    return registry.task(task).load(data, partial=partial)
