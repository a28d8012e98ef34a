"""The records of a search's history, and the convergence rule that is applied to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autolora.rank_search.config import Convergence


@dataclass(frozen=True, kw_only=True)
class Record:
    """The state of a search at one step."""

    step: int
    """Steps done."""
    train_loss: float
    valid_loss: float
    direct_norm: float | None
    """||direct term|| over all layers; None if the engine does not report it ("betty")."""
    second_order_norm: float | None
    """||second-order term|| over all layers, without eta."""
    second_order_share: float | None
    """||eta * second-order term|| / ||direct term||."""
    spread: Mapping[str, float]
    """Projection -> standard deviation of its selection variables."""
    largest_change: float
    """Largest absolute change of a selection variable since the previous record."""
    ranks: Mapping[str, int]
    """Projection -> rank."""


def converged_at(records: Sequence[Mapping[str, Any]], rule: Convergence) -> int | None:
    """The step at which a search with these records has converged; None if it has not.

    Args:
        records: `SearchResult.history`, in order.
        rule: patience and tolerance.
    """
    last_change = 0
    for before, record in zip([None, *records], records, strict=False):
        changed = before is None or record["ranks"] != before["ranks"] or record["largest_change"] > rule.tolerance
        if changed:
            last_change = record["step"]
        elif record["step"] - last_change >= rule.patience:
            return int(record["step"])
    return None
