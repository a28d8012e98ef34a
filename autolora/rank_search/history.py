"""What is kept of a search's course, and when it has converged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autolora.rank_search.config import Convergence


@dataclass(frozen=True, kw_only=True)
class Record:
    """A search at one step."""

    step: int
    """Steps done."""
    train_loss: float
    valid_loss: float
    direct_norm: float | None
    """||direct term|| over all layers; None where the engine does not tell."""
    second_order_norm: float | None
    """||second-order term|| over all layers, without eta."""
    second_order_share: float | None
    """||eta * second-order term|| / ||direct term||."""
    spread: Mapping[str, float]
    """Projection -> standard deviation of its selection variables."""
    largest_change: float
    """Of a selection variable since the record before."""
    ranks: Mapping[str, int]
    """Projection -> rank."""


def converged_at(records: Sequence[Mapping[str, Any]], rule: Convergence) -> int | None:
    """The step after which a search with these records would have stopped; None: not before its end.

    Args:
        records: of `SearchResult.history`, in order.
        rule: how long nothing must move, and what moving is.
    """
    still_since = 0
    for before, record in zip([None, *records], records, strict=False):
        moved = before is None or record["ranks"] != before["ranks"] or record["largest_change"] > rule.tolerance
        if moved:
            still_since = record["step"]
        elif record["step"] - still_since >= rule.patience:
            return int(record["step"])
    return None
