"""The result of a rank search, and the recorder of its history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from autolora.adapters.projections import Projection
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import NonFiniteLossError
from autolora.rank_search.bilevel import Hypergradient
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.history import Record
from autolora.rank_search.model import SearchModel
from autolora.rank_search.probe import Probe


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The ranks and selection variables that a search found, and its history."""

    projections: tuple[Projection, ...]
    """The layers that were searched, in the model's order."""
    selection: Mapping[str, Sequence[float]]
    """Projection -> its k selection variables; of `AutoLoraBudget`, its k components' contributions."""
    ranks: Mapping[str, int]
    """Projection -> rank (section 4.4)."""
    history: Sequence[Mapping[str, Any]]
    """One `Record` as a dict, every `record_every` steps and at the last step; of `AutoLoraBudget`, a record per round."""
    steps: int
    """Steps done: fewer than planned if the search converged."""
    seconds: float
    """Wall-clock seconds spent in the search's steps."""
    config: Mapping[str, Any]
    """The SearchConfig or AutoLoraBudget as a dict."""
    probe: Mapping[str, float] | None = None
    """The engine's second-order term compared with finite differences at the end of the search: a `Probe` as a dict."""

    @property
    def allocation(self) -> RankAllocation:
        """The ranks with their projections, which `to_lora_config` turns into a `peft.LoraConfig`."""
        return RankAllocation.of(self.projections, self.ranks)

    def save(self, path: Path | str) -> None:
        """Write the result as JSON."""
        Path(path).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a result that `save` wrote."""
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
        saved["projections"] = tuple(Projection(**item) for item in saved["projections"])
        return cls(**saved)


class Recorder:
    """Records a search's history; its state goes into checkpoints."""

    def __init__(self, model: SearchModel) -> None:
        self.records: list[dict[str, Any]] = []
        self._model = model
        self._before = model.selection()

    def record(self, step: int, train_loss: Tensor, valid_loss: Tensor, found: Hypergradient | None = None) -> None:
        """Record the search after `step` steps.

        Raises:
            NonFiniteLossError: a selection variable is NaN or infinite.
        """
        selection = self._model.selection()
        _check_finite(selection, step)
        changes = [float((values - self._before[name]).abs().max()) for name, values in selection.items()]
        self._before = selection
        record = Record(
            step=step,
            train_loss=float(train_loss),
            valid_loss=float(valid_loss),
            direct_norm=found.direct_norm if found else None,
            second_order_norm=found.second_order_norm if found else None,
            second_order_share=found.second_order_share if found else None,
            spread={name: float(values.std(correction=0)) for name, values in selection.items()},
            largest_change=max(changes),
            ranks=self._model.ranks(selection),
        )
        self.records.append(asdict(record))

    def result(self, config: SearchConfig, seconds: float, probed: Probe | None) -> SearchResult:
        """The result of the search up to now."""
        selection = self._model.selection()
        return SearchResult(
            projections=self._model.projections,
            selection={name: values.tolist() for name, values in selection.items()},
            ranks=self._model.ranks(selection),
            history=self.records,
            steps=self.records[-1]["step"] if self.records else 0,
            seconds=seconds,
            config=asdict(config),
            probe=asdict(probed) if probed else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """The records, and the selection variables at the last record."""
        return {"records": self.records, "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.records[:] = state["records"]
        self._before = dict(state["before"])


def _check_finite(selection: Mapping[str, Tensor], step: int) -> None:
    """Raises NonFiniteLossError: a selection variable is NaN or infinite; the message names its projection."""
    for name, values in selection.items():
        if not values.isfinite().all():
            raise NonFiniteLossError(f"search: the selection variables of {name} are not finite at step {step}")
