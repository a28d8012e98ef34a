"""Generation of embedded tasks: platform-independent random choices, and splits without shared sentences."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from benchmarks.core.spec import Row

TRAIN_ROWS = 2000
EVALUATION_ROWS = 400
MAX_TRIES = 1000
"""Number of draws without a new row after which generation fails."""

Option = TypeVar("Option")


class Dice:
    """Random choices that are the same on every platform and Python version.

    They use `random.Random.random` alone, the only method whose sequence Python guarantees for a given seed.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True with a probability of `share`."""
        return self._random() < share

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options, with equal probabilities."""
        return options[self._below(len(options))]

    def pick_two(self, options: Sequence[Option]) -> tuple[Option, Option]:
        """Two different options, in random order."""
        first, second = self.shuffled(range(len(options)))[:2]
        return options[first], options[second]

    def shuffled(self, items: Sequence[Option]) -> list[Option]:
        """The items in random order (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self._below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def _below(self, bound: int) -> int:
        return int(self._random() * bound)


Draw = Callable[[Dice, int], Row]
"""Random choices, class -> a row; the class is a label or, for STS-B, the number of differing parts."""


def draw_splits(task: str, draws: Mapping[str, Draw], shares: Mapping[int, float]) -> dict[str, list[Row]]:
    """Draw all splits of a task; no two splits share a sentence, and the rows of a split are distinct.

    Args:
        task: name of the task, part of the seed.
        draws: split -> function that draws a row; "train" comes first.
        shares: class -> share of the rows of every split; the shares sum to 1.

    Returns:
        split -> rows in random order: TRAIN_ROWS in "train", EVALUATION_ROWS in every other split.

    Raises:
        RuntimeError: no new row was found in MAX_TRIES draws.
    """
    dice = Dice(f"benchmarks.embedded.{task}")
    splits: dict[str, list[Row]] = {}
    in_other_splits: set[str] = set()
    for split, draw in draws.items():
        rows: dict[tuple[str, ...], Row] = {}
        for kind in _classes(dice, shares, TRAIN_ROWS if split == "train" else EVALUATION_ROWS):
            for _ in range(MAX_TRIES):
                row = draw(dice, kind)
                texts = sentences(row)
                if texts not in rows and in_other_splits.isdisjoint(texts):
                    rows[texts] = row
                    break
            else:
                raise RuntimeError(f"{task}: no new row of class {kind} for {split!r} in {MAX_TRIES} draws")
        splits[split] = list(rows.values())
        in_other_splits.update(text for texts in rows for text in texts)
    return splits


def sentences(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of its columns."""
    return tuple(value for value in row.values() if isinstance(value, str))


def _classes(dice: Dice, shares: Mapping[int, float], size: int) -> list[int]:
    """The class of each row, in random order; the last class gets the rows that rounding leaves unassigned."""
    classes = [kind for kind, share in shares.items() for _ in range(int(share * size))]
    classes += [list(shares)[-1]] * (size - len(classes))
    return dice.shuffled(classes)
