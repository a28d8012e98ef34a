"""How embedded tasks are drawn: random choices that are the same everywhere, and splits that share no sentence."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from benchmarks.core.spec import Row

TRAIN_ROWS = 2000
EVALUATION_ROWS = 400
MAX_TRIES = 1000
"""Draws without a new row after which a generator is held to have run out of sentences."""

Option = TypeVar("Option")


class Dice:
    """Random choices, the same on every platform and Python version.

    Built on `random.Random.random` alone: the only sequence that Python promises never to change for a given seed.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random

    def chance(self, share: float) -> bool:
        """True in that share of all calls."""
        return self._random() < share

    def pick(self, options: Sequence[Option]) -> Option:
        """One of the options."""
        return options[self._below(len(options))]

    def pick_two(self, options: Sequence[Option]) -> tuple[Option, Option]:
        """Two different ones of the options, in random order."""
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
"""Draws one row of a class: of a label, or for STS-B of a number of parts in which the sentences differ."""


def draw_splits(task: str, draws: Mapping[str, Draw], shares: Mapping[int, float]) -> dict[str, list[Row]]:
    """Draw all splits of a task, such that no two splits share a sentence and no split holds a row twice.

    Args:
        task: seeds the draws, so that tasks are independent of each other.
        draws: split -> what draws its rows; "train" comes first.
        shares: class -> its share of every split's rows; the shares add up to 1.

    Returns:
        split -> rows in random order: TRAIN_ROWS in "train", EVALUATION_ROWS in every other split.

    Raises:
        RuntimeError: the generator cannot make that many different sentences.
    """
    dice = Dice(f"benchmarks.embedded.{task}")
    splits: dict[str, list[Row]] = {}
    elsewhere: set[str] = set()
    for split, draw in draws.items():
        rows: dict[tuple[str, ...], Row] = {}
        for kind in _classes(dice, shares, TRAIN_ROWS if split == "train" else EVALUATION_ROWS):
            for _ in range(MAX_TRIES):
                row = draw(dice, kind)
                texts = sentences(row)
                if texts not in rows and elsewhere.isdisjoint(texts):
                    rows[texts] = row
                    break
            else:
                raise RuntimeError(f"{task}: no new row of class {kind} for {split!r} in {MAX_TRIES} draws")
        splits[split] = list(rows.values())
        elsewhere.update(text for texts in rows for text in texts)
    return splits


def sentences(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of its columns."""
    return tuple(value for value in row.values() if isinstance(value, str))


def _classes(dice: Dice, shares: Mapping[int, float], size: int) -> list[int]:
    """As many of each class as its share says, in random order; what rounding leaves over goes to the last class."""
    classes = [kind for kind, share in shares.items() for _ in range(int(share * size))]
    classes += [list(shares)[-1]] * (size - len(classes))
    return dice.shuffled(classes)
