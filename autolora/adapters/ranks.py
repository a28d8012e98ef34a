"""From selection variables to one rank per LoRA layer (section 4.4), and from ranks to a PEFT configuration."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from peft import LoraConfig
from torch import Tensor

from autolora.adapters.projections import SPLITTABLE, Projection
from autolora.adapters.selection import Parameterisation

Scaling = Literal["by-rank", "constant"]

_ROUNDING = 1e-6
"""Relative tolerance of the threshold: k equal float32 selection variables differ from 1/k by rounding errors."""


def derive_ranks(selection: Mapping[str, Tensor], parameterisation: Parameterisation) -> dict[str, int]:
    """Count the rank-1 components whose selection variable reaches the threshold, layer by layer.

    Args:
        selection: layer name -> selection variables, shape (k,), no unit; k is that layer's maximum rank.
        parameterisation: defines the threshold, 1/k for softmax.

    Returns:
        layer name -> rank in 0..k; rank 0 (only possible with sigmoid) means that the layer gets no update.

    Raises:
        ValueError: a layer's selection is not a non-empty vector, or holds a NaN.
    """
    ranks = {}
    for layer, values in selection.items():
        if values.ndim != 1 or not len(values) or values.isnan().any():
            raise ValueError(f"selection[{layer!r}] must be a NaN-free vector, got {values}")
        precise = values.detach().double()
        threshold = parameterisation.threshold(precise)
        ranks[layer] = int((precise >= threshold - _ROUNDING * threshold.abs()).sum())
    return ranks


@dataclass(frozen=True)
class RankAllocation:
    """One rank per adapted projection."""

    projections: tuple[Projection, ...]
    """In the model's order."""
    ranks: tuple[int, ...]
    """Rank of each projection, >= 0."""

    def __post_init__(self) -> None:
        if len(self.ranks) != len(self.projections):
            raise ValueError(f"{len(self.projections)} projections need as many ranks; got {len(self.ranks)}")
        if any(rank < 0 for rank in self.ranks):
            raise ValueError(f"ranks must be 0 or more; got {self.ranks}")

    @classmethod
    def uniform(cls, projections: Sequence[Projection], rank: int) -> Self:
        """The same rank in every projection: plain LoRA."""
        return cls(tuple(projections), (rank,) * len(projections))

    @classmethod
    def of(cls, projections: Sequence[Projection], ranks: Mapping[str, int]) -> Self:
        """The allocation of these ranks, a mapping projection name -> rank."""
        return cls(tuple(projections), tuple(ranks[projection.name] for projection in projections))

    def by_name(self) -> dict[str, int]:
        """Projection name -> rank."""
        return {projection.name: rank for projection, rank in zip(self.projections, self.ranks, strict=True)}

    @property
    def parameters(self) -> int:
        """Number of weights of all LoRA updates: the sum of r_l * (m_l + n_l)."""
        pairs = zip(self.projections, self.ranks, strict=True)
        return sum(projection.lora_parameters(rank) for projection, rank in pairs)

    def to_lora_config(
        self, *, lora_alpha: float = 16, scaling: Scaling = "by-rank", split: bool = False, **options: Any
    ) -> LoraConfig:
        """The PEFT configuration of LoRA with exactly these ranks.

        Args:
            split: whether the model's fused projections have been split by `split_fused`. If not, a fused projection
                gets one LoRA whose rank is the sum of its query's and its value's.
            lora_alpha: numerator of LoRA's scaling.
            scaling: "by-rank" scales layer l by lora_alpha / r_l, as in the authors' code, so that layers of
                lower rank take larger steps; "constant" scales every layer by lora_alpha / mean rank.
            options: further fields of `peft.LoraConfig`: task_type, modules_to_save, lora_dropout. With use_rslora both
                scalings have the square root of the rank (arXiv:2312.03732).

        Raises:
            ValueError: every rank is 0.
        """
        positive = [rank for rank in self.ranks if rank > 0]
        if not positive:
            raise ValueError("every projection has rank 0: there is nothing left to adapt")
        mean = sum(positive) / len(positive)
        ranks = self.by_name() if split else self._by_unsplit_name()
        kept = {name: rank for name, rank in ranks.items() if rank > 0}
        keys = {name: exact_key(name) for name in kept}
        power = 0.5 if options.get("use_rslora") else 1
        shares = {keys[name]: (rank / mean) ** power for name, rank in kept.items()} if scaling == "constant" else {}
        return LoraConfig(
            r=max(kept.values()),
            lora_alpha=lora_alpha,
            target_modules=exact_targets([*kept], ranks, confused=any(each.is_end for each in self.projections)),
            rank_pattern={keys[name]: rank for name, rank in kept.items()},
            alpha_pattern={key: lora_alpha * share for key, share in shares.items()},
            **options,
        )

    def _by_unsplit_name(self) -> dict[str, int]:
        """Name of a module of the unsplit model -> the sum of the ranks of the projections that it computes."""
        ranks: dict[str, int] = {}
        for name, rank in self.by_name().items():
            fused = name.rpartition(".")[0]
            module = fused if fused.rpartition(".")[2] in SPLITTABLE else name
            ranks[module] = ranks.get(module, 0) + rank
        return ranks

    def save(self, path: Path | str) -> None:
        """Write the allocation as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read an allocation that `save` wrote."""
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(tuple(Projection(**item) for item in saved["projections"]), tuple(saved["ranks"]))


def exact_key(name: str) -> str:
    """A module's key in PEFT's rank and alpha patterns: a regular expression that only matches the full name."""
    return f"^{re.escape(name)}"


def exact_targets(names: Sequence[str], known: Iterable[str], *, confused: bool = False) -> list[str] | str:
    """PEFT's `target_modules` for the modules of these names and for no other known one.

    PEFT also adapts modules whose name ends with "." and a listed name. Where that would adapt another known module, the
    result is a regular expression, which PEFT matches with the full name; otherwise it is the list of names.

    Args:
        names: full names of the modules to adapt.
        known: full names of all modules that could be confused with them.
        confused: whether the name of a module that is not known is to be confused with one of them.
    """
    listed = set(names)
    suffixes = tuple(f".{name}" for name in names)
    if confused or any(name not in listed and name.endswith(suffixes) for name in known):
        return "|".join(re.escape(name) for name in names)
    return list(names)
