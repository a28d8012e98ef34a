"""The ranks that `find_ranks` found, as a LoraConfig, as a table and on disk."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from peft import LoraConfig

from autolora.finding.card import write_card
from autolora.rank_search.result import SearchResult

RANKS_FILE, SEARCH_FILE = "ranks.json", "search.json"
_SHADES = " ░▒▓█"


@dataclass(frozen=True, kw_only=True)
class FoundRanks:
    """LoRA ranks of a model's layers, and how they were found."""

    lora_config: LoraConfig
    """The user's configuration with the ranks found: `get_peft_model(model, found.lora_config)`."""
    search: SearchResult
    """What the search learned."""
    ranks: Mapping[str, int]
    """Full name of a layer -> its rank; a layer of rank 0 is not adapted."""

    @property
    def selection(self) -> Mapping[str, Sequence[float]]:
        """Full name of a layer -> its k selection variables (alpha in section 4.1), or contributions within a budget."""
        return self.search.selection

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """Losses, ranks and sizes of the gradient's terms over the steps, or ranks and contributions of each round."""
        return self.search.history

    @property
    def cost(self) -> dict[str, float]:
        """`steps` of the search, and its wall-clock `seconds`."""
        return {"steps": self.search.steps, "seconds": self.search.seconds}

    @property
    def parameters(self) -> int:
        """Number of parameters of all LoRA updates with these ranks."""
        return sum(each.lora_parameters(self.ranks[each.name]) for each in self.search.projections)

    def summary(self) -> str:
        """The ranks as a table for the terminal: blocks by kind of layer, shaded by rank, and their totals."""
        blocks, roles, cells = self._grid()
        widths = [max(len(role), 4) for role in roles]
        first = max(len(block) for block in (*blocks, "block"))
        lines = [
            "  ".join(["block".ljust(first), *(role.rjust(width) for role, width in zip(roles, widths, strict=True))])
        ]
        for block in blocks:
            row = [
                self._shaded(cells.get((block, role))).rjust(width) for role, width in zip(roles, widths, strict=True)
            ]
            lines.append("  ".join([block.ljust(first), *row]).rstrip())
        return "\n".join([*lines, "", self._totals()])

    def _repr_html_(self) -> str:
        """The table of `summary` with colours, for notebooks."""
        blocks, roles, cells = self._grid()
        head = "".join(f"<th>{html.escape(role)}</th>" for role in ("block", *roles))
        rows = []
        for block in blocks:
            columns = "".join(self._coloured(cells.get((block, role))) for role in roles)
            rows.append(f"<tr><th>{html.escape(block)}</th>{columns}</tr>")
        return f"<table><tr>{head}</tr>{''.join(rows)}</table><p>{html.escape(self._totals())}</p>"

    def save(self, folder: Path | str) -> None:
        """Write the configuration in PEFT's format (adapter_config.json), ranks.json, search.json and a model card.

        The card is the part "LoRA ranks" of README.md: ranks, size, settings of the search and versions. The rest of a
        README.md that is there already is kept.

        Args:
            folder: is made where it is missing.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_card(Path(folder, "README.md"), self.lora_config, summary=self.summary(), facts=self._facts())
        self.lora_config.save_pretrained(str(folder))
        Path(folder, RANKS_FILE).write_text(json.dumps(dict(self.ranks), indent=1) + "\n", encoding="utf-8")
        self.search.save(Path(folder, SEARCH_FILE))

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what `save` wrote."""
        config = LoraConfig.from_pretrained(str(folder))
        assert isinstance(config, LoraConfig)
        ranks = json.loads(Path(folder, RANKS_FILE).read_text(encoding="utf-8"))
        return cls(lora_config=config, search=SearchResult.load(Path(folder, SEARCH_FILE)), ranks=ranks)

    @property
    def _max_rank(self) -> int:
        return int(self.search.config["max_rank"])

    def _facts(self) -> dict[str, str]:
        """Rows of the model card: size, scaling, and the settings of the search."""
        config, training = self.search.config, self.search.config["training"]
        removes = "rounds" in config  # the settings of AutoLoraBudget
        by_threshold = not removes and dict(self.ranks) == dict(self.search.ranks)
        steps = f"{self.search.steps} steps of {training['batch_size']} examples, "
        return {
            "size": f"{sum(self.ranks.values())} ranks, {self.parameters:,} parameters, "
            + ("by the threshold of section 4.4" if by_threshold else "within a budget"),
            "maximum rank": str(self._max_rank),
            "lora_alpha": f"{self.lora_config.lora_alpha}",
            "search": f"{steps}components removed in {config['rounds']} rounds, learning rate {training['lr']}"
            if removes
            else f"{steps}engine {config['engine']}, learning rates {training['lr']} (weights) and "
            f"{config['selection_lr']} (selection variables)",
        }

    def _totals(self) -> str:
        kept = [rank for rank in self.ranks.values() if rank]
        return (
            f"{len(kept)} of {len(self.ranks)} layers adapted, mean rank {sum(kept) / len(self.ranks):.1f} of "
            f"{self._max_rank}, {self.parameters:,} parameters; {self.search.steps} steps, {self.search.seconds:.0f} s"
        )

    def _grid(self) -> tuple[list[str], list[str], dict[tuple[str, str], int]]:
        """Blocks, kinds of layers, and (block, kind) -> rank."""
        cells = {_place(name): rank for name, rank in self.ranks.items()}
        blocks, roles = ([*dict.fromkeys(place[axis] for place in cells)] for axis in (0, 1))
        return blocks, roles, cells

    def _shaded(self, rank: int | None) -> str:
        if rank is None:
            return ""
        return f"{_SHADES[-(-rank * (len(_SHADES) - 1) // self._max_rank)]} {rank}"

    def _coloured(self, rank: int | None) -> str:
        if rank is None:
            return "<td></td>"
        share = rank / self._max_rank
        return f'<td style="background: rgba(31, 119, 180, {0.75 * share:.2f}); text-align: right">{rank}</td>'


def _place(name: str) -> tuple[str, str]:
    """Block and kind of a layer: "model.layers.3.mlp.up_proj" -> ("model.layers.3", "mlp.up_proj")."""
    numbered = re.match(r"(.*?\.\d+)\.(.+)", name)
    return (numbered[1], numbered[2]) if numbered else ("", name)
